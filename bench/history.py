"""A long history: list, claim and reconcile with 100,000 finished jobs in the table, against one page of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import delete

from bench import circuits
from bench.figures import Figure, compared
from bench.past import finished_jobs
from bench.system import System
from qtasks.client import Client
from qtasks.lifecycle import Queue, Stage
from qtasks.stages.reconcile import reconcile
from qtasks.stages.worker import Identity, Worker
from qtasks.store.tables import jobs

_PAGE = 100
"""A list shows so many; the table that stands for an empty one holds them, so that both lists show the same."""


def run(system: System) -> list[Figure]:
    """On Postgres, and for information on SQLite; medians of at least thirty, the two tables in turn."""
    return [
        *_figures(system, "Postgres", most=2.0),
        *_figures(system, "SQLite", most=None),
    ]


def _figures(system: System, where: str, *, most: float | None) -> list[Figure]:
    many = 10_000 if system.options.quick else 100_000
    times = 30 if system.options.quick else 60
    short = _Table(system, where, _PAGE)
    long = _Table(system, where, many)
    figures = []
    for what in ("list", "claim", "reconcile"):
        for table in (short, long):
            for _ in range(3):
                table.measure(what)
        rounds = [(short.measure(what), long.measure(what)) for _ in range(times)]
        title = f"{where}: {what}, {many:,} finished jobs"
        figures.append(compared("history", title, "ms", rounds, peer_is=f"{_PAGE} finished jobs", most=most))
    short.close()
    long.close()
    return figures


class _Table:
    """A database with a past, a client and a worker on it; no process of qtasks runs."""

    _databases = 5

    def __init__(self, system: System, where: str, past: int) -> None:
        _Table._databases += 1
        name = f"history_{where}_{past}".lower()
        home = system.folder / name
        values = {} if where == "Postgres" else {"database_url": f"sqlite:///{home / 'qtasks.db'}"}
        stack = system.stack(name, redis_database=_Table._databases, **values)
        self._client: Client = stack.client()
        queues = Queue.of(Stage.VALIDATION, Stage.SCHEDULING, Stage.EXECUTION)
        self._worker = Worker.open(stack.settings, Identity.of(stack.settings, "bench", queues, home))
        finished_jobs(self._worker.store, past)
        self._texts = iter(circuits.pairs(1000, seed=past))

    def measure(self, what: str) -> float:
        """Milliseconds that `what` takes once."""
        return {"list": self._list, "claim": self._claim, "reconcile": self._reconcile}[what]()

    def _list(self) -> float:
        milliseconds, rows = _timed(lambda: self._client.page(limit=_PAGE))
        assert len(rows) == _PAGE
        return milliseconds

    def _claim(self) -> float:
        job = self._client.submit(next(self._texts))
        milliseconds, claim = _timed(lambda: self._worker.claim(Stage.VALIDATION))
        assert claim is not None and claim.ids == [job.job_id()]
        with self._worker.store.begin() as tx:
            tx.execute(delete(jobs).where(jobs.c.id == job.job_id()))
        return milliseconds

    def _reconcile(self) -> float:
        return _timed(lambda: reconcile(self._worker))[0]

    def close(self) -> None:
        self._worker.close()


def _timed(what: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    found = what()
    return (time.perf_counter() - started) * 1000, found
