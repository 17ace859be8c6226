"""A real queue under a load that comes and goes: what its metrics said each second, and when each job came and how long
it ran."""

from __future__ import annotations

import json
import random
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import select

from bench.autoscaling.simulation import Arrival
from bench.system import System
from qtasks.store import Store
from qtasks.store.tables import attempts, jobs
from tests.support.circuits import heavy
from tests.support.servers import eventually, free_port

QUEUE = "execution.large"
_QUBITS = 20
_LAYERS = (5, 10, 20, 60, 150)
"""Of circuits: runs of about half a second to fifteen on one thread."""
_GAPS = (*(0.5,) * 8, 30.0, *(3.0,) * 8, 40.0, *(0.2,) * 12, 0.0)
"""Seconds between submissions: bursts, and lulls between them."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What `/metrics` said at a moment."""

    at: float
    waiting: int
    running: int


@dataclass(frozen=True, slots=True)
class Recording:
    """What was seen of one queue."""

    queue: str
    workers: int
    samples: tuple[Sample, ...]
    arrivals: tuple[Arrival, ...]

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> Recording:
        found = json.loads(path.read_text())
        samples = tuple(Sample(**sample) for sample in found["samples"])
        return cls(found["queue"], found["workers"], samples, tuple(Arrival(**job) for job in found["arrivals"]))


def record(system: System, *, workers: int = 2, seed: int = 7) -> Recording:
    """Run the load on that many workers of one process each, and watch it until all is done."""
    stack = system.stack("autoscaling", redis_database=3, worker_threads=1)
    stack.ready(stack.run("worker", "--queues", "validation,scheduling", "--concurrency", "1"))
    for _ in range(workers):
        stack.ready(stack.run("worker", "--queues", QUEUE, "--concurrency", "1"))
    port = free_port()
    stack.run("api", "--port", str(port))
    metrics = f"http://127.0.0.1:{port}/metrics"
    eventually(lambda: _answers(metrics), seconds=60, what="the API's metrics")
    client = stack.client()
    layers = random.Random(seed)
    began = time.monotonic()
    submit_at, samples, submitted = began, [], []
    gaps = iter(_GAPS)
    while True:
        now = time.monotonic()
        if submit_at is not None and now >= submit_at:
            gap = next(gaps, None)
            submit_at = None if gap is None else now + gap
            if gap is not None:
                submitted.append(client.submit(heavy(_QUBITS, layers.choice(_LAYERS)), shots=10))
        samples.append(_sample(metrics, now - began))
        if submit_at is None and all(job.in_final_state() for job in submitted):
            break
        time.sleep(max(0.0, now + 1 - time.monotonic()) if submit_at is None or submit_at > now + 1 else 0.1)
    store = Store(stack.settings.database, pool_size=1)
    arrivals = tuple(_arrivals(store, [job.job_id() for job in submitted]))
    store.close()
    return Recording(QUEUE, workers, tuple(samples), arrivals)


def _arrivals(store: Store, ids: list[str]) -> Iterator[Arrival]:
    query = (
        select(jobs.c.created_at, attempts.c.started_at, attempts.c.finished_at)
        .join(attempts, attempts.c.job_id == jobs.c.id)
        .where(jobs.c.id.in_(ids))
        .order_by(jobs.c.created_at)
    )
    with store.read() as tx:
        rows = tx.execute(query).all()
    for number, row in enumerate(rows):
        at, seconds = row.created_at - rows[0].created_at, row.finished_at - row.started_at
        yield Arrival(number, round(at.total_seconds(), 3), round(seconds.total_seconds(), 3))


def _answers(address: str) -> bool:
    try:
        return bool(_scrape(address))
    except OSError:
        return False


def _scrape(address: str) -> str:
    with urllib.request.urlopen(address, timeout=5) as answer:
        return answer.read().decode()


def _sample(address: str, at: float) -> Sample:
    found = {"queued": 0.0, "running": 0.0}
    for family in text_string_to_metric_families(_scrape(address)):
        for sample in family.samples:
            if sample.name == "qtasks_queue_jobs" and sample.labels["queue"] == QUEUE:
                found[sample.labels["state"]] += sample.value
    return Sample(round(at, 2), int(found["queued"]), int(found["running"]))
