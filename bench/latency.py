"""An idle system, one job at a time: how long `submit` takes, and until its client sees the job Completed."""

from __future__ import annotations

import time

from bench import check, circuits
from bench.figures import Figure, bounded, percentile
from bench.system import System
from qtasks.client import Client
from qtasks.client.job import Job
from qtasks.embedded import stop
from qtasks.lifecycle import Phase
from qtasks.settings import Settings

_WARM_UP = 10


def run(system: System) -> list[Figure]:
    """Two-qubit circuits; with Redis and Postgres, and for information on the embedded default."""
    count = 30 if system.options.quick else 100
    figures = _figures("Redis + Postgres", system.client, count, targets=True)
    config = Settings(home=system.folder / "embedded")
    config.home.mkdir()
    try:
        with Client(config) as client:
            figures += _figures("embedded", client, count, targets=False)
    finally:
        stop(config)
    return figures


def _figures(where: str, client: Client, count: int, *, targets: bool) -> list[Figure]:
    submits: list[float] = []
    totals: list[float] = []
    jobs: list[Job] = []
    for text in circuits.pairs(count + _WARM_UP, seed=4):
        started = time.perf_counter()
        job = client.submit(text, shots=circuits.SHOTS)
        submitted = time.perf_counter()
        assert job.wait_for_final_state(60) is Phase.COMPLETED
        ended = time.perf_counter()
        submits.append((submitted - started) * 1000)
        totals.append((ended - started) * 1000)
        jobs.append(job)
    check.completed(client, jobs)
    submits, totals = submits[_WARM_UP:], totals[_WARM_UP:]
    limits = (5, None, 40, 100) if targets else (None,) * 4
    parts = [
        ("submit returns, p50", submits, 0.5),
        ("submit returns, p95", submits, 0.95),
        ("submit → Completed, p50", totals, 0.5),
        ("submit → Completed, p95", totals, 0.95),
    ]
    return [
        bounded(
            "latency", f"{where}: {what}", "ms", percentile(values, share), most=most, of=values if share == 0.5 else ()
        )
        for (what, values, share), most in zip(parts, limits, strict=True)
    ]
