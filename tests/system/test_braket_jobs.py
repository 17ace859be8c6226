"""Jobs at AWS Braket, with the real client libraries over real sockets and a real S3 protocol server."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from qtasks.client import Client
from qtasks.client.job import Job
from qtasks.lifecycle import Phase
from tests.support import insides
from tests.support.braket_server import SV1, BraketServer
from tests.support.processes import pool_processes
from tests.support.remote import account, remote_stack, write_accounts
from tests.support.servers import Postgres, Redis, eventually
from tests.support.stack import Stack, own_namespace

pytestmark = pytest.mark.system

BELL = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; h q[0]; cx q[0],q[1]; measure q -> c;'
CREATE = r"/quantum-task$"


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, redis_server: Redis
) -> Iterator[tuple[Stack, BraketServer]]:
    folder = tmp_path_factory.mktemp("braket")
    with BraketServer() as server:
        values = write_accounts(
            folder, account("cloud", "aws", server.account("cloud")), secrets={"aws": server.secret()}
        )
        with pytest.MonkeyPatch.context() as patch:
            # S3's and STS's addresses have no place in an account: the libraries' own variables say where they are.
            for name, value in server.environment(keys=False).items():
                patch.setenv(name, value)
            with remote_stack(folder, postgres, redis_server, 15, **values) as stack:
                yield stack, server


@pytest.fixture
def braket(shared: tuple[Stack, BraketServer]) -> Iterator[BraketServer]:
    server = shared[1]
    yield server
    server.clear_faults()
    server.release()


@pytest.fixture
def stack(shared: tuple[Stack, BraketServer]) -> Stack:
    return shared[0]


@pytest.fixture
def client(stack: Stack) -> Client:
    return stack.client(own_namespace())


def submit(client: Client, **more: Any) -> Job:
    return client.submit(BELL, shots=100, backend={"type": "aws_braket", "name": SV1}, **more)


def made(braket: BraketServer, job: Job) -> list[Any]:
    return [task for task in braket.tasks if task.tag == f"qtasks-{job.job_id()}-1"]


def completed(braket: BraketServer, job: Job) -> Any:
    result = job.result(timeout=90)
    assert sum(result.get_counts().values()) == 100
    (one,) = made(braket, job)
    assert result.provenance.provider_job_id == one.arn
    return result


def kill_pool(stack: Stack) -> None:
    for pid in pool_processes(stack.processes[0]):
        os.kill(pid, signal.SIGKILL)


def test_a_job_runs_on_a_braket_simulator_and_is_billed(braket: BraketServer, client: Client) -> None:
    job = submit(client)
    result = completed(braket, job)
    assert set(result.get_counts()) == {"00", "11"}
    provenance = result.provenance
    assert (provenance.provider, provenance.account, provenance.backend) == ("aws_braket", "cloud", SV1)
    assert provenance.cost is not None and provenance.cost > 0
    assert b"OPENQASM 3" in insides.objects(client).get(provenance.isa_circuit)


def test_registers_and_partial_measurements_come_back_as_they_were_written(
    braket: BraketServer, client: Client
) -> None:
    code = (
        'OPENQASM 2.0; include "qelib1.inc"; qreg q[3]; creg a[2]; creg b[2]; '
        "x q[0]; x q[2]; measure q[2] -> a[1]; measure q[0] -> b[0]; measure q[1] -> a[0];"
    )
    job = client.submit(code, shots=10, backend={"type": "aws_braket", "name": SV1})
    assert job.result(timeout=90).get_counts() == {"01 10": 10}


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_worker_killed_around_the_provider_s_call_leaves_one_task(
    stack: Stack, braket: BraketServer, client: Client, when: str
) -> None:
    gate = braket.gate("POST", CREATE, when=when)
    job = submit(client)
    gate.wait()
    kill_pool(stack)
    gate.open()
    completed(braket, job)


@pytest.mark.parametrize("answer", [{"drop": True}, {"status": 502}])
def test_an_answer_that_was_lost_makes_no_second_task(
    braket: BraketServer, client: Client, answer: dict[str, Any]
) -> None:
    braket.fault("POST", CREATE, when="after", **answer)
    completed(braket, submit(client))


def test_a_task_cancelled_by_its_user_is_cancelled_at_aws(braket: BraketServer, client: Client) -> None:
    braket.hold()
    job = submit(client)
    eventually(lambda: made(braket, job), seconds=60, what="a task")
    assert job.cancel()
    eventually(lambda: made(braket, job)[0].status in ("CANCELLED", "CANCELLING"), what="a cancellation at AWS")
    assert job.status() is Phase.CANCELLED


def test_a_task_that_failed_says_why_in_the_provider_s_words(braket: BraketServer, client: Client) -> None:
    braket.hold()
    resource = {
        "apiVersion": "quantum.io/v1",
        "kind": "QiskitJob",
        "spec": {
            "backend": {"type": "aws_braket", "name": SV1},
            "circuit": {"source": "inline", "code": BELL},
            "retryPolicy": {"maxRetries": 0},
        },
    }
    job = client.submit(resource)
    task = eventually(lambda: made(braket, job), seconds=60, what="a task")[0]
    braket.fail(task.arn, "The laser went out.")
    assert job.wait_for_final_state(timeout=60) is Phase.FAILED
    assert "The laser went out" in client.describe(job.job_id())["status"]["message"]
