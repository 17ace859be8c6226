"""One change to many jobs, with its events, conditions and attempts: one statement on PostgreSQL, steps on SQLite.

A job's way through the queue is a handful of such changes, and round trips are what a small job costs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, TextualSelect, literal, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from qtasks.lifecycle import Phase, sources
from qtasks.store.records import Condition, Event, record, settle_condition
from qtasks.store.tables import attempts, jobs
from qtasks.store.types import moment


@dataclass(frozen=True, slots=True)
class FromNow:
    """A moment by the database's clock, in seconds from now."""

    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Plus:
    """The column's own value and this much more."""

    amount: int


@dataclass(frozen=True, slots=True)
class Change:
    """What is written about jobs: `values` by column (plain, FromNow or Plus), and what is noted down with them."""

    phase: Phase
    values: Mapping[str, Any]
    events: Sequence[Event] = ()
    conditions: Sequence[Condition] = ()
    opens: str | None = None
    """The backend on which the current attempt starts."""
    closes: Event | None = None
    """Why the open attempt ends; its outcome is the phase, Failed for one that is to be retried."""


def write(tx: Connection, change: Change, *, ids: Collection[str], fence: int, owner: str) -> set[str]:
    """Change those of `ids` that are still held under `fence` by `owner`, from a phase that may lead to the new one.

    Returns their ids; the others were cancelled or taken over meanwhile, and nothing is written of them.
    """
    if not ids:
        return set()
    if tx.dialect.name == "postgresql":
        return _at_once(tx, change, ids, fence, owner)
    return _in_steps(tx, change, ids, fence, owner)


_OUTCOME = {Phase.RETRYING: Phase.FAILED.value}

_MOVED = """
WITH moved AS (
    UPDATE jobs SET {assignments}
    WHERE id = ANY(CAST(string_to_array(:ids, ',') AS uuid[])) AND fence = :fence AND owner = :owner
        AND phase = ANY(:sources)
    RETURNING id, attempt
)"""
_NOTED = """, noted AS (
    INSERT INTO events (job_id, at, warning, reason, message, attempt, source)
    SELECT moved.id, clock_timestamp(), e.warning, e.reason, e.message, moved.attempt, :owner
    FROM moved, unnest(CAST(:warnings AS boolean[]), CAST(:reasons AS text[]), CAST(:messages AS text[]))
        WITH ORDINALITY AS e(warning, reason, message, place)
    ORDER BY e.place, moved.id
)"""
_SETTLED = """, settled AS (
    INSERT INTO conditions (job_id, type, status, reason, message, changed_at)
    SELECT moved.id, c.type, c.status, c.reason, c.message, clock_timestamp()
    FROM moved, unnest(CAST(:condition_types AS text[]), CAST(:condition_statuses AS text[]),
        CAST(:condition_reasons AS text[]), CAST(:condition_messages AS text[])) AS c(type, status, reason, message)
    ON CONFLICT (job_id, type) DO UPDATE SET
        status = excluded.status, reason = excluded.reason, message = excluded.message,
        changed_at = CASE WHEN conditions.status = excluded.status
            THEN conditions.changed_at ELSE excluded.changed_at END
)"""
_OPENED = """, opened AS (
    INSERT INTO attempts (job_id, attempt, backend, worker, started_at)
    SELECT id, attempt, :opens, :owner, clock_timestamp() FROM moved
    ON CONFLICT DO NOTHING
)"""
_CLOSED = """, closed AS (
    UPDATE attempts SET finished_at = clock_timestamp(), outcome = :outcome, reason = :closing_reason,
        message = :closing_message
    FROM moved WHERE attempts.job_id = moved.id AND attempts.finished_at IS NULL
)"""

_SELECTED = "\nSELECT id FROM moved"
# A step on the way that a crash of the database undoes is done again: the claim's later writes miss. Only what somebody
# was told, a submission or an end, has to wait for the disk.
_SELECTED_EASILY = "\nSELECT id FROM moved, (SELECT set_config('synchronous_commit', 'off', true)) AS eased"


@lru_cache(maxsize=256)
def _statement(
    assignments: tuple[tuple[str, type], ...], *, noted: bool, settled: bool, opened: bool, closed: bool, durable: bool
) -> TextualSelect:
    forms = {FromNow: "clock_timestamp() + make_interval(secs => :v_{0})", Plus: "{0} + :v_{0}"}
    written = ", ".join(f'"{name}" = {forms.get(kind, ":v_{0}").format(name)}' for name, kind in assignments)
    parts = [_MOVED.format(assignments=written)]
    parts += [_NOTED] if noted else []
    parts += [_SETTLED] if settled else []
    parts += [_OPENED] if opened else []
    parts += [_CLOSED] if closed else []
    return text("".join(parts) + (_SELECTED if durable else _SELECTED_EASILY)).columns(jobs.c.id)


