"""One `submit` per job, against the Celery task that a user would write: jobs per second, first submit to last done."""

from __future__ import annotations

import time

from bench import check, circuits, report
from bench.cpu import Meter
from bench.figures import Figure, compared
from bench.system import System


def run(system: System) -> list[Figure]:
    """Small circuits, 2 to 4 qubits, 1024 shots."""
    count = 100 if system.options.quick else 300
    meters: dict[str, Meter] = {}
    _peer(system, 20, seed=1, meters={})
    _qtasks(system, 20, seed=2, meters={})
    rounds = [
        (
            _peer(system, count, seed=1000 + number, meters=meters),
            _qtasks(system, count, seed=2000 + number, meters=meters),
        )
        for number in range(system.options.rounds)
    ]
    report.cpu("submit", meters)
    what = f"{count} jobs, a submit each"
    return [compared("submit", what, "jobs/s", rounds, peer_is="transpile and run in a Celery task", least=8)]


def _peer(system: System, count: int, *, seed: int, meters: dict[str, Meter]) -> float:
    peer = system.peer
    texts = circuits.small(count, seed)
    ids = [f"{seed}-{number}" for number in range(count)]
    with system.metered("peer", meters, count):
        started = time.perf_counter()
        for job_id, text in zip(ids, texts, strict=True):
            peer.tasks.run.delay(job_id, text)
        ended = peer.drained()
    check.counted(peer, ids)
    return count / (ended - started)


def _qtasks(system: System, count: int, *, seed: int, meters: dict[str, Meter]) -> float:
    client = system.client
    texts = circuits.small(count, seed)
    with system.metered("qtasks", meters, count):
        started = time.perf_counter()
        submitted = [client.submit(text, shots=circuits.SHOTS) for text in texts]
        client.wait(submitted, timeout=300)
        ended = time.perf_counter()
    check.completed(client, submitted)
    return count / (ended - started)
