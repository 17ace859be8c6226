"""Sessions at IBM Quantum, with the real client library over a real socket: shared, and never left running."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from qtasks.client import Client
from qtasks.client.job import Job
from qtasks.errors import JobFailed
from qtasks.lifecycle import Phase
from qtasks.resources import QiskitSession
from tests.support.ibm.sessions import Session
from tests.support.ibm_server import IBMServer
from tests.support.remote import account, write_accounts
from tests.support.servers import Postgres, Redis, eventually
from tests.support.stack import Stack, own_namespace, shared_stack

pytestmark = pytest.mark.system

BELL = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; h q[0]; cx q[0],q[1]; measure q -> c;'


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, redis_server: Redis
) -> Iterator[tuple[Stack, IBMServer]]:
    folder = tmp_path_factory.mktemp("sessions")
    with IBMServer(devices=("lagos", "fez")) as server:
        values = write_accounts(
            folder,
            account("lab", "ibm", server.account()),
            account("free", "ibm", {**server.account(), "plan": "open"}),
            secrets={"ibm": server.secret()},
        )
        values |= {"poll_seconds": 0.3, "poll_longest_seconds": 1.0, "session_idle_seconds": 2.0}
        values |= {"reconcile_seconds": 1.0, "lease_seconds": 3.0, "heartbeat_seconds": 0.5, "doubt_seconds": 2.0}
        with shared_stack(folder, postgres, redis_server, 11, concurrency=2, **values) as stack:
            stack.control()
            yield stack, server


@pytest.fixture
def ibm(shared: tuple[Stack, IBMServer]) -> Iterator[IBMServer]:
    server = shared[1]
    yield server
    server.release()


@pytest.fixture
def client(shared: tuple[Stack, IBMServer]) -> Client:
    return shared[0].client(own_namespace())


def submit(client: Client, account: str | None = "lab", device: str | None = "ibm_lagos", **session: Any) -> Job:
    backend = {"type": "ibm_quantum", "account": account, "name": device}
    spec = {
        "backend": {name: value for name, value in backend.items() if value is not None},
        "circuit": {"source": "inline", "code": BELL},
        "execution": {"shots": 100},
        "session": {"name": "vqe", **session},
    }
    return client.submit({"apiVersion": "quantum.io/v1", "kind": "QiskitJob", "spec": spec})


def provider_session(ibm: IBMServer, job: Job) -> Session:
    """The session that a job was handed over to."""
    found = eventually(lambda: ibm.tagged(f"qtasks-{job.job_id()}-1"), seconds=60, what="a job at IBM")
    assert len(found) == 1
    return ibm.sessions[found[0].session_id]


def phase(client: Client) -> str:
    return str(client.session("vqe")["status"]["phase"])


def closes(client: Client, opened: Session) -> dict[str, Any]:
    """The session's status once it is closed, there and here."""
    eventually(lambda: not opened.accepting, seconds=30, what="a session being closed at IBM")
    eventually(lambda: phase(client) in ("Closed", "Deleted"), what="that being noted")
    status: dict[str, Any] = client.session("vqe")["status"]
    return status


@pytest.mark.parametrize("mode", ["dedicated", "batch"])
def test_two_jobs_share_a_session_that_is_closed_when_it_is_idle(ibm: IBMServer, client: Client, mode: str) -> None:
    before = len(ibm.sessions)
    ibm.hold()
    jobs = [submit(client, mode=mode, maxTime="20m") for _ in range(2)]
    opened = [provider_session(ibm, job) for job in jobs]
    assert opened[0] is opened[1] and len(ibm.sessions) == before + 1
    assert (opened[0].mode, opened[0].max_seconds, opened[0].backend) == (mode, 1200, "ibm_lagos")
    status = client.session("vqe")["status"]
    assert (status["phase"], status["providerSessionId"], status["openJobs"]) == ("Open", opened[0].id, 2)
    ibm.release()
    for job in jobs:
        assert job.result(timeout=60).provenance.session == opened[0].id
    assert closes(client, opened[0])["message"] == "It had no job for 2 s."