def _at_once(tx: Connection, change: Change, ids: Collection[str], fence: int, owner: str) -> set[str]:
    values = {"phase": change.phase.value, **change.values}
    parameters: dict[str, Any] = {
        # One text: the driver looks at every element of a list, and takes longer for a hundred ids than the server.
        "ids": ",".join(ids),
        "fence": fence,
        "owner": owner,
        "sources": [phase.value for phase in sources(change.phase)],
    }
    for name, value in values.items():
        plain = value.seconds if isinstance(value, FromNow) else value.amount if isinstance(value, Plus) else value
        parameters[f"v_{name}"] = plain
    if change.events:
        parameters["warnings"] = [event.warning for event in change.events]
        parameters["reasons"] = [event.reason for event in change.events]
        parameters["messages"] = [event.message for event in change.events]
    if change.conditions:
        parameters["condition_types"] = [condition.type.value for condition in change.conditions]
        parameters["condition_statuses"] = [condition.status.value for condition in change.conditions]
        parameters["condition_reasons"] = [condition.reason for condition in change.conditions]
        parameters["condition_messages"] = [condition.message for condition in change.conditions]
    if change.opens is not None:
        parameters["opens"] = change.opens
    if change.closes is not None:
        parameters["outcome"] = _OUTCOME.get(change.phase, change.phase.value)
        parameters["closing_reason"], parameters["closing_message"] = change.closes.reason, change.closes.message
    kinds = tuple(
        (name, type(value) if isinstance(value, (FromNow, Plus)) else object) for name, value in values.items()
    )
    statement = _statement(
        kinds,
        noted=bool(change.events),
        settled=bool(change.conditions),
        opened=change.opens is not None,
        closed=change.closes is not None,
        durable=change.phase.final or change.closes is not None,
    )
    return {row.id for row in tx.execute(statement, parameters)}


def _in_steps(tx: Connection, change: Change, ids: Collection[str], fence: int, owner: str) -> set[str]:
    columns = {
        name: moment(value.seconds)
        if isinstance(value, FromNow)
        else jobs.c[name] + value.amount
        if isinstance(value, Plus)
        else value
        for name, value in change.values.items()
    }
    mine = (jobs.c.id.in_(list(ids))) & (jobs.c.fence == fence) & (jobs.c.owner == owner)
    moved = tx.execute(
        update(jobs)
        .where(mine, jobs.c.phase.in_(sources(change.phase)))
        .values(phase=change.phase.value, **columns)
        .returning(jobs.c.id)
    )
    held = {row.id for row in moved}
    for event in change.events:
        record(tx, held, event, source=owner)
    for condition in change.conditions:
        settle_condition(tx, held, condition)
    if change.opens is not None:
        begin_attempts(tx, held, backend=change.opens, worker=owner)
    if change.closes is not None:
        end_attempts(tx, held, change.phase, change.closes)
    return held


def begin_attempts(tx: Connection, ids: Collection[str], *, backend: str | None = None, worker: str) -> None:
    """Write down that the current attempt of each job starts now, on `backend` or on what was chosen for it; a takeover
    finds it written already."""
    if not ids:
        return
    where: Any = jobs.c.backend if backend is None else literal(backend)
    rows = select(jobs.c.id, jobs.c.attempt, where, literal(worker), moment()).where(
        jobs.c.id.in_(list(ids)), jobs.c.owner == worker
    )
    dialect_insert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    statement: Any = dialect_insert(attempts).from_select(
        ["job_id", "attempt", "backend", "worker", "started_at"], rows, include_defaults=False
    )
    tx.execute(statement.on_conflict_do_nothing())


def end_attempts(tx: Connection, ids: Collection[str], phase: Phase, event: Event) -> None:
    """Close the open attempt of each job: its outcome is the phase, Failed for one that is to be retried."""
    if not ids:
        return
    tx.execute(
        update(attempts)
        .where(attempts.c.job_id.in_(list(ids)), attempts.c.finished_at.is_(None))
        .values(
            finished_at=moment(),
            outcome=_OUTCOME.get(phase, phase.value),
            reason=event.reason,
            message=event.message,
        )
    )
