"""From a payload to runs and from counts to values, without a queue: exact where it must be."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp, Statevector, random_pauli_list

from qtasks.circuits import binding, formats
from qtasks.circuits.analysis import analyse
from qtasks.circuits.errors import CircuitError
from qtasks.circuits.fingerprint import fingerprint
from qtasks.circuits.formats import load_canonical
from qtasks.circuits.pubs import parse
from qtasks.circuits.pubs.expectation import expectations
from qtasks.circuits.pubs.portions import SOURCES, portions
from qtasks.circuits.pubs.prepared import Prepared, dump, load
from qtasks.circuits.pubs.preparing import prepare
from qtasks.circuits.sandbox.answers import Checked, Source
from tests.pubs.payloads import fixed, observables, payload, pub, qpy, turned


def read_here(sources: Sequence[Source]) -> Iterator[Checked]:
    """What the sandbox says of circuits that are ours."""
    for source in sources:
        circuit = binding.bind(formats.read(source.data, str(source.format)), source.parameters or {})
        yield Checked(source.id, formats.dump(circuit), analyse(circuit), fingerprint(circuit))


def prepared(program: str, code: str) -> tuple[Prepared, str]:
    return prepare(parse(code.encode(), program=program, shots=100), read_here)


VALUES = [[0.1, 0.2], [0.3, 0.4], [0.1, 0.2]]


def test_what_is_written_is_read_again() -> None:
    found, _ = prepared("sampler", payload([qpy(turned())], [pub(0, VALUES, ["a", "b"]), pub(0, VALUES, ["a", "b"])]))
    assert load(dump(found)) == found
    with pytest.raises(ValueError, match="no job of several"):
        load(found.circuits[0])


def test_a_circuit_with_the_same_values_is_checked_and_kept_once() -> None:
    found, _ = prepared("sampler", payload([qpy(turned())], [pub(0, VALUES, ["a", "b"]), pub(0, VALUES, ["a", "b"])]))
    assert len(found.circuits) == 2
    assert [run.circuit for run in found.runs()] == [0, 1, 0, 0, 1, 0]
    assert found.extent().shots == 600


def test_openqasm_is_read_once_however_many_points_it_has() -> None:
    seen: list[str | None] = []

    def check(sources: Sequence[Source]) -> Iterator[Checked]:
        seen.extend(source.format for source in sources)
        return read_here(sources)

    source = 'OPENQASM 3.0; include "stdgates.inc"; input float a; qubit q; bit c; rx(a) q; c = measure q;'
    code = payload([{"format": "qasm3", "code": source}], [pub(0, [[0.1], [0.2], [0.3]], ["a"])])
    prepare(parse(code.encode(), program="sampler", shots=1), check)
    assert seen == ["qasm3", "qpy", "qpy", "qpy"]


def test_the_fingerprint_tells_apart_what_gives_other_results() -> None:
    base = pub(0, VALUES, ["a", "b"])
    one = prepared("sampler", payload([qpy(turned())], [base]))[1]
    assert prepared("sampler", payload([qpy(turned())], [base]))[1] == one
    others = [
        payload([qpy(turned())], [{**base, "shots": 7}]),
        payload([qpy(turned())], [{**base, "shape": [3, 1]}]),
        payload([qpy(turned())], [pub(0, VALUES[1:] + VALUES[:1], ["a", "b"])]),
        payload([qpy(turned(3))], [base]),
    ]
    assert len({one, *(prepared("sampler", code)[1] for code in others)}) == 5


def test_points_of_one_circuit_share_an_analysis() -> None:
    code = payload(
        [qpy(turned(measured=False))], [pub(0, VALUES, ["a", "b"], observables=observables({"XX": 1, "ZZ": 1}))]
    )
    found, _ = prepared("estimator", code)
    assert (len(found.circuits), len(found.analyses)) == (4, 2)
    assert all(found.analysis(run).measurements == 2 for run in found.runs())


def simulated(found: Prepared) -> list[dict[str, int]]:
    """Counts that are exactly in proportion, of so many shots that nothing is lost."""
    counts = []
    for run in found.runs():
        circuit = load_canonical(found.circuits[run.circuit])
        clbits = [circuit.find_bit(step.qubits[0]).index for step in circuit.data if step.name == "measure"]
        state = Statevector.from_instruction(circuit.remove_final_measurements(inplace=False))
        shares = state.probabilities(clbits)
        counts.append({hex(place): round(share * 10**12) for place, share in enumerate(shares) if share > 1e-13})
    return counts


@pytest.mark.parametrize("seed", range(5))
def test_expectation_values_are_those_of_the_statevector(seed: int) -> None:
    rng = np.random.default_rng(seed)
    circuit = turned(3, measured=False)
    given = []
    for _ in range(4):
        labels = {label: float(rng.normal()) for label in random_pauli_list(3, 6, seed=rng, phase=False).to_labels()}
        given.append({**labels, "III": 2.0})
    rows = rng.uniform(-3, 3, (3, 2))
    code = payload([qpy(circuit)], [pub(0, rows, ["a", "b"], observables=observables(*given, shape=[4, 1]))])
    found, _ = prepared("estimator", code)
    evs, stds = expectations(found.pubs[0], simulated(found))
    wanted = [
        Statevector(circuit.assign_parameters(dict(zip("ab", row, strict=True))))
        .expectation_value(SparsePauliOp.from_list(list(terms.items())))
        .real
        for terms in given
        for row in rows
    ]
    assert evs == pytest.approx(wanted, abs=1e-9)
    assert all(math.isfinite(std) and std >= 0 for std in stds)


def test_the_identity_is_exact_and_standard_errors_are_qiskit_s() -> None:
    circuit = QuantumCircuit(2)
    circuit.h(0)
    given = observables({"II": 5.0}, {"IZ": 2.0, "ZI": 3.0, "II": 1.0}, shape=[2])
    found, _ = prepared("estimator", payload([qpy(circuit)], [pub(0, observables=given)]))
    evs, stds = expectations(found.pubs[0], [{"0x0": 60, "0x1": 40}])
    assert evs == [5.0, pytest.approx(1.0 + 3.0 + 2.0 * 0.2)]
    assert stds == [0.0, pytest.approx(2.0 * math.sqrt(1 - 0.2**2) / 10)]


def test_a_hundred_measured_qubits_are_read_as_well() -> None:
    circuit = QuantumCircuit(100)
    circuit.x(range(0, 100, 3))
    found, _ = prepared("estimator", payload([qpy(circuit)], [pub(0, observables=observables({"Z" * 100: 1.0}))]))
    outcome = sum(1 << qubit for qubit in range(0, 100, 3))
    assert expectations(found.pubs[0], [{hex(outcome): 100}]) == ([1.0], [0.0])


def test_a_job_whose_circuits_are_too_large_together_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qtasks.circuits.pubs.preparing.MAX_BYTES", 100)
    with pytest.raises(CircuitError) as caught:
        prepared("sampler", payload([qpy(fixed("1"))], [pub(0)]))
    assert caught.value.reason == "TooLarge"


def test_slow_circuits_together_have_about_the_time_of_one() -> None:
    sources = [Source(str(number), "qpy", b"x", {"a": 1.0}) for number in range(2 * SOURCES + 1)]
    found = list(portions(sources, 60.0))
    assert [len(some) for some, _ in found] == [SOURCES, SOURCES, 1]
    assert sum(len(some) * seconds for some, seconds in found) < 10 * 60
    with pytest.raises(CircuitError) as caught:
        list(portions(sources, 0.0))
    assert caught.value.reason == "ValidationTimeout"
