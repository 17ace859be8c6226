"""Which objects rows point at: what is behind none of them may go."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from qtasks.store.tables import circuits, inputs, jobs, provider_jobs, results

_AT_ONCE = 1000


def keys_of(tx: Connection, ids: Collection[str]) -> set[str]:
    """The objects that the rows of these jobs point at; a result's may hold those of other jobs too."""
    found: set[str] = set()
    for some in _some(ids):
        for column, where in _columns(some):
            found.update(key for (key,) in tx.execute(select(column).where(where, column.isnot(None))))
    return found


def _columns(ids: list[str]) -> tuple[tuple[Any, Any], ...]:
    """The columns that point at objects, and which of their rows count for these jobs."""
    return (
        (inputs.c.object_key, inputs.c.job_id.in_(ids)),
        (circuits.c.object_key, circuits.c.job_id.in_(ids)),
        (results.c.object_key, results.c.job_id.in_(ids) & results.c.expired_at.is_(None)),
        (provider_jobs.c.isa_key, provider_jobs.c.job_id.in_(ids)),
    )


def with_results(tx: Connection, keys: Collection[str]) -> set[str]:
    """Those of the objects in which a kept result lies."""
    found: set[str] = set()
    for some in _some(keys):
        kept = results.c.object_key.in_(some) & results.c.expired_at.is_(None)
        found.update(key for (key,) in tx.execute(select(results.c.object_key).distinct().where(kept)))
    return found


def jobs_of(tx: Connection, ids: Collection[str]) -> dict[str, bool]:
    """Those of the jobs that there are, by id: whether one is final with nothing left to do, so that its rows will
    point at no other object than now."""
    found: dict[str, bool] = {}
    for some in _some(ids):
        rows = select(jobs.c.id, jobs.c.finished_at.isnot(None) & ~jobs.c.aftercare).where(jobs.c.id.in_(some))
        found.update((job_id, bool(over)) for job_id, over in tx.execute(rows))
    return found


def isa_of_long_waits(tx: Connection, *, older_than: Any) -> list[str]:
    """The ISA circuits of jobs that were handed to their provider before then and are not settled."""
    rows = select(provider_jobs.c.isa_key).where(
        ~provider_jobs.c.settled, provider_jobs.c.isa_key.isnot(None), provider_jobs.c.intended_at < older_than
    )
    return [key for (key,) in tx.execute(rows)]


def _some(values: Collection[str]) -> Iterator[list[str]]:
    every = list(values)
    for start in range(0, len(every), _AT_ONCE):
        yield every[start : start + _AT_ONCE]


@dataclass(frozen=True, slots=True)
class Pointer:
    """A row that points at an object, and whose it is."""

    job_id: str
    namespace: str
    name: str
    phase: str
    key: str


def walk(tx: Connection, *, after: str | None = None, limit: int) -> tuple[list[Pointer], str | None]:
    """The pointers of up to `limit` jobs, by id, behind job `after`; and the last of these jobs, None where
    there are no more."""
    query = select(jobs.c.id, jobs.c.namespace, jobs.c.name, jobs.c.phase).order_by(jobs.c.id).limit(limit)
    if after is not None:
        query = query.where(jobs.c.id > after)
    known = {row.id: row for row in tx.execute(query)}
    found = [
        Pointer(job_id, known[job_id].namespace, known[job_id].name, known[job_id].phase, key)
        for column, where in _columns(list(known))
        for job_id, key in tx.execute(select(column.table.c.job_id, column).where(where, column.isnot(None)))
    ]
    return found, max(known, default=None)
