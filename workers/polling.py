"""The periodic tasks, on a queue that no simulation blocks."""

from __future__ import annotations

from qtasks.lifecycle import Stage
from qtasks.queue import RECONCILE, RETENTION, task_name
from qtasks.stages.reconcile import reconcile as put_right
from qtasks.stages.remote.visits import poll
from qtasks.stages.retention import retain
from workers.app import app
from workers.process import this_process


@app.task(name=RECONCILE)
def reconcile() -> None:
    """Free expired leases, end overdue jobs, publish lost hints again."""
    put_right(this_process())


@app.task(name=RETENTION)
def retention() -> None:
    """Remove what is kept no longer: jobs, events, objects, the audit trail."""
    retain(this_process())


@app.task(name=task_name(Stage.POLLING))
def polling(job_id: str = "") -> None:
    """Visit the accounts that are due, whichever job the message names."""
    poll(this_process())
