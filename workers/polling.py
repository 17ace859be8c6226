"""The periodic tasks, on a queue that no simulation blocks."""

from __future__ import annotations

from qtasks.queue import RECONCILE
from qtasks.stages.reconcile import reconcile as put_right
from workers.app import app
from workers.process import this_process


@app.task(name=RECONCILE)
def reconcile() -> None:
    """Free expired leases, end overdue jobs, publish lost hints again."""
    put_right(this_process())
