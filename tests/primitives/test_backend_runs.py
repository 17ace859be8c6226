"""`QTasksBackend` through a running queue, under everything of Qiskit's that takes a backend."""

from __future__ import annotations

import warnings

import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, transpile
from qiskit.primitives import BackendEstimatorV2, BackendSamplerV2
from qiskit.providers import JobStatus

from qtasks.client import Client
from qtasks.primitives import QTasksBackend
from tests.support.stack import Stack

pytestmark = pytest.mark.system

PERTH = {"type": "ibm_simulator", "name": "ibm_perth"}


def flipped(qubits: int, name: str) -> QuantumCircuit:
    """Its first qubit is 1, into a register of its own."""
    first, rest = ClassicalRegister(1, "first"), ClassicalRegister(qubits - 1, "rest")
    circuit = QuantumCircuit(QuantumRegister(qubits, "q"), first, rest, name=name, metadata={"qubits": qubits})
    circuit.x(0)
    circuit.measure(range(qubits), range(qubits))
    return circuit


def bell() -> QuantumCircuit:
    circuit = QuantumCircuit(2, name="bell")
    circuit.h(0)
    circuit.cx(0, 1)
    return circuit


def measured(circuit: QuantumCircuit) -> QuantumCircuit:
    found: QuantumCircuit = circuit.measure_all(inplace=False)
    return found


def test_a_list_of_circuits_is_one_job_with_a_result_for_each(client: Client) -> None:
    backend = QTasksBackend(client=client)
    job = backend.run([flipped(2, "two"), flipped(3, "three")], shots=40, memory=True)
    result = job.result(60)
    assert result.success
    assert result.job_id == job.job_id()
    assert result.get_counts("two") == {"0 1": 40}
    assert result.get_counts("three") == {"00 1": 40}
    assert result.get_memory("three") == ["00 1"] * 40
    assert job.status() is JobStatus.DONE
    again = backend.retrieve_job(job.job_id()).result(60)
    assert again.get_counts("three") == {"00 1": 40}
    assert again.results[1].header["metadata"] == {"qubits": 3}


def test_one_circuit_is_run_with_its_seed(client: Client) -> None:
    backend = QTasksBackend(client=client, seed_simulator=4)
    circuit = transpile(measured(bell()), backend)
    counts = backend.run(circuit, shots=100).result(60).get_counts()
    assert set(counts) == {"00", "11"}
    assert counts == backend.run(circuit, shots=100).result(60).get_counts()
    assert counts != backend.run(circuit, shots=100, seed_simulator=5).result(60).get_counts()


def test_compiled_circuits_stay_on_their_qubits(client: Client) -> None:
    backend = QTasksBackend(PERTH, client=client)
    circuit = transpile(measured(bell()), backend, initial_layout=[3, 5], optimization_level=1)
    job = backend.run(circuit, shots=300, seed_simulator=1)
    counts = job.result(60).get_counts()
    assert counts["00"] + counts["11"] > 200
    metrics = job.job.metrics()
    assert metrics["two_qubit_gates"] == 1
    assert metrics["transpiled_depth"] == circuit.depth()


def test_qiskits_backend_primitives_run_unchanged(client: Client) -> None:
    backend = QTasksBackend(client=client)
    sampled = BackendSamplerV2(backend=backend, options={"seed_simulator": 3}).run([measured(bell())], shots=50)
    assert set(sampled.result()[0].data.meas.get_counts()) == {"00", "11"}
    estimator = BackendEstimatorV2(backend=backend, options={"default_precision": 0.05})
    values = estimator.run([(bell(), ["ZZ", "XX", "ZI"])]).result()[0].data.evs
    assert abs(values[:2] - 1).max() < 0.01
    assert abs(values[2]) < 0.3


def test_ibms_sampler_runs_unchanged(client: Client) -> None:
    with warnings.catch_warnings():
        # Deprecated since 0.50 for one that simulates on its own, whatever the backend.
        warnings.simplefilter("ignore", DeprecationWarning)
        from qiskit_ibm_runtime import SamplerV2

        backend = QTasksBackend(PERTH, client=client)
        sampler = SamplerV2(mode=backend)
        circuit = transpile(measured(bell()), backend, initial_layout=[0, 1])
        counts = sampler.run([circuit], shots=200).result()[0].data.meas.get_counts()
    assert sum(counts.values()) == 200
    assert counts["00"] + counts["11"] > 140


def test_an_option_without_effect_is_said(client: Client) -> None:
    with pytest.warns(UserWarning, match="rep_delay"):
        QTasksBackend(client=client).run(measured(bell()), shots=5, rep_delay=1).cancel()


def test_the_programs_own_client_goes_where_the_settings_say(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    from qtasks.primitives import clients
    from qtasks.settings import settings

    for name, value in stack.settings.environment().items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    clients._client.cache_clear()
    try:
        backend = QTasksBackend()
        job = backend.run(measured(bell()), shots=5)
        assert sum(job.result(60).get_counts().values()) == 5
        assert QTasksBackend().client is backend.client
        backend.client.close()
    finally:
        clients._client.cache_clear()
        monkeypatch.undo()
        settings.cache_clear()
