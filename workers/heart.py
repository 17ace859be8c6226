"""A worker's main process: every two seconds its event loop says that it turns, and sees to the lease keeper."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any

from celery import bootsteps, signals

from qtasks.settings import settings
from qtasks.stages.pulse import HEART_SECONDS, note_heart
from workers import process
from workers.app import app

log = logging.getLogger(__name__)


class Heart(bootsteps.StartStopStep):  # type: ignore[misc]
    """A timer of the consumer's own loop: what freezes the loop stops it. It starts anew with each connection."""

    requires = ("celery.worker.consumer.tasks:Tasks",)
    _timer: Any = None

    def start(self, parent: Any) -> None:
        beat(parent)
        self._timer = parent.timer.call_repeatedly(HEART_SECONDS, beat, (parent,))

    def stop(self, parent: Any) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def beat(consumer: Any, *, stopping: bool = False) -> None:
    """Note that the loop turns, and which processes the pool has; a lease keeper that died is started again."""
    process.keep_keeper()
    runtime = process.runtime()
    if runtime is None or not settings().metrics_port:
        return
    pool = getattr(consumer.pool, "_pool", None)
    processes = [one.pid for one in getattr(pool, "_pool", ()) if one.pid is not None]
    with suppress(OSError):
        note_heart(runtime, processes=processes, wanted=consumer.pool.limit, stopping=stopping)


@signals.worker_shutting_down.connect
def _stops(**_: Any) -> None:
    """A worker that ends its work in peace does not beat any more, and is well."""
    runtime = process.runtime()
    if runtime is not None and settings().metrics_port:
        with suppress(OSError):
            note_heart(runtime, processes=(), wanted=0, stopping=True)


app.steps["consumer"].add(Heart)
