"""The cache of validation: a source that was run is not run again, and what lies in Redis is not believed as it is."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest
import redis

from qtasks.circuits.cache import Seal
from qtasks.circuits.sandbox import Limits, Rejected, Source
from qtasks.client import Client, Job
from qtasks.errors import JobFailed
from qtasks.settings import Settings
from qtasks.stages.cache import ENTRY_BYTES, ValidationCache
from tests.support.circuits import BELL_QASM, BELL_SOURCE, small_qasm
from tests.support.house import House
from tests.support.servers import Redis
from tests.support.stack import own_namespace

pytestmark = pytest.mark.system

DICE = "import random, time\nprint(random.random(), time.time())\n" + BELL_SOURCE
"""A source that prints something else whenever it is run."""
KEPT = "qtasks:validated:*"
"""The names of all entries."""
KEY = b"k" * 32
REFUSED = Rejected("", "InvalidSyntax", "No.")


def sources(count: int) -> list[Source]:
    return [Source(f"job-{number}", "python", b"qc = %d" % number) for number in range(count)]


@pytest.fixture
def cache(redis_url: str) -> Iterator[ValidationCache]:
    opened = ValidationCache(Settings(broker_url=redis_url, validation_cache_entries=10**9), lambda: KEY)
    yield opened
    opened.close()


def raw(url: str) -> redis.Redis:
    return redis.Redis.from_url(url)


def a_seal(cache: ValidationCache, namespace: str = "default") -> Seal:
    return cache.seal(namespace, Limits())


def keep(cache: ValidationCache, asked: list[Source]) -> None:
    cache.keep(a_seal(cache), asked, dict.fromkeys([source.id for source in asked], REFUSED))


@pytest.fixture
def client(house: House) -> Client:
    """A client of a queue whose cache is empty."""
    house.workers(1)
    with house.redis.client() as server:
        for name in server.keys(KEPT):
            server.delete(name)
    return house.client()


def printed(job: Job) -> str:
    job.wait_for_final_state(60)
    return next(event["message"] for event in job._client.events(job.job_id()) if event["reason"] == "Output")


def from_the_cache(job: Job) -> bool:
    job.wait_for_final_state(60)
    document = job.to_dict()
    [validated] = [found for found in document["status"]["conditions"] if found["type"] == "Validated"]
    [event] = [
        event for event in job._client.events(job.job_id()) if event["reason"] in ("CircuitValid", "InvalidSyntax")
    ]
    said = {"from the cache" in validated["message"], "from the cache" in event["message"]}
    assert len(said) == 1
    return said.pop()


def test_a_source_is_run_once_for_each_namespace(client: Client, house: House) -> None:
    first = client.submit(DICE, seed_simulator=42)
    assert not from_the_cache(first)
    again = client.submit(DICE, seed_simulator=42, shots=2048)
    assert printed(again) == printed(first)
    assert from_the_cache(again)
    assert sum(again.result(60).get_counts().values()) == 2048
    assert again.result().provenance.circuit_hash == first.result().provenance.circuit_hash
    stranger = client.submit(DICE, namespace=own_namespace(), seed_simulator=42)
    assert printed(stranger) != printed(first)
    assert not from_the_cache(stranger)

    with raw(house.redis.url) as server:
        [one, other] = server.keys(KEPT)
        assert 0 < server.ttl(one) <= 86_400
        # Both were signed by a worker, but neither for the place that it lies in now.
        entries = server.mget(one, other)
        server.mset({one: entries[1], other: entries[0]})
    exchanged = client.submit(DICE, seed_simulator=42)
    assert printed(exchanged) not in (printed(first), printed(stranger))
    assert not from_the_cache(exchanged)

    with raw(house.redis.url) as server:
        for name in server.keys(KEPT):
            server.set(name, b"\x80garbage" * 20)
    assert not from_the_cache(client.submit(DICE, seed_simulator=42))


def test_refusals_that_will_come_again_and_other_formats_are_kept_too(client: Client, house: House) -> None:
    for _ in range(2):
        with pytest.raises(JobFailed) as failure:
            client.submit("qc = (").result(60)
        assert failure.value.reason == "InvalidSyntax"
        with pytest.raises(JobFailed) as failure:
            client.submit("raise ValueError('today')").result(60)
        assert failure.value.reason == "SourceError"
    counts = [client.submit(BELL_QASM, seed_simulator=1).result(60).get_counts() for _ in range(2)]
    assert counts[0] == counts[1]
    with raw(house.redis.url) as server:
        assert len(server.keys(KEPT)) == 2


def test_a_large_batch_is_neither_looked_up_nor_kept(client: Client, house: House) -> None:
    jobs = client.submit_many([small_qasm(number) for number in range(100)])
    client.wait(jobs, timeout=60)
    assert all(job.done() for job in jobs)
    with raw(house.redis.url) as server:
        assert len(server.keys(KEPT)) < 20


def test_without_entries_every_source_is_run(house: House) -> None:
    client = house.client()
    with house.paused():
        jobs = [client.submit(DICE) for _ in range(3)]
        worker = house.stack.worker(QTASKS_VALIDATION_CACHE_ENTRIES="0")
        assert len({printed(job) for job in jobs}) == 3
        worker.stop()


def test_what_is_kept_is_found_and_expires(cache: ValidationCache, redis_url: str) -> None:
    asked = sources(3)
    assert cache.look(a_seal(cache), asked) == {}
    keep(cache, asked[:2])
    assert set(cache.look(a_seal(cache), asked)) == {"job-0", "job-1"}
    assert cache.look(a_seal(cache, "other"), asked) == {}
    with raw(redis_url) as server:
        assert all(0 < server.pttl(name) <= 86_400_000 for name in server.scan_iter())


def test_a_batch_takes_one_round_trip_each_way(cache: ValidationCache, redis_url: str) -> None:
    asked = sources(100)
    with raw(redis_url) as server:
        server.config_resetstat()
        cache.look(a_seal(cache), asked)
        keep(cache, asked)
        calls = {name: counted["calls"] for name, counted in server.info("commandstats").items()}
        assert (calls["cmdstat_mget"], calls["cmdstat_set"]) == (1, 100)
        # What is kept comes in a few packets, yet not one for each.
        assert int(server.info("stats")["total_reads_processed"]) < 20


def test_redis_holds_no_more_than_the_number_of_entries(redis_url: str) -> None:
    cache = ValidationCache(Settings(broker_url=redis_url, validation_cache_entries=4), lambda: KEY)
    asked = sources(50)
    keep(cache, asked)
    with raw(redis_url) as server:
        assert 0 < len(server.keys()) <= 4
    assert 0 < len(cache.look(a_seal(cache), asked)) <= 4
    cache.close()


def test_an_entry_that_is_too_large_is_not_kept(cache: ValidationCache, redis_url: str) -> None:
    source = sources(1)[0]
    cache.keep(a_seal(cache), [source], {source.id: Rejected("", "InvalidSyntax", "x" * ENTRY_BYTES)})
    with raw(redis_url) as server:
        assert server.keys() == []


def test_a_redis_that_is_frozen_or_gone_is_a_miss_and_does_not_hold_anybody_up(
    cache: ValidationCache, redis_server: Redis
) -> None:
    asked = sources(1)
    keep(cache, asked)
    assert redis_server.process is not None
    os.kill(redis_server.process.pid, signal.SIGSTOP)
    try:
        started = time.monotonic()
        for _ in range(50):
            assert cache.look(a_seal(cache), asked) == {}
            keep(cache, asked)
        assert time.monotonic() - started < 5
    finally:
        os.kill(redis_server.process.pid, signal.SIGCONT)
    gone = ValidationCache(Settings(broker_url="redis://127.0.0.1:1/0"), lambda: KEY)
    assert gone.look(a_seal(gone), asked) == {}
    gone.close()
