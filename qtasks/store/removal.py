"""Deleting jobs: their rows go, and the notes that no foreign key holds; what they cost stays in the books."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, exists, select

from qtasks.errors import Conflict
from qtasks.lifecycle import Phase
from qtasks.store.jobs import get
from qtasks.store.tables import conditions, events, jobs, provider_jobs, results


@dataclass(frozen=True, slots=True)
class Removed:
    """What a deleted job leaves in the object store."""

    namespace: str
    job_id: str
    shared: str | None
    """The object of many results that its own was in, where no other job's result is in it any more."""


def remove(tx: Connection, job_id: str) -> Removed:
    """Delete a final job. Raises NotFound (`JobNotFound`), Conflict (`JobNotFinal`, `JobNotSettled`)."""
    row = get(tx, job_id)
    if not Phase(row.phase).final:
        raise Conflict(
            f"Job {row.name} is {row.phase}: only a final job can be deleted.",
            reason="JobNotFinal",
            hint=f"End it first: qtasks cancel {row.name}",
        )
    unsettled = exists().where(provider_jobs.c.job_id == job_id, ~provider_jobs.c.settled)
    if tx.execute(select(unsettled)).scalar():
        raise Conflict(
            f"What job {row.name} costs at its provider is not known yet.",
            reason="JobNotSettled",
            hint="Delete it again in a while: pollers ask for it.",
        )
    for table in (conditions, events):
        tx.execute(delete(table).where(table.c.job_id == job_id))
    tx.execute(delete(jobs).where(jobs.c.id == job_id))
    shared = row.result_key
    if shared is not None and tx.execute(select(exists().where(results.c.object_key == shared))).scalar():
        shared = None
    return Removed(row.namespace, row.id, shared)
