"""Who goes first: one worker with one process, and more work than it can do at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from qtasks.client import Job
from tests.support.circuits import heavy, small_qasm
from tests.support.servers import eventually
from tests.support.stack import Stack

pytestmark = pytest.mark.system


def order_of(jobs: dict[str, Job], reason: str) -> list[str]:
    """The jobs' names in the order in which `reason` happened to them."""
    numbered = []
    for name, job in jobs.items():
        [event] = [e for e in job._client.events(job.job_id()) if e["reason"] == reason]
        numbered.append((event["id"], name))
    return [name for _, name in sorted(numbered)]


def test_urgent_overtakes_within_a_stage(quick_stack: Stack) -> None:
    client = quick_stack.client()
    jobs = {
        f"{priority}-{number}": client.submit(heavy(18, 2), shots=10, priority=priority)
        for number in range(2)
        for priority in ("low", "normal", "high", "urgent")
    }
    quick_stack.worker()
    client.wait(list(jobs.values()), timeout=120)
    levels = [name.partition("-")[0] for name in order_of(jobs, "Validating")]
    assert levels == ["urgent"] * 2 + ["high"] * 2 + ["normal"] * 2 + ["low"] * 2


def test_urgent_overtakes_across_stages(quick_stack: Stack) -> None:
    client = quick_stack.client()
    jobs = {f"normal-{number}": client.submit(heavy(18, 2), shots=10) for number in range(4)}
    earlier = quick_stack.worker("validation,scheduling")
    eventually(
        lambda: all(job.to_dict()["status"].get("backend") for job in jobs.values()), what="all jobs being scheduled"
    )
    earlier.stop()
    jobs["urgent"] = client.submit(small_qasm(1), priority="urgent")
    quick_stack.worker()
    client.wait(list(jobs.values()), timeout=120)
    assert order_of(jobs, "Running")[0] == "urgent"


def test_urgent_overtakes_a_batch_that_would_carry_on(quick_stack: Stack) -> None:
    client = quick_stack.client()
    quick_stack.worker()
    jobs = {"first": client.submit(heavy(20, 20), shots=10)}
    eventually(lambda: jobs["first"].running(), what="the worker being busy")
    jobs["normal"] = client.submit(heavy(18, 2), shots=10)
    jobs["low"] = client.submit(small_qasm(2), priority="low")
    jobs["urgent"] = client.submit(small_qasm(1), priority="urgent")
    client.wait(list(jobs.values()), timeout=120)
    assert order_of(jobs, "Running") == ["first", "urgent", "normal", "low"]


def test_one_tenants_backlog_does_not_block_anothers_next_job(
    make_stack: Callable[..., Stack], postgres_url: str, redis_url: str
) -> None:
    stack = make_stack(database_url=postgres_url, broker_url=redis_url, batch_size=1, worker_threads=1)
    client = stack.client()
    crowd = client.submit_many([small_qasm(number) for number in range(40)], namespace="crowd")
    lone = client.submit(small_qasm(99), namespace="lone")
    stack.worker()
    client.wait([*crowd, lone], timeout=120)
    everyone = {job.name: job for job in [*crowd, lone]}
    assert order_of(everyone, "Running").index(lone.name) <= 2
