"""What is written down about a job as it goes: events, which pile up, and conditions, which are replaced."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, case, insert, literal, select, text
from sqlalchemy.dialects import postgresql, sqlite

from qtasks.lifecycle import ConditionStatus, ConditionType
from qtasks.store.tables import conditions, events, jobs
from qtasks.store.types import moment


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a job: a CamelCase reason and one sentence."""

    reason: str
    message: str
    warning: bool = False

    def __post_init__(self) -> None:
        # May be a user's own words; PostgreSQL keeps no NUL.
        object.__setattr__(self, "message", self.message.replace("\0", "\ufffd"))


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that is known of a job, in the form of Kubernetes' conditions."""

    type: ConditionType
    status: ConditionStatus
    reason: str
    message: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", self.message.replace("\0", "\ufffd"))


@dataclass(frozen=True, slots=True)
class PastEvent:
    at: datetime
    reason: str
    message: str
    warning: bool
    attempt: int
    source: str | None


@dataclass(frozen=True, slots=True)
class KnownCondition:
    condition: Condition
    changed_at: datetime


_RECORD = text("""
INSERT INTO events (job_id, at, warning, reason, message, attempt, source)
SELECT id, clock_timestamp(), :warning, :reason, :message, attempt, :source
FROM jobs WHERE id = ANY(CAST(string_to_array(:ids, ',') AS uuid[]))
""")


def record(tx: Connection, ids: Collection[str], event: Event, *, source: str | None = None) -> None:
    """Write the same event for every job of `ids`, in one statement."""
    if not ids:
        return
    if tx.dialect.name == "postgresql":
        parameters = {"ids": ",".join(ids), "warning": event.warning, "reason": event.reason}
        tx.execute(_RECORD, {**parameters, "message": event.message, "source": source})
        return
    rows = select(
        jobs.c.id,
        moment(),
        literal(event.warning),
        literal(event.reason),
        literal(event.message),
        jobs.c.attempt,
        literal(source, type_=events.c.source.type),
    ).where(jobs.c.id.in_(list(ids)))
    columns = ("job_id", "at", "warning", "reason", "message", "attempt", "source")
    tx.execute(insert(events).from_select(columns, rows, include_defaults=False))


def settle_condition(tx: Connection, ids: Collection[str], condition: Condition) -> None:
    """Set the same condition for every job of `ids`; its time changes only when its status does."""
    if not ids:
        return
    rows = select(
        jobs.c.id,
        literal(condition.type.value),
        literal(condition.status.value),
        literal(condition.reason),
        literal(condition.message),
        moment(),
    ).where(jobs.c.id.in_(list(ids)))
    columns = ["job_id", "type", "status", "reason", "message", "changed_at"]
    dialect_insert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    statement: Any = dialect_insert(conditions).from_select(columns, rows, include_defaults=False)
    new = statement.excluded
    tx.execute(
        statement.on_conflict_do_update(
            index_elements=["job_id", "type"],
            set_={
                "status": new.status,
                "reason": new.reason,
                "message": new.message,
                "changed_at": case((conditions.c.status == new.status, conditions.c.changed_at), else_=new.changed_at),
            },
        )
    )


def events_of(tx: Connection, job_id: str, *, after: int = 0) -> list[tuple[int, PastEvent]]:
    """The events of a job since event number `after`, oldest first, with their numbers."""
    columns = (events.c.at, events.c.reason, events.c.message, events.c.warning, events.c.attempt, events.c.source)
    rows = tx.execute(
        select(events.c.id, *columns).where(events.c.job_id == job_id, events.c.id > after).order_by(events.c.id)
    )
    return [(row[0], PastEvent(*row[1:])) for row in rows]


def conditions_of(tx: Connection, ids: Sequence[str]) -> dict[str, list[KnownCondition]]:
    """The conditions of each job, in the order in which a job acquires them."""
    found: dict[str, list[KnownCondition]] = {job_id: [] for job_id in ids}
    for row in tx.execute(select(conditions).where(conditions.c.job_id.in_(list(ids)))):
        condition = Condition(ConditionType(row.type), ConditionStatus(row.status), row.reason, row.message)
        found[row.job_id].append(KnownCondition(condition, row.changed_at))
    order = list(ConditionType)
    for known in found.values():
        known.sort(key=lambda k: order.index(k.condition.type))
    return found