def test_a_session_is_closed_after_everything_was_killed(shared: tuple[Stack, IBMServer], client: Client) -> None:
    stack, ibm = shared
    ibm.hold()
    job = submit(client)
    opened = provider_session(ibm, job)
    for process in stack.processes:
        process.kill()
    ibm.release()
    stack.worker(concurrency=2)
    stack.control()
    assert job.result(timeout=60).provenance.session == opened.id
    closes(client, opened)


def test_a_session_whose_time_is_over_is_closed_and_the_next_job_has_a_new_one(ibm: IBMServer, client: Client) -> None:
    ibm.hold()
    first = submit(client, maxTime=1)
    opened = provider_session(ibm, first)
    (running,) = ibm.tagged(f"qtasks-{first.job_id()}-1")
    assert opened.accepting
    ibm.start(running.id)
    assert closes(client, opened)["message"] == "It was open for 1 s, as long as it may be."
    second = submit(client)
    assert provider_session(ibm, second) is not opened
    ibm.finish(running.id)
    ibm.release()
    for job in (first, second):
        job.result(timeout=60)


def test_a_deleted_session_is_closed_and_its_waiting_jobs_fail(ibm: IBMServer, client: Client) -> None:
    backend = {"type": "ibm_quantum", "name": "ibm_lagos", "account": "lab"}
    declared = QiskitSession(metadata={"name": "vqe"}, spec={"backend": backend, "maxTime": "10m", "mode": "batch"})
    assert client.apply_session(declared) == "created"
    ibm.hold()
    inside = submit(client)
    opened = provider_session(ibm, inside)
    assert (opened.mode, opened.max_seconds) == ("batch", 600)
    assert client.delete_session("vqe")["status"]["phase"] in ("Closing", "Deleted")
    waiting = submit(client)
    with pytest.raises(JobFailed, match="was deleted") as failed:
        waiting.result(timeout=60)
    assert failed.value.reason == "SessionClosed"
    assert closes(client, opened)["phase"] == "Deleted"
    ibm.release()
    inside.result(timeout=60)


def test_a_job_that_names_no_account_and_no_device_follows_its_session(ibm: IBMServer, client: Client) -> None:
    ibm.hold()
    jobs = [submit(client, device="ibm_fez")]
    opened = provider_session(ibm, jobs[0])
    jobs.append(submit(client, account=None, device=None))
    assert provider_session(ibm, jobs[1]) is opened and opened.backend == "ibm_fez"
    ibm.release()
    for job in jobs:
        job.result(timeout=60)


def test_jobs_that_come_at_once_and_name_no_device_share_one_session(ibm: IBMServer, client: Client) -> None:
    before = len(ibm.sessions)
    ibm.hold()
    jobs = [submit(client, device=None) for _ in range(6)]
    assert len({provider_session(ibm, job).id for job in jobs}) == 1
    assert len(ibm.sessions) == before + 1
    ibm.release()
    for job in jobs:
        job.result(timeout=60)


def test_a_session_that_ibm_closed_costs_a_job_no_attempt(ibm: IBMServer, client: Client) -> None:
    ibm.hold()
    first = submit(client)
    opened = provider_session(ibm, first)
    with ibm.lock:
        opened.close(datetime.now(UTC))
    second = submit(client)
    assert provider_session(ibm, second) is not opened
    ibm.release()
    for job in (first, second):
        assert job.result(timeout=60).provenance.attempt == 1


def test_sessions_are_refused_on_the_open_plan_and_say_why(ibm: IBMServer, client: Client) -> None:
    job = submit(client, account="free")
    with pytest.raises(JobFailed, match="burn the plan's 10 minutes") as failed:
        job.result(timeout=60)
    assert failed.value.reason == "SessionsNotOnOpenPlan"
    assert job.status() is Phase.FAILED


def test_a_local_simulator_says_that_a_session_is_without_effect(client: Client) -> None:
    spec = {"circuit": {"source": "inline", "code": BELL}, "session": {"name": "vqe"}}
    job = client.submit({"apiVersion": "quantum.io/v1", "kind": "QiskitJob", "spec": spec})
    job.result(timeout=60)
    (scheduled,) = [one for one in job.to_dict()["status"]["conditions"] if one["type"] == "Scheduled"]
    assert "Without effect there, in this version: spec.session." in scheduled["message"]
