"""The periodic table: what beat publishes, and how often. Run one beat; every task bears being run twice."""

from __future__ import annotations

from typing import Any

from qtasks.lifecycle import Stage
from qtasks.queue import RECONCILE, RETENTION, task_name
from qtasks.settings import Settings


def schedule(config: Settings) -> dict[str, dict[str, Any]]:
    """Celery's `beat_schedule`. Entries expire before the next is due: nothing piles up while no worker runs."""
    return {
        "reconcile": {
            "task": RECONCILE,
            "schedule": config.reconcile_seconds,
            "options": {"queue": Stage.POLLING.value, "priority": 0, "expires": config.reconcile_seconds},
        },
        "retention": {
            "task": RETENTION,
            "schedule": config.retention_seconds,
            "options": {"queue": Stage.POLLING.value, "priority": 9, "expires": config.retention_seconds},
        },
        "poll": {
            "task": task_name(Stage.POLLING),
            "schedule": config.poll_seconds,
            "options": {"queue": Stage.POLLING.value, "priority": 6, "expires": config.poll_seconds},
        },
    }
