"""Real circuits through the queue: exactly the counts of Aer run directly, in every form a circuit comes in."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, qasm3, qpy
from qiskit.transpiler import StagedPassManager, generate_preset_pass_manager
from qiskit_aer import AerSimulator

from qtasks.circuits.analysis import analyse, automatic_method
from qtasks.client import Client
from qtasks.errors import JobFailed
from qtasks.lifecycle import Phase
from tests.support.circuits import BELL_QASM, BELL_SOURCE, bell, small_qasm
from tests.support.house import House
from tests.support.servers import eventually
from tests.support.stack import Stack

pytestmark = pytest.mark.system

CIRCUITS = sorted((Path(__file__).parents[1] / "data" / "circuits").glob("*.qasm"))
INVALID = "vqe_uccsd_n4"


@pytest.fixture
def client(house: House) -> Client:
    house.workers(2)
    return house.client()


def directly(
    circuit: QuantumCircuit, *, seed: int, level: int = 1, shots: int = 1024, **options: object
) -> dict[str, int]:
    """The counts of Aer by itself: same level, method, seed and shots. Before it runs it is told what it will do."""
    simulator = AerSimulator(**options)
    compiled = pass_manager(level, **options).run(circuit)
    predicted = analyse(compiled)
    result = simulator.run(compiled, shots=shots, seed_simulator=seed).result()
    said = result.results[0].metadata
    assert options or (automatic_method(predicted), predicted.active_qubits) == (said["method"], said["num_qubits"])
    return dict(result.get_counts())


@cache
def pass_manager(level: int, **options: object) -> StagedPassManager:
    """What transpiles; it takes longer to make than most of these circuits to run."""
    return generate_preset_pass_manager(level, AerSimulator(**options))


def test_the_suite_gives_exactly_the_counts_of_aer_alone(client: Client) -> None:
    valid = [path for path in CIRCUITS if path.stem != INVALID]
    assert len(valid) == 21
    jobs = {path: client.submit(path, seed_simulator=42) for path in valid}
    for path, job in jobs.items():
        assert job.result(120).get_counts() == directly(QuantumCircuit.from_qasm_file(str(path)), seed=42), path.stem


@pytest.mark.parametrize("level", [0, 2, 3])
def test_other_levels_do_too(client: Client, level: int) -> None:
    chosen = [path for path in CIRCUITS if path.stem in ("qft_n4", "ipea_n2", "teleportation_n3", "adder_n10")]
    jobs = {path: client.submit(path, seed_simulator=7, optimization_level=level) for path in chosen}
    for path, job in jobs.items():
        expected = directly(QuantumCircuit.from_qasm_file(str(path)), seed=7, level=level)
        assert job.result(60).get_counts() == expected, path.stem


@pytest.mark.parametrize("method", ["statevector", "density_matrix", "matrix_product_state", "stabilizer"])
def test_methods_are_honoured(client: Client, method: str) -> None:
    job = client.submit(bell(), seed_simulator=3, method=method)
    assert job.result(60).get_counts() == directly(bell(), seed=3, method=method)
    assert job.metrics()["method"] == method


def test_the_invalid_one_is_refused_with_its_line_and_column(client: Client) -> None:
    job = client.submit(next(path for path in CIRCUITS if path.stem == INVALID))
    with pytest.raises(JobFailed) as failure:
        job.result(60)
    assert failure.value.reason == "InvalidCircuit"
    assert "line 225, column 8" in failure.value.message


def test_one_circuit_in_every_form_gives_one_hash_and_one_result(client: Client) -> None:
    buffer = io.BytesIO()
    qpy.dump(bell(), buffer)
    forms = [bell(), BELL_QASM, BELL_SOURCE, buffer.getvalue(), qasm3.dumps(bell())]
    results = [client.submit(form, seed_simulator=42).result(60) for form in forms]
    assert len({result.provenance.circuit_hash for result in results}) == 1
    assert [result.get_counts() for result in results] == [directly(bell(), seed=42)] * len(forms)


def test_batched_counts_are_those_each_circuit_has_alone(client: Client) -> None:
    jobs = client.submit_many([small_qasm(number) for number in range(120)])
    for number, job in enumerate(jobs):
        result = job.result(60)
        seed = result.provenance.seed_simulator
        assert seed is not None
        assert result.get_counts() == directly(QuantumCircuit.from_qasm_str(small_qasm(number)), seed=seed)


def test_batched_circuits_keep_the_seeds_they_asked_for(client: Client) -> None:
    jobs = client.submit_many([small_qasm(number) for number in range(40)], seed_simulator=42)
    for number, job in enumerate(jobs):
        assert job.result(60).get_counts() == directly(QuantumCircuit.from_qasm_str(small_qasm(number)), seed=42)


def test_registers_mid_circuit_measurement_and_control_flow_are_right(client: Client) -> None:
    first, second = ClassicalRegister(2, "first"), ClassicalRegister(1, "second")
    circuit = QuantumCircuit(QuantumRegister(3), first, second)
    circuit.h(0)
    circuit.measure(0, first[0])
    with circuit.if_test((first[0], 1)):
        circuit.x(1)
    circuit.measure(1, first[1])
    circuit.x(2)
    circuit.measure(2, second[0])
    result = client.submit(circuit, seed_simulator=5).result(60)
    counts = result.get_counts()
    assert set(counts) == {"1 00", "1 11"}
    assert counts == directly(circuit, seed=5)
    assert set(result.to_primitive_result()[0].data) == {"first", "second"}


def test_a_layout_is_honoured(client: Client) -> None:
    circuit = QuantumCircuit(3, 3)
    circuit.x(0)
    circuit.measure(range(3), range(3))
    result = client.submit(circuit, initial_layout=[2, 0, 1], seed_simulator=1).result(60)
    assert result.get_counts() == {"001": 1024}


def test_a_circuit_too_large_for_its_limit_is_refused_with_the_estimate_before_it_starts(client: Client) -> None:
    circuit = QuantumCircuit(40)
    for qubit in range(40):
        circuit.h(qubit)
        circuit.t(qubit)
    for qubit in range(39):
        circuit.cx(qubit, qubit + 1)
    circuit.measure_all()
    with pytest.raises(JobFailed, match=r"40 qubits .* 16\.0 TiB, more than execution\.memoryLimit, 8Gi") as failure:
        client.submit(circuit, memory_limit="8Gi").result(60)
    assert failure.value.reason == "MemoryLimitExceeded"


def test_a_hundred_qubit_ghz_state_runs(client: Client) -> None:
    circuit = QuantumCircuit(100)
    circuit.h(0)
    for qubit in range(99):
        circuit.cx(qubit, qubit + 1)
    circuit.measure_all()
    result = client.submit(circuit, memory_limit="1Gi", seed_simulator=1).result(60)
    assert set(result.get_counts()) == {"0" * 100, "1" * 100}
    assert result.provenance.method == "stabilizer"


def test_a_job_no_worker_can_hold_waits_and_says_so(
    make_stack: Callable[..., Stack], postgres_url: str, redis_url: str
) -> None:
    stack = make_stack(database_url=postgres_url, broker_url=redis_url, worker_memory="64Mi")
    stack.worker()
    client = stack.client()
    circuit = QuantumCircuit(26)
    for qubit in range(26):
        circuit.rx(0.3, qubit)
    for qubit in range(25):
        circuit.cx(qubit, qubit + 1)
    circuit.measure_all()
    job = client.submit(circuit)

    def postponed() -> bool:
        return any(entry["reason"] == "ResourceConstraints" for entry in job.to_dict()["status"]["conditions"])

    eventually(postponed, what="ResourceConstraints")
    assert job.status() is Phase.PENDING
    [scheduled] = [entry for entry in job.to_dict()["status"]["conditions"] if entry["type"] == "Scheduled"]
    assert "takes about 1.0 GiB; the largest worker has 64 MiB" in scheduled["message"]
