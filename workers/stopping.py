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

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 10.0
"""How long SIGTERM lets tasks run on; with what Celery takes then it is half of Kubernetes' usual grace."""


@signals.worker_shutting_down.connect
def _bound(how: str, **_: Any) -> None:
    """Celery's warm shutdown waits for its tasks without end. Its own bounded one, the soft shutdown, sleeps all of its
    time as soon as one task runs, and hears of no task that ends meanwhile."""
    if how == "Warm":
        timer = threading.Timer(PATIENCE_SECONDS, _end_tasks)
        timer.daemon = True
        timer.start()


def _end_tasks() -> None:
    """End the pool processes. No milder signal reaches one in a simulation; its claims expire, and its jobs are taken
    over as those of a killed worker are."""
    for process in active_children():
        log.warning("process %s has not ended after %g s: its jobs are left to others", process.pid, PATIENCE_SECONDS)
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
