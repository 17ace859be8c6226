"""Many jobs in one `submit_many`, against as many of Celery's no-op tasks: per second, first to last."""

from __future__ import annotations

import time

from bench import check, circuits, report
from bench.cpu import Meter
from bench.figures import Figure, compared
from bench.system import System

_NAME = "bench.peer.nothing"


def run(system: System) -> list[Figure]:
    """Two-qubit circuits, 1024 shots; the no-op tasks are published one by one, as Celery's users do."""
    count = 500 if system.options.quick else 2000
    meters: dict[str, Meter] = {}
    _peer(system, 100, meters={})
    _qtasks(system, 100, seed=3, meters={})
    rounds = [
        (_peer(system, count, meters=meters), _qtasks(system, count, seed=3000 + number, meters=meters))
        for number in range(system.options.rounds)
    ]
    report.cpu("submit_many", meters)
    what = f"{count} jobs in one call"
    return [compared("submit_many", what, "jobs/s", rounds, peer_is="bare Celery no-op tasks", least=1)]


def _peer(system: System, count: int, *, meters: dict[str, Meter]) -> float:
    peer = system.peer
    before = (peer.executed() or {}).get(_NAME, 0)
    with system.metered("peer", meters, count):
        started = time.perf_counter()
        for _ in range(count):
            peer.tasks.nothing.apply_async()
        ended = peer.drained()
    assert (peer.executed() or {}).get(_NAME, 0) == before + count
    return count / (ended - started)


def _qtasks(system: System, count: int, *, seed: int, meters: dict[str, Meter]) -> float:
    client = system.client
    texts = circuits.pairs(count, seed)
    with system.metered("qtasks", meters, count):
        started = time.perf_counter()
        submitted = client.submit_many(texts, shots=circuits.SHOTS)
        client.wait(submitted, timeout=300)
        ended = time.perf_counter()
    check.completed(client, submitted)
    return count / (ended - started)
