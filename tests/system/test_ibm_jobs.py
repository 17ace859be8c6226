"""Jobs at IBM Quantum, with the real client library over a real socket: submitted once, polled politely, never lost."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from qtasks.client import Client
from qtasks.client.job import Job
from qtasks.lifecycle import Phase
from qtasks.store import provider_jobs
from tests.support import insides
from tests.support.ibm_server import IBMServer
from tests.support.processes import pool_processes
from tests.support.remote import account, remote_stack, write_accounts
from tests.support.servers import Postgres, Redis, eventually
from tests.support.stack import Process, Stack, own_namespace

pytestmark = pytest.mark.system

BELL = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; h q[0]; cx q[0],q[1]; measure q -> c;'
POST_JOB = r"/jobs$"
RESULTS = r"/jobs/[^/]+/results$"


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, redis_server: Redis
) -> Iterator[tuple[Stack, IBMServer]]:
    folder = tmp_path_factory.mktemp("ibm")
    with IBMServer(devices=("lagos",)) as server:
        values = write_accounts(
            folder,
            account("lab", "ibm", server.account()),
            account("tight", "ibm", server.account(), allowance={"quantumSeconds": 1, "days": 28}),
            secrets={"ibm": server.secret()},
        )
        with remote_stack(folder, postgres, redis_server, 8, pollers=2, doubt_seconds=3.0, **values) as stack:
            yield stack, server


@pytest.fixture
def ibm(shared: tuple[Stack, IBMServer]) -> Iterator[IBMServer]:
    server = shared[1]
    yield server
    server.clear_faults()
    server.release()


@pytest.fixture
def stack(shared: tuple[Stack, IBMServer]) -> Stack:
    return shared[0]


@pytest.fixture
def client(stack: Stack) -> Client:
    return stack.client(own_namespace())


def submit(client: Client, **more: Any) -> Job:
    return client.submit(BELL, shots=100, backend={"type": "ibm_quantum", "account": "lab"}, **more)


def made(ibm: IBMServer, job: Job, attempt: int = 1) -> list[Any]:
    return ibm.tagged(f"qtasks-{job.job_id()}-{attempt}")


def executor(stack: Stack) -> Process:
    return stack.processes[0]


def poller(stack: Stack) -> Process:
    return stack.processes[1]


def kill_pool(worker: Process) -> None:
    for pid in pool_processes(worker):
        os.kill(pid, signal.SIGKILL)


def in_queue(ibm: IBMServer, job: Job) -> str:
    return str(eventually(lambda: made(ibm, job), seconds=60, what="a job at IBM")[0].id)


def reasons(client: Client, job: Job) -> list[str]:
    return [event["reason"] for event in client.events(job.job_id())]


def attempts(client: Client, job: Job) -> list[Any]:
    """What the queue knows of the job's attempts at its provider."""
    with insides.store(client).read() as tx:
        return provider_jobs.all_of(tx, job.job_id())


def completed(ibm: IBMServer, job: Job) -> Any:
    """The job completes with one provider job."""
    result = job.result(timeout=90)
    assert sum(result.get_counts().values()) == 100
    (one,) = made(ibm, job)
    assert result.provenance.provider_job_id == one.id
    return result


def test_a_job_runs_at_its_provider_and_says_where_it_came_from(stack: Stack, ibm: IBMServer, client: Client) -> None:
    job = submit(client, labels={"team": "chem"})
    result = completed(ibm, job)
    (one,) = made(ibm, job)
    assert {"qtasks", "team:chem"} <= set(one.tags)
    provenance = result.provenance
    assert (provenance.provider, provenance.account, provenance.backend) == ("ibm_quantum", "lab", "ibm_lagos")
    assert provenance.quantum_seconds == pytest.approx(one.quantum_seconds)
    assert provenance.cost is not None and provenance.cost > 0
    objects = insides.objects(client)
    assert objects.get(provenance.isa_circuit).startswith(b"QISKIT")
    assert b"last_update_date" in objects.get(provenance.calibration)


def test_the_provider_s_id_is_known_while_the_job_waits(ibm: IBMServer, client: Client) -> None:
    ibm.hold()
    job = submit(client)
    provider_job_id = in_queue(ibm, job)
    (row,) = eventually(
        lambda: [one for one in attempts(client, job) if one.provider_job_id], what="the id being noted"
    )
    assert row.provider_job_id == provider_job_id
    assert job.status() is Phase.RUNNING
    ibm.release()
    completed(ibm, job)


