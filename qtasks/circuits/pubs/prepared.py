"""A job of several circuits as it is run: every circuit checked, bound and measuring, and the PUBs they belong to.

It is kept where the canonical QPY of a single circuit is, in a form of its own, which only qtasks writes and reads.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import accumulate, pairwise
from typing import Any

from qtasks.circuits.analysis import Analysis
from qtasks.circuits.pubs.container import Observables
from qtasks.circuits.pubs.runs import Extent, extent_of
from qtasks.circuits.pubs.shapes import Shape

MAGIC = b"QTASKS-PUBS-1\n"
_LENGTH_BYTES = 4


@dataclass(frozen=True, slots=True)
class Run:
    """One circuit that is run so many times."""

    circuit: int
    shots: int
    basis: str = ""
    """Of an estimator: the letter that each qubit is measured in, qubit 0 last; `measured_qubits` says into which
    clbit."""


@dataclass(frozen=True, slots=True)
class PreparedPub:
    """A PUB: for each element of its array of values the runs that it takes."""

    shape: Shape
    shots: int
    points: tuple[tuple[Run, ...], ...]
    observables: Observables | None = None
    precision: float | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """Circuits as canonical QPY, ready to run, and what each is made of; circuits that are alike share an analysis."""

    program: str
    circuits: tuple[bytes, ...]
    kinds: tuple[int, ...]
    """For each circuit the place of its analysis."""
    analyses: tuple[Analysis, ...]
    pubs: tuple[PreparedPub, ...]

    def runs(self) -> list[Run]:
        """All runs in the order that seeds follow: by PUB, by point, by basis."""
        return [run for pub in self.pubs for point in pub.points for run in point]

    def extent(self) -> Extent:
        return extent_of([run.shots for run in self.runs()])

    def analysis(self, run: Run) -> Analysis:
        return self.analyses[self.kinds[run.circuit]]

    def largest(self) -> bytes:
        """The circuit with most gates on two qubits, and of those the longest: the one to judge a device by."""

        def length(place: int) -> tuple[int, int]:
            analysis = self.analyses[self.kinds[place]]
            return analysis.two_qubit_gates, analysis.expanded_size

        return self.circuits[max(range(len(self.circuits)), key=length)]


def dump(prepared: Prepared) -> bytes:
    """The bytes that `load` reads."""
    head = {
        "program": prepared.program,
        "sizes": [len(circuit) for circuit in prepared.circuits],
        "kinds": prepared.kinds,
        "analyses": [analysis.as_data() for analysis in prepared.analyses],
        "pubs": [_plain(pub) for pub in prepared.pubs],
    }
    text = json.dumps(head, sort_keys=True, separators=(",", ":")).encode()
    # Points of one circuit differ in a few bytes: the fastest level makes a tenth of them.
    body = zlib.compress(b"".join((len(text).to_bytes(_LENGTH_BYTES, "big"), text, *prepared.circuits)), 1)
    return MAGIC + body


def load(data: bytes) -> Prepared:
    """What `dump` wrote. **Never for bytes from outside.** Raises ValueError for other bytes."""
    if not data.startswith(MAGIC):
        raise ValueError("this is no job of several circuits")
    body = zlib.decompress(data[len(MAGIC) :])
    start = _LENGTH_BYTES + int.from_bytes(body[:_LENGTH_BYTES], "big")
    head = json.loads(body[_LENGTH_BYTES:start])
    ends = list(accumulate(head["sizes"], initial=start))
    return Prepared(
        head["program"],
        tuple(body[first:last] for first, last in pairwise(ends)),
        tuple(head["kinds"]),
        tuple(_analysis(analysis) for analysis in head["analyses"]),
        tuple(_pub(pub) for pub in head["pubs"]),
    )


def _plain(pub: PreparedPub) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "shape": pub.shape,
        "shots": pub.shots,
        "points": [[[run.circuit, run.basis] for run in point] for point in pub.points],
    }
    if pub.observables is not None:
        plain |= {"observables": asdict(pub.observables), "precision": pub.precision}
    return plain


def _pub(plain: Mapping[str, Any]) -> PreparedPub:
    shots = plain["shots"]
    given = plain.get("observables")
    return PreparedPub(
        tuple(plain["shape"]),
        shots,
        tuple(tuple(Run(circuit, shots, basis) for circuit, basis in point) for point in plain["points"]),
        None if given is None else Observables(tuple(given["terms"]), tuple(given["shape"])),
        plain.get("precision"),
    )


def _analysis(data: Mapping[str, Any]) -> Analysis:
    return Analysis(**{**data, "registers": [(name, size) for name, size in data["registers"]]})
