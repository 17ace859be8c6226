"""What is kept no longer: found in the order in which jobs ended, a batch at a time, from where the last stopped."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, delete, exists, func, literal, or_, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from qtasks.lifecycle import ConditionStatus, ConditionType
from qtasks.store.pointers import keys_of, with_results
from qtasks.store.records import Condition, settle_condition
from qtasks.store.tables import (
    audit,
    charges,
    circuits,
    events,
    inputs,
    jobs,
    notices,
    outputs,
    provider_jobs,
    results,
    retention,
)
from qtasks.store.types import moment

EVENTS, OBJECTS, SWEEP, VISITS = "events", "objects", "sweep", "visits"
_BORN = "born"
_SETTLE_SECONDS = 60.0
"""A job may be seen to have ended only after one that ended later: behind the last minute nothing comes any more."""

EXPIRED = Condition(
    ConditionType.RESULT_STORED,
    ConditionStatus.FALSE,
    "ResultExpired",
    "The result was kept as long as its namespace keeps objects, and is removed.",
)

_BUSY = or_(
    jobs.c.aftercare,
    exists().where(outputs.c.job_id == jobs.c.id, outputs.c.state == "due"),
)
"""Somebody has yet to do something with the job's objects."""
_UNSETTLED = or_(
    _BUSY,
    exists().where(notices.c.job_id == jobs.c.id, notices.c.state == "due"),
    exists().where(provider_jobs.c.job_id == jobs.c.id, ~provider_jobs.c.settled),
    exists().where(charges.c.job_id == jobs.c.id, charges.c.state == "reserved"),
)


@dataclass(frozen=True, slots=True)
class Birth:
    """Which installation this database is of, and since when there is one."""

    id: str
    at: datetime


def birth(tx: Connection) -> Birth:
    row = tx.execute(select(retention).where(retention.c.task == _BORN)).one()
    return Birth(row.upto, row.at)


def namespaces(tx: Connection, *, of_audit: bool = False) -> list[str]:
    """The namespaces that have jobs, or entries in the audit trail, in the order of their names."""
    column: Any = audit.c.namespace if of_audit else jobs.c.namespace
    found: list[str] = []
    while True:
        # One step in the index for each namespace, however many rows it has.
        following = select(func.min(column))
        if found:
            following = following.where(column > found[-1])
        name = tx.execute(following).scalar()
        if name is None:
            return found
        found.append(name)


def removable(tx: Connection, namespace: str, *, older_than_seconds: float, limit: int) -> list[str]:
    """Final jobs of a namespace that ended at least so long ago and owe nobody anything, the oldest first."""
    query = (
        select(jobs.c.id)
        .where(jobs.c.namespace == namespace, jobs.c.finished_at < moment(-older_than_seconds), ~_UNSETTLED)
        .order_by(jobs.c.finished_at, jobs.c.id)
        .limit(limit)
    )
    return [row.id for row in tx.execute(query.with_for_update(of=jobs, skip_locked=True))]


def settled(tx: Connection, ids: Collection[str]) -> list[str]:
    """Those of the final jobs that owe nobody anything."""
    query = select(jobs.c.id).where(jobs.c.id.in_(list(ids)), jobs.c.finished_at.isnot(None), ~_UNSETTLED)
    return [row.id for row in tx.execute(query.with_for_update(of=jobs, skip_locked=True))]


@dataclass(frozen=True, slots=True)
class Passed:
    """Final jobs in the order of their end, behind those that were seen to before."""

    ids: list[str]
    at: datetime | None
    """The end of the last of them."""
    more: bool


def passed(tx: Connection, task: str, namespace: str, *, older_than_seconds: float, limit: int) -> Passed:
    """The next jobs of a namespace for EVENTS or OBJECTS that ended at least so long ago. OBJECTS stops at a job whose
    objects somebody has yet to do something with."""
    ended = jobs.c.finished_at < moment(-max(older_than_seconds, _SETTLE_SECONDS))
    query = select(jobs.c.id, jobs.c.finished_at, _BUSY.label("busy")).where(jobs.c.namespace == namespace, ended)
    last = position(tx, task, namespace)
    if last is not None:
        query = query.where(tuple_(jobs.c.finished_at, jobs.c.id) > tuple_(*_bound(last)))
    rows = list(tx.execute(query.order_by(jobs.c.finished_at, jobs.c.id).limit(limit)))
    more = len(rows) == limit
    for place, row in enumerate(rows):
        if task == OBJECTS and row.busy:
            rows, more = rows[:place], False
            break
    return Passed([row.id for row in rows], rows[-1].finished_at if rows else None, more)


def _bound(last: Any) -> tuple[Any, Any]:
    return literal(last.at, type_=jobs.c.finished_at.type), literal(last.upto, type_=jobs.c.id.type)


def position(tx: Connection, task: str, namespace: str = "") -> Any:
    """How far a task has come, as a row with `at` and `upto`; None before it has begun."""
    mine = and_(retention.c.task == task, retention.c.namespace == namespace)
    return tx.execute(select(retention, moment().label("now")).where(mine)).first()


def keep_position(tx: Connection, task: str, namespace: str = "", *, at: datetime | None, upto: str) -> None:
    """Note how far a task has come. `at` None: the time that it is."""
    dialect_insert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    values = {"at": moment() if at is None else at, "upto": upto}
    statement: Any = dialect_insert(retention).values(task=task, namespace=namespace, **values)
    tx.execute(statement.on_conflict_do_update(index_elements=["task", "namespace"], set_=values))


def forget_events(tx: Connection, ids: Collection[str]) -> int:
    """Delete the events of final jobs; returns how many."""
    return int(tx.execute(delete(events).where(events.c.job_id.in_(list(ids)))).rowcount)


def expire(tx: Connection, ids: Collection[str]) -> tuple[int, set[str]]:
    """Give up the objects of final jobs, whose rows stay; returns how many results that are, and the objects that no
    row points at any more."""
    each = list(ids)
    keys = keys_of(tx, each)
    kept = (results.c.job_id.in_(each)) & results.c.expired_at.is_(None)
    expired = [row.job_id for row in tx.execute(select(results.c.job_id).where(kept))]
    tx.execute(update(results).where(kept).values(expired_at=moment()))
    settle_condition(tx, expired, EXPIRED)
    for column, job_id in (
        (inputs.c.object_key, inputs.c.job_id),
        (circuits.c.object_key, circuits.c.job_id),
        (provider_jobs.c.isa_key, provider_jobs.c.job_id),
    ):
        tx.execute(update(column.table).where(job_id.in_(each), column.isnot(None)).values({column.name: None}))
    return len(expired), keys - with_results(tx, keys)


def forget_audit(tx: Connection, namespace: str | None, *, older_than_seconds: float, limit: int) -> int:
    """Delete the oldest entries of a namespace in the audit trail, for None of those that are of none; returns how
    many."""
    old = (
        select(audit.c.id)
        .where(audit.c.namespace.is_(None) if namespace is None else audit.c.namespace == namespace)
        .where(audit.c.at < moment(-older_than_seconds))
        .order_by(audit.c.at)
        .limit(limit)
    )
    return int(tx.execute(delete(audit).where(audit.c.id.in_(old))).rowcount)