def test_a_worker_killed_during_the_submission_leaves_one_provider_job(
    stack: Stack, ibm: IBMServer, client: Client
) -> None:
    ibm.latency(POST_JOB, 1.5)
    job = submit(client)
    eventually(lambda: "Submitting" in reasons(client, job), what="an intent")
    kill_pool(executor(stack))
    completed(ibm, job)


def test_a_worker_killed_before_the_submission_leaves_one_provider_job(
    stack: Stack, ibm: IBMServer, client: Client
) -> None:
    job = submit(client)
    eventually(lambda: "Running" in reasons(client, job), what="a claim")
    kill_pool(executor(stack))
    completed(ibm, job)


def test_a_worker_killed_after_the_submission_leaves_one_provider_job(
    stack: Stack, ibm: IBMServer, client: Client
) -> None:
    ibm.hold()
    job = submit(client)
    in_queue(ibm, job)
    kill_pool(executor(stack))
    eventually(lambda: "Submitted" in reasons(client, job), seconds=60, what="the id being noted")
    ibm.release()
    completed(ibm, job)


@pytest.mark.parametrize("status", [None, 502])
def test_an_answer_that_was_lost_after_the_job_was_created_makes_no_second_job(
    ibm: IBMServer, client: Client, status: int | None
) -> None:
    ibm.fault("POST", POST_JOB, status=status, when="after")
    completed(ibm, submit(client))


def test_a_submission_that_was_not_carried_out_is_tried_again(ibm: IBMServer, client: Client) -> None:
    ibm.fault("POST", POST_JOB, status=503, when="before")
    completed(ibm, submit(client))


def test_tokens_that_expire_in_the_middle_are_exchanged_anew(ibm: IBMServer, client: Client) -> None:
    ibm.hold()
    job = submit(client)
    in_queue(ibm, job)
    ibm.expire_tokens()
    ibm.release()
    completed(ibm, job)
    ibm.expire_tokens()
    completed(ibm, submit(client))


@pytest.mark.parametrize("retry_after", [None, 2])
def test_a_provider_that_asks_for_patience_gets_it(ibm: IBMServer, client: Client, retry_after: int | None) -> None:
    ibm.hold()
    job = submit(client)
    in_queue(ibm, job)
    ibm.throttle(retry_after=retry_after)
    ibm.release()
    completed(ibm, job)


def test_a_provider_that_is_down_for_a_while_costs_no_attempt(ibm: IBMServer, client: Client) -> None:
    ibm.hold()
    job = submit(client)
    in_queue(ibm, job)
    ibm.down()
    before = ibm.count()
    eventually(lambda: ibm.count() >= before + 3, what="pollers that were refused")
    assert job.status() is Phase.RUNNING
    ibm.clear_faults()
    ibm.release()
    assert completed(ibm, job).provenance.attempt == 1


def test_a_poller_killed_between_fetch_and_store_stores_one_result(
    stack: Stack, ibm: IBMServer, client: Client
) -> None:
    fetched = ibm.count("GET", RESULTS)
    job = submit(client)
    eventually(lambda: ibm.count("GET", RESULTS) > fetched, seconds=60, what="a result being fetched")
    kill_pool(poller(stack))
    completed(ibm, job)
    assert reasons(client, job).count("Completed") == 1


def test_two_pollers_fetch_each_result_once(ibm: IBMServer, client: Client) -> None:
    ibm.hold()
    jobs = client.submit_many([BELL] * 6, shots=100, backend={"type": "ibm_quantum", "account": "lab"})
    for job in jobs:
        in_queue(ibm, job)
    before = ibm.count("GET", RESULTS)
    ibm.release()
    client.wait(jobs, timeout=90)
    assert {job.status() for job in jobs} == {Phase.COMPLETED}
    assert ibm.count("GET", RESULTS) - before == len(jobs)


def test_a_job_cancelled_while_queued_is_cancelled_at_its_provider(ibm: IBMServer, client: Client) -> None:
    ibm.hold()
    job = submit(client)
    in_queue(ibm, job)
    assert job.cancel()
    eventually(lambda: made(ibm, job)[0].status == "Cancelled", what="a cancellation at IBM")
    assert job.status() is Phase.CANCELLED


