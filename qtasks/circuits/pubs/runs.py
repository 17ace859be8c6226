"""What a container comes to: each circuit with each row of values once, and the runs that a PUB is made of. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qtasks.circuits.pubs import shapes
from qtasks.circuits.pubs.container import MAX_RUNS, Container, Observables, too_many_runs
from qtasks.circuits.pubs.observables import bases


@dataclass(frozen=True, slots=True)
class Extent:
    """How much a job runs."""

    runs: int
    shots: int
    """Of all runs together."""
    most_shots: int
    """Of one run."""

    @property
    def alike(self) -> bool:
        """Whether all runs have the same number of shots."""
        return self.runs * self.most_shots == self.shots


@dataclass(frozen=True, slots=True)
class Part:
    """A circuit with one row of values, and where it was first asked for: a PUB and a row of its values."""

    circuit: int
    parameters: tuple[str, ...]
    row: tuple[float, ...]
    pub: int
    number: int

    @property
    def values(self) -> dict[str, float]:
        return dict(zip(self.parameters, self.row, strict=True))

    def __str__(self) -> str:
        return f"circuits[{self.circuit}] with pubs[{self.pub}].values[{self.number}]"


def parts_of(container: Container) -> tuple[list[Part], list[list[int]]]:
    """Each circuit with each row of values that some PUB gives it, and for each PUB which part each of its rows is."""
    parts: list[Part] = []
    known: dict[tuple[object, ...], int] = {}
    found = []
    for number, pub in enumerate(container.pubs):
        mine = []
        for row, values in enumerate(pub.values):
            place = known.setdefault((pub.circuit, pub.parameters, values), len(parts))
            if place == len(parts):
                parts.append(Part(pub.circuit, pub.parameters, values, number, row))
            mine.append(place)
        found.append(mine)
    return parts, found


def bases_of(observables: Observables, shape: shapes.Shape) -> list[list[str]]:
    """For each point of an array of values of this shape the bases that its observables are measured in."""
    whole = shapes.broadcast(shape, observables.shape)
    assert whole is not None, "parse() refuses shapes that do not fit"
    asked: list[set[int]] = [set() for _ in range(shapes.size(shape))]
    for point, observable in zip(shapes.places(shape, whole), shapes.places(observables.shape, whole), strict=True):
        asked[point].add(observable)
    width = len(next(iter(observables.terms[0])))
    known: dict[frozenset[int], list[str]] = {}
    found = []
    for wanted in map(frozenset, asked):
        if wanted not in known:
            known[wanted] = bases((label for place in wanted for label in observables.terms[place]), width)
        found.append(known[wanted])
    return found


def extent(container: Container) -> Extent:
    """How much the job runs. Raises InvalidInput (`TooManyRuns`)."""
    runs = shots = 0
    for pub in container.pubs:
        mine = len(pub.values)
        if pub.observables is not None:
            mine = sum(map(len, bases_of(pub.observables, pub.shape)))
        runs += mine
        shots += mine * pub.shots
    if runs > MAX_RUNS:
        raise too_many_runs(runs)
    return Extent(runs, shots, max(pub.shots for pub in container.pubs))


def extent_of(shots: Sequence[int]) -> Extent:
    """The extent of runs with these numbers of shots."""
    return Extent(len(shots), sum(shots), max(shots))
