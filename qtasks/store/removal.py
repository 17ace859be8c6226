"""Deleting jobs: their rows go, and the notes that no foreign key holds; what they cost stays in the books."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, delete, exists, insert, select

from qtasks.errors import Conflict
from qtasks.lifecycle import Phase
from qtasks.store.jobs import get
from qtasks.store.pointers import keys_of, with_results
from qtasks.store.tables import conditions, events, jobs, past_uses, provider_jobs


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
    forget(tx, [job_id])
    shared = row.result_key
    if shared is not None and with_results(tx, [shared]):
        shared = None
    return Removed(row.namespace, row.id, shared)


def remove_all(tx: Connection, ids: Collection[str]) -> set[str]:
    """Delete jobs that are final and settled; returns the objects that no row points at any more."""
    keys = keys_of(tx, ids)
    forget(tx, ids)
    return keys - with_results(tx, keys)


def forget(tx: Connection, ids: Collection[str]) -> None:
    """Delete the rows of jobs. What they used of an account's allowance is kept, as charges are."""
    each = list(ids)
    used = (
        provider_jobs.c.job_id.in_(each)
        & (provider_jobs.c.quantum_seconds > 0)
        & provider_jobs.c.finished_at.isnot(None)
    )
    columns = ("account", "finished_at", "quantum_seconds")
    tx.execute(insert(past_uses).from_select(columns, select(*(provider_jobs.c[name] for name in columns)).where(used)))
    for table in (conditions, events):
        tx.execute(delete(table).where(table.c.job_id.in_(each)))
    tx.execute(delete(jobs).where(jobs.c.id.in_(each)))