def test_a_job_cancelled_while_running_is_cancelled_and_billed_what_it_used(ibm: IBMServer, client: Client) -> None:
    ibm.hold()
    job = submit(client)
    ibm.start(in_queue(ibm, job))
    (one,) = made(ibm, job)
    one.quantum_seconds = 2.0
    assert job.cancel()
    eventually(lambda: one.status == "Cancelled", what="a cancellation at IBM")
    (row,) = eventually(lambda: [row for row in attempts(client, job) if row.settled], what="the settlement")
    assert (row.state, row.quantum_seconds) == ("cancelled", 2.0)
    status = client.describe(job.job_id())["status"]
    assert (status["phase"], status["cost"]) == ("Cancelled", "$1.60")  # two seconds at $48 a minute


def test_lost_failed_and_cancelled_elsewhere_are_told_apart(ibm: IBMServer, client: Client) -> None:
    ibm.hold()
    resource = {
        "apiVersion": "quantum.io/v1",
        "kind": "QiskitJob",
        "spec": {
            "backend": {"type": "ibm_quantum", "account": "lab"},
            "circuit": {"source": "inline", "code": BELL},
            "retryPolicy": {"maxRetries": 0},
        },
    }
    lost, failed, cancelled = client.submit_many([resource] * 3)
    ids = {job: in_queue(ibm, job) for job in (lost, failed, cancelled)}
    eventually(lambda: all("Submitted" in reasons(client, job) for job in ids), what="ids being noted")
    ibm.lose(ids[lost])
    ibm.fail(ids[failed], "Backend went offline during execution", 1517)
    ibm.cancel_elsewhere(ids[cancelled])
    client.wait([lost, failed, cancelled], timeout=60)
    said = {job: client.describe(job.job_id())["status"] for job in ids}
    assert [said[job]["phase"] for job in ids] == ["Failed", "Failed", "Cancelled"]
    assert [said[job]["reason"] for job in ids] == ["ProviderJobLost", "ProviderJobFailed", "CancelledAtProvider"]
    assert "Backend went offline during execution" in said[failed]["message"]


def test_a_failed_job_that_may_heal_is_submitted_again_with_the_same_isa_circuit(
    ibm: IBMServer, client: Client
) -> None:
    ibm.fail_next("Backend went offline during execution", 1517)
    resource = {
        "apiVersion": "quantum.io/v1",
        "kind": "QiskitJob",
        "spec": {
            "backend": {"type": "ibm_quantum", "account": "lab"},
            "circuit": {"source": "inline", "code": BELL},
            "retryPolicy": {"maxRetries": 1, "backoff": {"initial": "1s", "maximum": "1s"}},
        },
    }
    job = client.submit(resource)
    assert job.wait_for_final_state(timeout=90) is Phase.COMPLETED
    assert [len(made(ibm, job, attempt)) for attempt in (1, 2, 3)] == [1, 1, 0]
    first, second = attempts(client, job)
    assert insides.objects(client).get(first.isa_key) == insides.objects(client).get(second.isa_key)
    assert first.calibration == second.calibration
    # What compiling took is measured anew each time that it is done.
    assert first.compiled["seconds"] == second.compiled["seconds"] > 0


def test_an_account_whose_allowance_is_used_up_keeps_its_jobs_and_says_when_it_frees(
    ibm: IBMServer, client: Client
) -> None:
    backend = {"type": "ibm_quantum", "account": "tight"}
    first = client.submit(BELL, shots=4000, backend=backend)
    assert first.wait_for_final_state(timeout=90) is Phase.COMPLETED
    job = client.submit(BELL, shots=100, backend=backend)

    def refused() -> Any:
        conditions = client.describe(job.job_id())["status"].get("conditions", [])
        return next((c for c in conditions if c["reason"] == "AllowanceExhausted"), None)

    condition = eventually(refused, seconds=60, what="the allowance being used up")
    assert job.status() is Phase.SCHEDULING
    (used,) = attempts(client, first)
    assert f"{used.finished_at + timedelta(days=28):%Y-%m-%d}" in condition["message"]
    assert not made(ibm, job)
    job.cancel()
