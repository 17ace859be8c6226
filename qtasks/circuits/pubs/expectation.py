"""Expectation values and their standard errors, from the counts of measured bases."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from qtasks.circuits.pubs import shapes
from qtasks.circuits.pubs.container import Observables
from qtasks.circuits.pubs.observables import measured_qubits, serves
from qtasks.circuits.pubs.prepared import PreparedPub

Counts = Mapping[str, int]
"""Outcomes in hexadecimal, bit 0 is clbit 0; by how often they came."""


def expectations(pub: PreparedPub, counts: Iterable[Counts]) -> tuple[list[float], list[float]]:
    """Expectation values and standard errors of a PUB, in C order of its broadcast shape. `counts`: of its runs, in
    their order.

    As Qiskit's BackendEstimatorV2: an observable Σ cᵢ·Pᵢ has the value Σ cᵢ·⟨Pᵢ⟩ and the standard error
    Σ |cᵢ|·√(1 - ⟨Pᵢ⟩²) / √shots, which is an upper bound: terms of one basis may err together. ⟨I⟩ is exactly 1.
    """
    given = pub.observables
    assert given is not None, "only an estimator's PUB has expectation values"
    whole = shapes.broadcast(pub.shape, given.shape)
    assert whole is not None, "parse() refuses shapes that do not fit"
    pairs = list(zip(shapes.places(pub.shape, whole), shapes.places(given.shape, whole), strict=True))
    asked: list[set[int]] = [set() for _ in pub.points]
    for point, observable in pairs:
        asked[point].add(observable)
    left = iter(counts)
    reader = _Reader(given)
    known = [
        reader.terms([(run.basis, next(left)) for run in point], frozenset(wanted))
        for point, wanted in zip(pub.points, asked, strict=True)
    ]
    evs, stds = [], []
    for point, observable in pairs:
        terms, values = given.terms[observable], known[point]
        evs.append(math.fsum(weight * values[label] for label, weight in terms.items()))
        spread = math.fsum(abs(weight) * math.sqrt(1 - values[label] ** 2) for label, weight in terms.items())
        stds.append(spread / math.sqrt(pub.shots))
    return evs, stds


class _Reader:
    """Reads terms from counts; which term is read from which basis is found out once for all points alike."""

    def __init__(self, given: Observables) -> None:
        self._given = given
        self._known: dict[tuple[tuple[str, ...], frozenset[int]], list[tuple[list[str], Any]]] = {}

    def terms(self, measured: Sequence[tuple[str, Counts]], wanted: frozenset[int]) -> dict[str, float]:
        """The mean of each term of the observables at these places."""
        bases = tuple(basis for basis, _ in measured)
        if (bases, wanted) not in self._known:
            self._known[bases, wanted] = self._spread(bases, wanted)
        found: dict[str, float] = {}
        for (_, counts), (labels, touched) in zip(measured, self._known[bases, wanted], strict=True):
            if labels:
                found |= zip(labels, _means(counts, touched), strict=True)
        return found

    def _spread(self, bases: Sequence[str], wanted: Iterable[int]) -> list[tuple[list[str], Any]]:
        """For each basis the terms that are read from it, the first that serves, and which clbits each touches."""
        import numpy as np

        left = sorted({label for place in wanted for label in self._given.terms[place]})
        found = []
        for basis in bases:
            qubits = measured_qubits(basis)
            mine = [label for label in left if serves(basis, label)]
            found.append(
                (mine, np.array([[label[-1 - qubit] != "I" for qubit in qubits] for label in mine], np.float32))
            )
            left = [label for label in left if not serves(basis, label)]
        assert not left, "every term has a basis that it can be read from"
        return found


def _means(counts: Counts, touched: Any) -> list[float]:
    """The mean of (-1)^parity over the shots, for the parity of the bits that each term touches (terms x clbits)."""
    import numpy as np

    clbits = touched.shape[1]
    width = (clbits + 7) // 8
    raw = b"".join(int(outcome, 16).to_bytes(width, "little") for outcome in counts)
    rows = np.frombuffer(raw, np.uint8).reshape(len(counts), width)
    bits = np.unpackbits(rows, axis=1, bitorder="little", count=clbits).astype(np.float32)
    # Sums of ones and zeros are exact in float32 up to 2^24.
    parity = (bits @ touched.T).astype(np.int64) & 1
    times = np.fromiter(counts.values(), np.int64, len(counts))
    return [float(mean) for mean in (times @ (1 - 2 * parity)) / times.sum()]
