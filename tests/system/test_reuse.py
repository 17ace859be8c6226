"""With `execution.reuse: identical` a stored result answers an identical job; any other job runs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister

from qtasks.client import Client, Job
from qtasks.objects import open_store
from qtasks.results import JobResult
from tests.support import insides
from tests.support.circuits import BELL_SOURCE, bell
from tests.support.servers import Postgres, Redis
from tests.support.stack import Stack, own_namespace, shared_stack

pytestmark = pytest.mark.system

EXECUTION = {"seed_simulator": 42, "shots": 500}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, redis_server: Redis) -> Iterator[Stack]:
    """One worker for all of these tests; each is in a namespace of its own."""
    folder = tmp_path_factory.mktemp("reuse")
    with shared_stack(folder, postgres, redis_server, 6, simulator_rate=Decimal("0.5")) as stack:
        yield stack


@pytest.fixture
def client(stack: Stack) -> Client:
    return stack.client(own_namespace())


def submit(client: Client, circuit: Any, **changes: Any) -> Job:
    return client.submit(circuit, **{**EXECUTION, "reuse": "identical", **changes})


def ran(job: Job) -> bool:
    job.result(60)
    return bool(job.to_dict()["status"].get("attempts"))


def condition(job: Job, kind: str) -> dict[str, str]:
    return next(found for found in job.to_dict()["status"]["conditions"] if found["type"] == kind)


def stored(job: Job) -> Any:
    return insides.row(job)


def test_an_identical_job_takes_the_stored_result_and_says_whose(client: Client) -> None:
    first = client.submit(bell(), **EXECUTION)
    original = first.result(60)
    job = submit(client, BELL_SOURCE)
    result: JobResult = job.result(60)
    assert not ran(job)
    assert result.job_id == job.job_id()
    assert result.get_counts() == original.get_counts()
    assert result.provenance.reused_from == first.job_id()
    assert result.provenance.completion_time == original.provenance.completion_time
    executed = condition(job, "Executed")
    assert (executed["status"], executed["reason"]) == ("True", "Reused")
    assert first.name in executed["message"] and first.job_id() in executed["message"]
    reasons = [event["reason"] for event in client.events(job.job_id())]
    assert reasons[-2:] == ["Reused", "Completed"]
    assert "Running" not in reasons
    status = job.to_dict()["status"]
    assert (status["phase"], status["cost"]) == ("Completed", "$0.00")
    assert status["counts"] == first.to_dict()["status"]["counts"]
    assert job.metrics()["reused_from"] == first.job_id()
    assert stored(first).cost_micros > 0
    assert stored(job).result_key != stored(first).result_key

    # The second generation names the job that ran.
    third = submit(client, bell())
    assert third.result(60).provenance.reused_from == first.job_id()
    # Without asking for it, a job runs.
    assert ran(client.submit(bell(), **EXECUTION))


def test_a_job_that_differs_in_anything_that_matters_runs(client: Client) -> None:
    client.submit(bell(), **EXECUTION).result(60)
    other = QuantumCircuit(QuantumRegister(2), ClassicalRegister(2, "other"))
    other.h(0)
    other.cx(0, 1)
    other.measure([0, 1], [0, 1])
    angled = bell()
    angled.rz(0.1, 0)
    jobs = {
        "shots": submit(client, bell(), shots=501),
        "seed": submit(client, bell(), seed_simulator=43),
        "no seed": submit(client, bell(), seed_simulator=None),
        "level": submit(client, bell(), optimization_level=2),
        "method": submit(client, bell(), method="density_matrix"),
        "layout": submit(client, bell(), initial_layout=[1, 0]),
        "transpiler": submit(client, bell(), seed_transpiler=1),
        "namespace": submit(client, bell(), namespace="other"),
        "registers": submit(client, other),
        "circuit": submit(client, angled),
    }
    assert {what for what, job in jobs.items() if ran(job)} == set(jobs)
    # What does not change a result does not stand in the way: one of them ran with these options by now.
    assert not ran(submit(client, bell(), priority="high", labels={"again": "yes"}, memory_limit="1Gi"))
    assert not ran(submit(client, bell(), seed_simulator=43))
    assert not ran(submit(client, bell(), seed_simulator=None))


def test_a_stored_result_that_is_gone_or_damaged_is_not_reused(client: Client, stack: Stack) -> None:
    objects = open_store(stack.settings.object_store)
    first = client.submit(bell(), **EXECUTION)
    counts = first.result(60).get_counts()
    kept = objects.get(stored(first).result_key)
    objects.put(stored(first).result_key, kept.replace(b'"0x0"', b'"0x1"'))
    again = submit(client, bell())
    assert again.result(60).get_counts() == counts
    assert ran(again)
    objects.delete(stored(first).result_key)
    objects.delete(stored(again).result_key)
    assert ran(submit(client, bell()))


def test_a_reused_result_is_the_jobs_own_and_is_delivered_as_any_other(client: Client, stack: Stack) -> None:
    objects = open_store(stack.settings.object_store)
    first = client.submit(bell(), **EXECUTION)
    first.result(60)
    job = client.submit(
        {
            "apiVersion": "quantum.io/v1",
            "kind": "QiskitJob",
            "metadata": {"name": "delivered", "namespace": client.namespace},
            "spec": {
                "circuit": {"source": "inline", "code": BELL_SOURCE + "# " + "x" * 20_000},
                "execution": {"seedSimulator": 42, "shots": 500, "reuse": "identical"},
                "output": {"type": "configmap", "location": "bell-result"},
            },
        }
    )
    job.result(60)
    assert not ran(job)
    objects.delete(stored(first).result_key)
    row = stored(job)
    data = objects.get(row.result_key, row.result_offset, row.result_length)
    assert hashlib.sha256(data).hexdigest() == row.result_sha256
    assert job.result(1).provenance.reused_from == first.job_id()
    client.submit("OPENQASM 2.0;").wait_for_final_state(60)  # aftercare of the one before is over by then
    assert condition(job, "OutputDelivered")["status"] == "True"
    assert list((stack.settings.configmaps / client.namespace / "bell-result").iterdir())
    assert objects.exists(f"completed/{client.namespace}/{job.job_id()}/input.py")
    assert not list(objects.list(f"pending/{client.namespace}/"))


def test_identical_jobs_of_one_batch_are_answered_one_by_one(client: Client) -> None:
    first = client.submit(bell(), **EXECUTION)
    counts = first.result(60).get_counts()
    jobs = client.submit_many([bell()] * 20, **EXECUTION, reuse="identical")
    assert [job.result(60).get_counts() for job in jobs] == [counts] * 20
    assert not any(ran(job) for job in jobs)
    assert len({stored(job).result_key for job in jobs}) == 20
