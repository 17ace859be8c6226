"""From a container to what is run: every circuit goes through the sandbox with each row of its values, and an
estimator's is measured in every basis that its observables need."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from qtasks.circuits.analysis import Analysis
from qtasks.circuits.errors import CircuitError
from qtasks.circuits.formats import QPY, dump, load_canonical
from qtasks.circuits.pubs.container import ESTIMATOR, Container, Pub
from qtasks.circuits.pubs.measuring import measured
from qtasks.circuits.pubs.prepared import Prepared, PreparedPub, Run
from qtasks.circuits.pubs.runs import Part, bases_of, extent, parts_of
from qtasks.circuits.sandbox.answers import Checked, Rejected, Source

Check = Callable[[Sequence[Source]], Iterable[Checked | Rejected]]
"""Answers for sources, in their order; nothing need follow a refusal."""
MAX_BYTES = 64 * 2**20
"""Of all circuits of a job as canonical QPY: what one circuit may have."""
_VERSION = "qtasks-pubs-1"
_EXTENDED = "extended_stabilizer"


def prepare(container: Container, check: Check, *, method: str = "automatic") -> tuple[Prepared, str]:
    """What is run, and its fingerprint: SHA-256 (64 hex digits) over what every run does, and how it is read out.

    `method`: Aer's, as the job asks for it. Raises InvalidInput: with the sandbox's reason and the number of the
    circuit that it is about, `EstimatorMeasures`, `InvalidObservable`, `TooLarge`, `TooManyRuns`.
    """
    extent(container)
    parts, places = parts_of(container)
    estimator = container.program == ESTIMATOR
    checked = _checked(parts, check, _once_read(container, parts, check))
    if estimator:
        _refuse_unfit(container, parts, checked)
    circuits = _Circuits(checked, keep_extents=method == _EXTENDED)
    pubs = tuple(_prepared(pub, mine, circuits) for pub, mine in zip(container.pubs, places, strict=True))
    prepared = Prepared(container.program, tuple(circuits.made), tuple(circuits.kinds), tuple(circuits.analyses), pubs)
    return prepared, _fingerprint(prepared, [checked[place] for place, _ in circuits.known])


def _once_read(container: Container, parts: Sequence[Part], check: Check) -> list[Source]:
    """The sources of the parts. OpenQASM with several rows of values is read once, and then sent on as QPY."""
    given = {place: (one.format, one.data) for place, one in enumerate(container.circuits)}
    rows = [part.circuit for part in parts]
    again = [place for place, (fmt, _) in given.items() if fmt != QPY and rows.count(place) > 1]
    asked = [Source(str(place), *given[place], measured=False, bound=False) for place in again]
    for place, answer in zip(again, check(asked) if asked else (), strict=True):
        given[place] = QPY, _good(answer, f"circuits[{place}]").qpy
    measuring = container.program != ESTIMATOR
    return [
        Source(str(number), *given[part.circuit], part.values or None, measured=measuring)
        for number, part in enumerate(parts)
    ]


def _checked(parts: Sequence[Part], check: Check, sources: Sequence[Source]) -> list[Checked]:
    found: list[Checked] = []
    size = 0
    for part, answer in zip(parts, check(sources), strict=False):
        found.append(_good(answer, str(part)))
        size += len(found[-1].qpy)
        if size > MAX_BYTES:
            raise CircuitError(
                f"The circuits of the job take more than {MAX_BYTES:,} bytes as QPY.",
                reason="TooLarge",
                hint="Spread the PUBs over several jobs.",
            )
    assert len(found) == len(parts), "a check answers until it refuses"
    return found


def _good(answer: Checked | Rejected, what: str) -> Checked:
    if isinstance(answer, Checked):
        return answer
    error = answer.error()
    raise CircuitError(f"{what}: {error.message}", reason=error.reason, hint=error.hint, **error.details)


def _refuse_unfit(container: Container, parts: Sequence[Part], checked: Sequence[Checked]) -> None:
    """An estimator measures by itself, in a register of its own."""
    for part, one in zip(parts, checked, strict=True):
        if one.analysis.measurements or one.analysis.clbits:
            raise CircuitError(
                f"circuits[{part.circuit}] measures, or has classical bits; an estimator measures its observables.",
                reason="EstimatorMeasures",
                hint="Take the measurements out: circuit.remove_final_measurements().",
            )
    widths = {part.circuit: one.analysis.qubits for part, one in zip(parts, checked, strict=True)}
    for number, pub in enumerate(container.pubs):
        assert pub.observables is not None, "parse() refuses an estimator's PUB without observables"
        letters = len(next(iter(pub.observables.terms[0])))
        if letters != widths[pub.circuit]:
            raise CircuitError(
                f"The observables of pubs[{number}] have {letters} letters; circuits[{pub.circuit}] has "
                f"{widths[pub.circuit]} qubits.",
                reason="InvalidObservable",
                hint="Give a letter for each qubit of the circuit, the last one for qubit 0.",
            )


class _Circuits:
    """The circuits that are run, each once: parts as they are, or measured in a basis."""

    def __init__(self, checked: Sequence[Checked], *, keep_extents: bool) -> None:
        self.made: list[bytes] = []
        self.kinds: list[int] = []
        self.analyses: list[Analysis] = []
        self.known: dict[tuple[int, str], int] = {}
        self._checked = checked
        self._keep_extents = keep_extents
        self._places: dict[str, int] = {}
        self._loaded: tuple[int, Any] = (-1, None)

    def place(self, part: int, basis: str = "") -> int:
        found = self.known.setdefault((part, basis), len(self.made))
        if found == len(self.made):
            data, analysis = self._make(part, basis)
            self.made.append(data)
            self.kinds.append(self._kind(analysis))
        return found

    def _make(self, part: int, basis: str) -> tuple[bytes, Analysis]:
        if not basis:
            return self._checked[part].qpy, self._checked[part].analysis
        from qtasks.circuits.analysis import analyse

        if self._loaded[0] != part:
            self._loaded = part, load_canonical(self._checked[part].qpy)
        circuit = measured(self._loaded[1], basis)
        return dump(circuit), analyse(circuit)

    def _kind(self, analysis: Analysis) -> int:
        if not self._keep_extents:  # they differ with every angle
            memory = {name: need for name, need in analysis.memory.items() if name != _EXTENDED}
            analysis = replace(analysis, memory=memory)
        found = self._places.setdefault(json.dumps(analysis.as_data(), sort_keys=True), len(self.analyses))
        if found == len(self.analyses):
            self.analyses.append(analysis)
        return found


def _prepared(pub: Pub, parts: Sequence[int], circuits: _Circuits) -> PreparedPub:
    points: tuple[tuple[Run, ...], ...]
    if pub.observables is None:
        points = tuple((Run(circuits.place(part), pub.shots),) for part in parts)
    else:
        points = tuple(
            tuple(Run(circuits.place(part, basis), pub.shots, basis) for basis in wanted)
            for part, wanted in zip(parts, bases_of(pub.observables, pub.shape), strict=True)
        )
    return PreparedPub(pub.shape, pub.shots, points, pub.observables, pub.precision)


def _fingerprint(prepared: Prepared, made_of: Sequence[Checked]) -> str:
    """`made_of`: for each circuit the checked one that it is, or was before it was measured."""
    circuits = [[one.fingerprint, one.analysis.registers] for one in made_of]
    said = [
        [
            pub.shape,
            pub.shots,
            [[[circuits[run.circuit], run.basis] for run in point] for point in pub.points],
            None if pub.observables is None else [pub.observables.terms, pub.observables.shape],
        ]
        for pub in prepared.pubs
    ]
    text = json.dumps([_VERSION, prepared.program, said], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
