"""Jobs of several circuits at providers, with the real client libraries over real sockets: one provider job for all.
And what a killed worker leaves of one, there and here."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, transpile

from qtasks.client import Client, Job
from qtasks.errors import JobFailed, NotFound
from qtasks.lifecycle import Phase
from qtasks.primitives import QTasksBackend
from qtasks.results import EstimatorPubResult
from tests.pubs.payloads import exact, fixed, job, observables, payload, pub, qpy, turned
from tests.support import insides
from tests.support.braket_server import BraketServer
from tests.support.ibm_server import IBMServer
from tests.support.processes import pool_processes
from tests.support.remote import account, remote_stack, write_accounts
from tests.support.servers import Postgres, Redis, eventually
from tests.support.stack import Stack, own_namespace

pytestmark = pytest.mark.system

QUICK = {"lease_seconds": 3.0, "heartbeat_seconds": 0.5}
LAB = {"type": "ibm_quantum", "account": "lab"}
POST_JOB = r"/jobs$"
TERMS = [{"ZZ": 1.0, "XX": 0.5}, {"IZ": 2.0, "YY": -0.7}]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[tuple[Stack, IBMServer]]:
    folder = tmp_path_factory.mktemp("pubs-ibm")
    redis = Redis(folder)
    redis.start()
    with IBMServer(devices=("lagos",)) as ibm, BraketServer() as braket, pytest.MonkeyPatch.context() as environment:
        for name, value in braket.environment(keys=False).items():
            environment.setenv(name, value)
        values = write_accounts(
            folder,
            account("lab", "ibm", ibm.account()),
            account("braket", "aws", braket.account()),
            secrets={"ibm": ibm.secret(), "aws": braket.secret()},
        )
        with remote_stack(folder, postgres, redis, 0, doubt_seconds=2.0, **QUICK, **values) as stack:
            yield stack, ibm
    redis.stop()


@pytest.fixture
def stack(servers: tuple[Stack, IBMServer]) -> Stack:
    return servers[0]


@pytest.fixture
def ibm(servers: tuple[Stack, IBMServer]) -> Iterator[IBMServer]:
    yield servers[1]
    servers[1].clear_faults()
    servers[1].release()


@pytest.fixture
def client(stack: Stack) -> Client:
    return stack.client(own_namespace())


def made(ibm: IBMServer, work: Job) -> list[Any]:
    return ibm.tagged(f"qtasks-{work.job_id()}-1")


def kill_pool(stack: Stack) -> None:
    for pid in pool_processes(stack.processes[0]):
        os.kill(pid, signal.SIGKILL)


def overlapping() -> QuantumCircuit:
    """Two registers that share a clbit, and a clbit of no register; the outcome is c=01, d=10, loose 1."""
    from qiskit.circuit import Clbit

    bits = [Clbit() for _ in range(4)]
    circuit = QuantumCircuit(QuantumRegister(4), bits)
    circuit.add_register(ClassicalRegister(name="c", bits=bits[:2]))
    circuit.add_register(ClassicalRegister(name="d", bits=bits[1:3]))
    for qubit in (0, 2, 3):
        circuit.x(qubit)
    circuit.measure(range(4), range(4))
    return circuit


def sampled(client: Client, **more: Any) -> Job:
    code = payload(
        [qpy(fixed("01")), qpy(overlapping()), qpy(turned())],
        [pub(0), pub(1), pub(2, np.zeros((2, 3, 2)), ["a", "b"])],
    )
    return client.submit(job("sampler", code, backend=LAB, shots=100, **more))


def is_whole(work: Job) -> None:
    result = work.result(90)
    assert result.get_counts(0) == {"01": 100}
    assert result.get_counts(1) == {"1 10 01": 100}
    assert result.pubs[2].shape == (2, 3)  # type: ignore[union-attr]
    assert result.get_counts(2, (1, 2)) == {"00": 100}


def test_many_pubs_are_one_provider_job(ibm: IBMServer, client: Client) -> None:
    work = sampled(client)
    is_whole(work)
    (one,) = made(ibm, work)
    provenance = work.result().provenance
    assert provenance.provider_job_id == one.id
    assert provenance.quantum_seconds == pytest.approx(1 + 8 * 100 / 4096)
    assert provenance.estimated_quantum_seconds == pytest.approx(2 + 8 * 100 * 250e-6, rel=0.1)


def test_expectation_values_of_a_device_lie_around_the_exact_ones(ibm: IBMServer, client: Client) -> None:
    rows = np.random.default_rng(8).uniform(-3, 3, (5, 2))
    code = payload(
        [qpy(turned(measured=False))],
        [pub(0, rows, ["a", "b"], observables=observables(*TERMS, shape=[2, 1]), precision=0.03)],
    )
    work = client.submit(job("estimator", code, backend=LAB))
    (entry,) = work.result(90).pubs
    assert isinstance(entry, EstimatorPubResult)
    wanted = [[exact(turned(measured=False), {"a": a, "b": b}, terms) for a, b in rows] for terms in TERMS]
    assert (np.abs(np.array(entry.evs) - wanted) <= 5 * np.array(entry.stds) + 1e-9).all()
    assert len(made(ibm, work)) == 1


def test_a_device_of_a_provider_is_a_backend_that_qiskit_compiles_for(client: Client) -> None:
    where = {**LAB, "name": "ibm_lagos"}
    # Whoever ran a job there has had the account visited.
    backend = QTasksBackend(where, client=client)
    circuit = QuantumCircuit(3)
    circuit.h(0)
    circuit.cx(0, 2)
    circuit.measure_all()

    def compiled() -> QuantumCircuit | None:
        with suppress(NotFound):
            return transpile(circuit, backend, optimization_level=1, seed_transpiler=1)
        return None

    isa = eventually(compiled, seconds=60, what="the device's target being known")
    assert backend.target.num_qubits == 7 and isa.num_qubits == 7
    assert set(isa.count_ops()) <= {"rz", "sx", "x", "cx", "measure", "barrier"}
    counts = backend.run(isa, shots=200).result().get_counts()
    assert sum(counts.values()) == 200


def test_a_worker_killed_while_it_submits_leaves_one_provider_job(stack: Stack, ibm: IBMServer, client: Client) -> None:
    ibm.latency(POST_JOB, 1.5)
    work = sampled(client)
    eventually(lambda: any(event["reason"] == "Submitting" for event in client.events(work.job_id())), what="an intent")
    kill_pool(stack)
    is_whole(work)
    assert len(made(ibm, work)) == 1


def test_a_worker_killed_while_it_simulates_takes_nothing_with_it(stack: Stack, client: Client) -> None:
    values = np.random.default_rng(3).uniform(-3, 3, (1500, 2))
    code = payload([qpy(turned(4))], [pub(0, values, ["a", "b"], shots=1000)])
    work = client.submit(job("sampler", code, seedSimulator=1))
    eventually(lambda: work.status() is Phase.RUNNING, seconds=60, what="a simulation")
    kill_pool(stack)
    entry = work.result(90).pubs[0]
    assert insides.row(work).takeovers >= 1
    last = turned(4).assign_parameters(dict(zip("ab", values[-1], strict=True)))
    alone = client.submit(last, shots=1000, seed_simulator=1 + 2113 * 1499)
    assert entry.get_counts(1499) == alone.result(60).get_counts()  # type: ignore[union-attr]


def test_different_shots_are_refused_before_anything_is_sent(ibm: IBMServer, client: Client) -> None:
    code = payload([qpy(fixed("1"))], [pub(0, shots=10), pub(0, shots=20)])
    work = client.submit(job("sampler", code, backend=LAB))
    with pytest.raises(JobFailed) as caught:
        work.result(60)
    assert caught.value.reason == "ShotsDiffer"
    assert "the same shots" in str(caught.value)
    assert not made(ibm, work)


BENCH = {"type": "aws_braket", "account": "braket", "name": "SV1"}


def test_braket_takes_one_circuit_a_task(client: Client) -> None:
    code = payload([qpy(fixed("1"))], [pub(0), pub(0, shots=20)])
    with pytest.raises(JobFailed) as caught:
        client.submit(job("sampler", code, backend=BENCH)).result(60)
    assert caught.value.reason == "OneCircuitPerTask"
    assert "a job of its own" in str(caught.value)


def test_braket_runs_a_job_of_one_run(client: Client) -> None:
    circuit = QuantumCircuit(2)
    circuit.x(0)
    code = payload([qpy(circuit)], [pub(0, observables=observables({"ZZ": 2.0, "IZ": 1.0}))])
    (entry,) = client.submit(job("estimator", code, backend=BENCH, shots=100)).result(90).pubs
    assert isinstance(entry, EstimatorPubResult)
    assert (entry.evs, entry.stds) == (-3.0, 0.0)
