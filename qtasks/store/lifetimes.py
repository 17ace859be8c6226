"""Jobs with a time to live of their own (`spec.ttlAfterFinished`)."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, bindparam, insert, select, update

from qtasks.store.tables import jobs, lifetimes
from qtasks.store.types import moment

_AGAIN_SECONDS = 600.0
"""How long what cannot go yet, though its time is over, is left alone."""


def expect(tx: Connection, seconds: Mapping[str, float]) -> None:
    """Note how long new jobs are to be kept after their end, in seconds by id."""
    if seconds:
        rows = [{"job_id": job_id, "kept": kept} for job_id, kept in seconds.items()]
        kept = bindparam("kept", type_=lifetimes.c.seconds.type)
        tx.execute(insert(lifetimes).values(job_id=bindparam("job_id"), seconds=kept, due_at=moment(kept)), rows)


def over(tx: Connection, *, limit: int) -> tuple[list[str], bool]:
    """Final jobs whose time is over, each named once in ten minutes, and whether there may be more: up to `limit` jobs
    are looked at. Those that go on, or ended later than was thought, are looked at again when they may be over."""
    query = (
        select(lifetimes.c.job_id, lifetimes.c.seconds, jobs.c.finished_at, moment().label("now"))
        .join(jobs, jobs.c.id == lifetimes.c.job_id)
        .where(lifetimes.c.due_at <= moment())
        .order_by(lifetimes.c.due_at)
        .limit(limit)
    )
    found: list[str] = []
    looked: list[dict[str, object]] = []
    for row in tx.execute(query.with_for_update(of=lifetimes, skip_locked=True)):
        age = 0.0 if row.finished_at is None else (row.now - row.finished_at).total_seconds()
        ended = row.finished_at is not None and age >= row.seconds
        looked.append({"of_job": row.job_id, "left": _AGAIN_SECONDS if ended else row.seconds - age})
        if ended:
            found.append(row.job_id)
    if looked:
        left = bindparam("left", type_=lifetimes.c.seconds.type)
        tx.execute(
            update(lifetimes).where(lifetimes.c.job_id == bindparam("of_job")).values(due_at=moment(left)), looked
        )
    return found, len(looked) == limit
