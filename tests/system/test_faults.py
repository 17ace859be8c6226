"""What breaks in production, broken here: each time, every good job ends exactly once Completed."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable

import pytest
from sqlalchemy import func, select

from qtasks.client import Client, Job
from qtasks.lifecycle import Phase, Queue
from qtasks.queue import Hint, Publisher
from qtasks.store.tables import attempts, events, results
from tests.support import insides
from tests.support.circuits import BELL_QASM, bell, crashing, heavy, middling, small_qasm
from tests.support.house import House
from tests.support.processes import pool_processes
from tests.support.servers import Postgres, eventually
from tests.support.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("watched")]


def running(job: Job) -> None:
    """Wait until the job's circuit runs."""
    eventually(lambda: job.status() is Phase.RUNNING, what="the job running")
    eventually(lambda: attempts_of(job), what="the attempt being written down")


def attempts_of(job: Job) -> list[dict[str, object]]:
    return job.to_dict()["status"].get("attempts", [])  # type: ignore[no-any-return]


def reasons(job: Job) -> Counter[str]:
    return Counter(event["reason"] for event in job._client.events(job.job_id()))


def assert_once_completed(client: Client, jobs: list[Job]) -> None:
    """Each job Completed exactly once, with one result row, and with bytes that are what was written."""
    store = insides.store(client)
    ids = [job.job_id() for job in jobs]
    with store.read() as tx:
        completed = Counter(
            tx.execute(
                select(events.c.job_id).where(events.c.job_id.in_(ids), events.c.reason == "Completed")
            ).scalars()
        )
        rows = tx.execute(select(func.count()).select_from(results).where(results.c.job_id.in_(ids))).scalar_one()
        finished = tx.execute(
            select(func.count())
            .select_from(attempts)
            .where(attempts.c.job_id.in_(ids), attempts.c.outcome == Phase.COMPLETED.value)
        ).scalar_one()
    assert completed == Counter(ids)
    assert rows == finished == len(jobs)
    for job in jobs:
        assert sum(job.result(1).get_counts().values()) == job.to_dict()["spec"]["execution"].get("shots", 1024)


@pytest.mark.long
def test_a_killed_worker_is_taken_over_within_a_minute_on_the_default_settings(
    make_stack: Callable[..., Stack], postgres_url: str, redis_url: str
) -> None:
    stack = make_stack(database_url=postgres_url, broker_url=redis_url, worker_threads=1)
    stack.control()
    doomed = stack.worker()
    job = stack.client().submit(heavy(20, 400), shots=100, seed_simulator=7)
    running(job)
    doomed.kill()
    stack.worker()
    eventually(lambda: reasons(job)["Running"] == 2, seconds=60, what="the job being taken up again")
    assert job.cancel()
    assert [attempt["attempt"] for attempt in attempts_of(job)] == [1]


def test_work_of_a_killed_worker_goes_on_elsewhere_in_the_same_attempt(house: House) -> None:
    [doomed] = house.workers(1)
    client = house.client()
    job = client.submit(heavy(20, 30), shots=100)
    running(job)
    doomed.kill()
    house.workers(1)
    assert job.wait_for_final_state(60) is Phase.COMPLETED
    assert_once_completed(client, [job])
    assert [attempt["attempt"] for attempt in attempts_of(job)] == [1]
    assert reasons(job)["WorkerLost"] == 1


def test_a_killed_pool_process_frees_its_job_at_once_and_is_replaced(
    make_stack: Callable[..., Stack], postgres_url: str, redis_url: str
) -> None:
    # A lease of five minutes: only the keeper can have freed the job.
    stack = make_stack(database_url=postgres_url, broker_url=redis_url, lease_seconds=300, worker_threads=1)
    worker = stack.worker()
    client = stack.client()
    job = client.submit(heavy(20, 30), shots=100)
    running(job)
    for pid in pool_processes(worker):
        os.kill(pid, signal.SIGKILL)
    assert job.wait_for_final_state(60) is Phase.COMPLETED
    assert_once_completed(client, [job])


def test_neighbours_in_a_batch_whose_process_is_killed_complete_alone(house: House) -> None:
    [worker] = house.workers(1)
    client = house.client()
    jobs = client.submit_many([middling(number) for number in range(50)])
    eventually(lambda: reasons(jobs[0])["Running"], what="the batch running")
    [victim] = pool_processes(worker)
    os.kill(victim, signal.SIGKILL)
    client.wait(jobs, timeout=120)
    assert_once_completed(client, jobs)
    assert {job.to_dict()["status"]["attempt"] for job in jobs} == {1}
    assert reasons(jobs[0])["WorkerLost"] == 1


