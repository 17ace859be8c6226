"""Aer as a backend: what it would trip over, run nevertheless."""

from __future__ import annotations

import pytest
from qiskit import QuantumCircuit

from qtasks.backends.aer import AerBackend
from qtasks.backends.protocol import BackendError, Program, Ran
from qtasks.backends.threads import Cores
from qtasks.circuits.formats import dump


@pytest.fixture(scope="module")
def aer(tmp_path_factory: pytest.TempPathFactory) -> AerBackend:
    return AerBackend(Cores(tmp_path_factory.mktemp("cores"), 1))


def program(circuit: QuantumCircuit, method: str = "automatic", *, seed: int | None = 7) -> Program:
    return Program("job", dump(circuit), 100, method, method, 1, seed_simulator=seed)


def counts(outcome: Ran | BackendError) -> dict[str, int]:
    assert isinstance(outcome, Ran), outcome
    return dict(outcome.counts)


def measured_in_a_block() -> QuantumCircuit:
    """Aer takes qubit 1, which no measurement at the top needs, out of it, and then cannot jump over the block."""
    circuit = QuantumCircuit(2, 2)
    with circuit.if_test((circuit.clbits[0], 0)):
        circuit.x(1)
        circuit.measure(1, 1)
    return circuit


def test_qubits_that_a_block_alone_measures_are_simulated_and_harm_no_neighbour(aer: AerBackend) -> None:
    ordinary = QuantumCircuit(1, 1)
    ordinary.x(0)
    ordinary.measure(0, 0)
    first, second, third = aer.run([program(c, seed=None) for c in (ordinary, measured_in_a_block(), ordinary)])
    assert counts(first) == counts(third) == {"0x1": 100}
    assert counts(second) == {"0x2": 100}


def test_aer_alone_cannot_load_such_a_circuit() -> None:
    """When it can, `enable_truncation` may be left to it."""
    from qiskit_aer import AerSimulator

    result = AerSimulator().run(measured_in_a_block(), shots=10).result()
    assert "Invalid jump destination" in result.status


@pytest.mark.parametrize("method", ["matrix_product_state", "stabilizer"])
def test_a_hundred_qubits_of_which_most_are_idle(aer: AerBackend, method: str) -> None:
    circuit = QuantumCircuit(100, 2)
    circuit.x(97)
    circuit.cx(97, 99)
    circuit.measure([97, 99], [0, 1])
    assert counts(aer.run([program(circuit, method)])[0]) == {"0x3": 100}


def test_a_hundred_entangled_qubits_as_a_matrix_product_state(aer: AerBackend) -> None:
    circuit = QuantumCircuit(100)
    circuit.h(0)
    for qubit in range(99):
        circuit.cx(qubit, qubit + 1)
    circuit.measure_all()
    assert {int(k, 16) for k in counts(aer.run([program(circuit, "matrix_product_state")])[0])} == {0, 2**100 - 1}
