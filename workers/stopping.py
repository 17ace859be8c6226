"""How a worker stops: what it runs may end in peace, for a while; what has not ended by then is for another worker."""

from __future__ import annotations

import logging
import os
import signal
import threading
from contextlib import suppress
from typing import Any

from billiard import active_children
from celery import signals

from qtasks.settings import settings

log = logging.getLogger(__name__)


@signals.worker_shutting_down.connect
def _bound(how: str, **_: Any) -> None:
    """Celery's warm shutdown waits for its tasks without end. Its own bounded one, the soft shutdown, sleeps all of its
    time as soon as one task runs, and hears of no task that ends meanwhile."""
    if how == "Warm":
        timer = threading.Timer(settings().stop_seconds, _end_tasks)
        timer.daemon = True
        timer.start()


def _end_tasks() -> None:
    """End the pool processes. No milder signal reaches one in a simulation; its claims expire, and its jobs are taken
    over as those of a killed worker are."""
    for process in active_children():
        log.warning("process %s has not ended in time: its jobs are left to others", process.pid)
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
