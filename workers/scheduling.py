"""The scheduling task. A message is a hint that there is such work; the database says which job is next."""

from __future__ import annotations

from qtasks.lifecycle import Stage
from qtasks.queue import task_name
from qtasks.stages.runner import work
from workers.app import app
from workers.process import this_process


@app.task(name=task_name(Stage.SCHEDULING))
def scheduling(job_id: str) -> None:
    """Do the best scheduling work that waits: usually, but not necessarily, on `job_id`."""
    work(this_process(), Stage.SCHEDULING)
