"""Who goes first: one worker with one process, and more work than it can do at once."""

from __future__ import annotations

import pytest

from qtasks.client import Job
from tests.support.circuits import heavy, small_qasm
from tests.support.house import House
from tests.support.servers import eventually
from tests.support.stack import own_namespace

pytestmark = pytest.mark.system


def order_of(jobs: dict[str, Job], reason: str) -> list[str]:
    """The jobs' names in the order in which `reason` happened to them."""
    numbered = []
    for name, job in jobs.items():
        [event] = [e for e in job._client.events(job.job_id()) if e["reason"] == reason]
        numbered.append((event["id"], name))
    return [name for _, name in sorted(numbered)]


def test_urgent_overtakes_within_a_stage(house: House) -> None:
    house.workers(1)
    client = house.client()
    with house.paused():
        jobs = {
            f"{priority}-{number}": client.submit(heavy(18, 2), shots=10, priority=priority)
            for number in range(2)
            for priority in ("low", "normal", "high", "urgent")
        }
    client.wait(list(jobs.values()), timeout=120)
    levels = [name.partition("-")[0] for name in order_of(jobs, "Validating")]
    assert levels == ["urgent"] * 2 + ["high"] * 2 + ["normal"] * 2 + ["low"] * 2


def test_urgent_overtakes_across_stages(house: House) -> None:
    house.workers(1)
    client = house.client()
    with house.paused():
        earlier = house.stack.worker("validation,scheduling")
        jobs = {f"normal-{number}": client.submit(heavy(18, 2), shots=10) for number in range(4)}
        eventually(
            lambda: all(job.to_dict()["status"].get("backend") for job in jobs.values()),
            what="all jobs being scheduled",
        )
        earlier.stop()
        jobs["urgent"] = client.submit(small_qasm(1), priority="urgent")
    client.wait(list(jobs.values()), timeout=120)
    assert order_of(jobs, "Running")[0] == "urgent"


def test_urgent_overtakes_a_batch_that_would_carry_on(house: House) -> None:
    house.workers(1)
    client = house.client()
    jobs = {"first": client.submit(heavy(20, 20), shots=10)}
    eventually(lambda: jobs["first"].running(), what="the worker being busy")
    jobs["normal"] = client.submit(heavy(18, 2), shots=10)
    jobs["low"] = client.submit(small_qasm(2), priority="low")
    jobs["urgent"] = client.submit(small_qasm(1), priority="urgent")
    client.wait(list(jobs.values()), timeout=120)
    assert order_of(jobs, "Running") == ["first", "urgent", "normal", "low"]


def test_one_tenants_backlog_does_not_block_anothers_next_job(house: House) -> None:
    client = house.client()
    with house.paused():
        crowd = client.submit_many([small_qasm(number) for number in range(40)], namespace=own_namespace())
        lone = client.submit(small_qasm(99), namespace=own_namespace())
        worker = house.stack.worker(QTASKS_BATCH_SIZE="1")
        client.wait([*crowd, lone], timeout=120)
        worker.stop()
    everyone = {job.name: job for job in [*crowd, lone]}
    assert order_of(everyone, "Running").index(lone.name) <= 2
