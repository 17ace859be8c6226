"""Classes of workers: jobs by size in queues of their own, what they ask for of a pod, and who writes outputs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from qtasks.client import Client, Job
from qtasks.lifecycle import Phase
from qtasks.settings import Settings
from qtasks.store import Store
from tests.support.circuits import BELL_SOURCE, heavy
from tests.support.servers import Postgres, Redis, eventually
from tests.support.stack import Stack, own_namespace

pytestmark = pytest.mark.system

SIZES = """
workers:
  small: {memory: 1Gi, cpu: 1}
  large: {memory: 8Gi, cpu: 2}
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, redis_server: Redis) -> Iterator[Stack]:
    """One that knows how large its classes are, and of which only the small one runs at first."""
    folder = tmp_path_factory.mktemp("classes")
    config = folder / "config.yaml"
    config.write_text(SIZES)
    settings = Settings(
        home=folder / "home",
        database_url=postgres.migrated(),
        broker_url=f"{redis_server.url.removesuffix('/0')}/5",
        config=config,
        configmaps_dir=folder / "configmaps",
        deliver_at_once=False,
    )
    found = Stack(settings, folder)
    try:
        found.ready(found.run("worker", "--queues", "validation,scheduling,execution", "--concurrency", "1"))
        yield found
    finally:
        found.close()


@pytest.fixture
def client(stack: Stack) -> Client:
    found = stack.client(own_namespace())
    (stack.settings.configmaps / found.namespace).mkdir(parents=True)
    return found


def spec(**more: Any) -> dict[str, Any]:
    circuit = {"source": "inline", "code": BELL_SOURCE}
    execution = {"shots": 100, "seedSimulator": 7}
    whole = {"backend": {"type": "local_simulator"}, "circuit": circuit, "execution": execution, **more}
    return {"apiVersion": "quantum.io/v1", "kind": "QiskitJob", "metadata": {"name": "classed"}, "spec": whole}


def condition(job: Job, kind: str) -> dict[str, Any]:
    return next(known for known in job.to_dict()["status"]["conditions"] if known["type"] == kind)


def test_a_job_waits_for_its_class_of_which_none_runs_and_goes_on_when_one_does(stack: Stack, client: Client) -> None:
    job = client.submit(heavy(21, 1), shots=10)
    store = Store(stack.settings.database, pool_size=1)

    def queued() -> dict[str, int]:
        with store.read() as tx:
            return {row.queue: int(row.queued) for row in tx.execute(text("SELECT queue, queued FROM autoscaling"))}

    eventually(lambda: queued() == {"execution.large": 1}, seconds=30, what="a job in the queue of its class")
    assert job.status() is Phase.SCHEDULING
    small = client.submit(spec())
    assert small.wait_for_final_state(30) is Phase.COMPLETED
    assert job.status() is Phase.SCHEDULING
    stack.ready(stack.run("worker", "--queues", "execution.large", "--concurrency", "1"))
    assert job.wait_for_final_state(60) is Phase.COMPLETED
    assert queued() == {}
    store.close()


def test_what_a_job_asks_of_its_pod_is_honoured_or_refused(client: Client) -> None:
    limited = spec(resources={"limits": {"cpu": "1", "memory": "4Gi", "ephemeral-storage": "1Gi"}})
    job = client.submit(limited)
    assert job.wait_for_final_state(30) is Phase.COMPLETED
    said = condition(job, "Scheduled")["message"]
    assert said.endswith("Without effect there, in this version: spec.resources.limits.ephemeral-storage.")

    greedy = client.submit(heavy(21, 1), shots=10, name="greedy", memory_limit="1Mi")
    assert greedy.wait_for_final_state(30) is Phase.FAILED
    tight = spec(resources={"limits": {"memory": "1Ki"}})
    tight["metadata"]["name"] = "tight"
    refused = client.submit(tight)
    assert refused.wait_for_final_state(30) is Phase.FAILED
    status = refused.to_dict()["status"]
    assert status["reason"] == "MemoryLimitExceeded"
    assert "more than resources.limits.memory, 1Ki" in status["message"]

    wide = spec(resources={"requests": {"cpu": "64"}})
    wide["metadata"]["name"] = "wide"
    waiting = client.submit(wide)
    eventually(lambda: waiting.status() is Phase.PENDING and waiting.to_dict()["status"].get("reason"), seconds=30)
    status = waiting.to_dict()["status"]
    assert status["reason"] == "ResourceConstraints"
    assert "asks for 64 cores" in status["message"]


def test_a_security_context_is_compared_with_what_confines_the_worker(client: Client) -> None:
    asked = {"runAsUser": 54321, "runAsNonRoot": False}
    job = client.submit(spec(securityContext=asked))
    assert job.wait_for_final_state(30) is Phase.COMPLETED
    said = condition(job, "Scheduled")["message"]
    assert "Without effect there, in this version: spec.securityContext.runAsUser." in said


def test_outputs_are_left_to_the_worker_that_has_a_way_out(stack: Stack, client: Client) -> None:
    job = client.submit(spec(output={"type": "configmap", "location": "counts"}))
    assert job.wait_for_final_state(30) is Phase.COMPLETED
    kept = stack.settings.configmaps / client.namespace / "counts" / "results"
    assert not kept.exists()
    stack.control()
    eventually(kept.exists, seconds=40, what="the output")
    eventually(lambda: condition(job, "OutputDelivered")["status"] == "True", seconds=10)