def test_a_circuit_that_ends_its_process_every_time_fails_and_its_neighbours_complete(house: House) -> None:
    [worker] = house.workers(1)
    client = house.client()
    bad = client.submit(heavy(20, 100), shots=100)
    for death in range(1 + house.stack.settings.max_takeovers):
        eventually(lambda death=death: reasons(bad)["Running"] > death, seconds=60, what="the job running again")
        [victim] = pool_processes(worker)
        os.kill(victim, signal.SIGKILL)
        eventually(lambda death=death: reasons(bad)["WorkerLost"] > death, seconds=60, what="the death being noticed")
        eventually(lambda victim=victim: pool_processes(worker) not in ([victim], []), what="another pool process")
    good = client.submit_many([small_qasm(number) for number in range(20)])
    client.wait([bad, *good], timeout=120)
    assert_once_completed(client, good)
    assert bad.status() is Phase.FAILED
    assert bad.to_dict()["status"]["reason"] == "WorkerLost"
    assert {job.to_dict()["status"]["attempt"] for job in [bad, *good]} == {1}


def test_a_circuit_on_which_aer_aborts_its_process_is_refused_and_its_neighbours_complete(house: House) -> None:
    house.workers(1)
    client = house.client()
    circuits: list[object] = [small_qasm(number) for number in range(20)]
    circuits.insert(10, crashing())
    with house.paused():
        jobs = client.submit_many(circuits)
    client.wait(jobs, timeout=120)
    assert_once_completed(client, jobs[:10] + jobs[11:])
    assert jobs[10].to_dict()["status"]["reason"] == "RuntimeVariablesUnsupported"
    assert reasons(jobs[10])["Running"] == 0


def test_submit_succeeds_while_redis_is_down_and_the_job_runs_when_it_is_back(house: House) -> None:
    house.workers(1)
    client = house.client()
    house.redis.kill()
    try:
        job = client.submit(BELL_QASM)
        assert job.status() is Phase.PENDING
    finally:
        house.redis.start()
    assert job.wait_for_final_state(60) is Phase.COMPLETED
    assert_once_completed(client, [job])


def test_jobs_go_on_after_redis_forgot_everything(house: House) -> None:
    house.workers(0)
    client = house.client()
    jobs = [client.submit(small_qasm(number)) for number in range(5)] + client.submit_many([bell()] * 5)
    with house.redis.client() as redis:
        assert redis.llen("validation:6") > 0
        redis.flushall()
    house.workers(1)
    client.wait(jobs, timeout=60)
    assert_once_completed(client, jobs)


def test_a_stopped_worker_gives_its_work_back_and_another_goes_on(house: House) -> None:
    [first] = house.workers(1)
    client = house.client()
    jobs = [client.submit(heavy(20, 10), shots=100) for _ in range(3)]
    running(jobs[0])
    first.stop()
    house.workers(1)
    client.wait(jobs, timeout=90)
    assert_once_completed(client, jobs)


def test_a_simulation_longer_than_three_leases_is_one_attempt_that_nobody_takes_over(house: House) -> None:
    house.workers(2)
    client = house.client()
    job = client.submit(heavy(20, 130), shots=100)
    assert job.wait_for_final_state(120) is Phase.COMPLETED
    assert job.metrics()["run_seconds"] > 3 * house.stack.settings.lease_seconds
    assert reasons(job)["Running"] == 1
    assert_once_completed(client, [job])


def test_a_killed_and_restarted_redis_under_load_loses_nothing(house: House) -> None:
    house.workers(2)
    client = house.client()
    jobs = [client.submit(small_qasm(number)) for number in range(30)]
    house.redis.kill()
    house.redis.start()
    jobs += [client.submit(small_qasm(number)) for number in range(30, 60)]
    client.wait(jobs, timeout=90)
    assert_once_completed(client, jobs)


def test_a_restarted_postgres_under_load_loses_nothing(house: House, postgres: Postgres) -> None:
    house.workers(2)
    client = house.client()
    long = client.submit(heavy(20, 30), shots=100)
    running(long)
    jobs = [*client.submit_many([small_qasm(number) for number in range(300)]), long]
    postgres.restart()
    client.wait(jobs, timeout=120)
    assert_once_completed(client, jobs)
    assert reasons(long)["Running"] == 1


def test_the_same_message_twice_at_once_runs_a_job_once(house: House) -> None:
    house.workers(2)
    client = house.client()
    with house.paused():
        job = client.submit(heavy(20, 5), shots=100)
        publisher = Publisher(house.stack.settings.broker)
        publisher.publish(*[Hint(Queue.VALIDATION, job.job_id(), job.name, 6)] * 9)
        publisher.close()
    assert job.wait_for_final_state(60) is Phase.COMPLETED
    assert_once_completed(client, [job])
    assert reasons(job)["Validating"] == reasons(job)["Running"] == 1
