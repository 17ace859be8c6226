"""Results that are still to be written where their users want a copy: each is given to one process at a time, until it
is there, refused or given up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from qtasks.errors import Conflict, InvalidInput
from qtasks.lifecycle import ConditionStatus, ConditionType, Phase
from qtasks.store.records import Condition, Event, record, settle_condition
from qtasks.store.tables import inputs, jobs, outputs
from qtasks.store.types import moment

DUE, DELIVERED, REFUSED, GIVEN_UP = "due", "delivered", "refused", "given_up"

_IS_DUE = text("state = 'due'")
"""As the partial index has it: a parameter in its place would hide the index."""


@dataclass(frozen=True, slots=True)
class Try:
    """A result that this process is to deliver."""

    job_id: str
    number: int
    """Which try this is, from 1: a later one's notes count, an earlier one's do not."""
    now: datetime
    since: datetime
    """When the delivery was first due, or was asked for again."""
    problem: str | None = None
    """Of the try before."""

    @property
    def age_seconds(self) -> float:
        return (self.now - self.since).total_seconds()


def begin(tx: Connection, job_id: str, *, lease_seconds: float) -> Try | None:
    """Have a Completed job's result delivered; the first try is the caller's own. None: it is known of already.

    Nobody else is given it within `lease_seconds`: a process that dies over it leaves it to the next one.
    """
    dialect_insert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    row = {"job_id": job_id, "state": DUE, "tries": 1, "since": moment(), "due_at": moment(lease_seconds)}
    statement: Any = dialect_insert(outputs).values(**row)
    statement = statement.on_conflict_do_nothing(index_elements=["job_id"]).returning(outputs.c.since)
    since = tx.execute(statement).scalar()
    return None if since is None else Try(job_id, 1, since, since)


def expect(tx: Connection, job_id: str) -> None:
    """Have a Completed job's result delivered by whoever asks for what is due; nothing where it is known of already."""
    dialect_insert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    row = {"job_id": job_id, "state": DUE, "tries": 0, "since": moment(), "due_at": moment()}
    statement: Any = dialect_insert(outputs).values(**row)
    tx.execute(statement.on_conflict_do_nothing(index_elements=["job_id"]))


def take(tx: Connection, *, lease_seconds: float) -> Try | None:
    """What is to be delivered next; what was tried least comes first, so that places that do not answer keep nobody
    waiting. The lease is as in `begin`."""
    query = (
        select(outputs, moment().label("now"))
        .where(_IS_DUE, outputs.c.due_at <= moment())
        .order_by(outputs.c.tries, outputs.c.due_at)
        .limit(1)
    )
    row = tx.execute(query.with_for_update(of=outputs, skip_locked=True)).first()
    if row is None:
        return None
    taken = Try(row.job_id, row.tries + 1, row.now, row.since, row.problem)
    values = {"tries": taken.number, "due_at": moment(lease_seconds)}
    tx.execute(update(outputs).where(outputs.c.job_id == row.job_id).values(**values))
    return taken


def delivered(tx: Connection, attempt: Try) -> bool:
    """Note that a result is where it should be; False when somebody else sees to it by now."""
    return _note(tx, attempt, state=DELIVERED, ended_at=moment(), problem=None)


def put_off(tx: Connection, attempt: Try, problem: str, *, seconds: float) -> bool:
    """Note why a result could not be delivered, and let it be tried again after `seconds`."""
    return _note(tx, attempt, due_at=moment(seconds), problem=problem)


def end(tx: Connection, attempt: Try, problem: str, *, state: str) -> bool:
    """Note why a result is not delivered: REFUSED or GIVEN_UP."""
    return _note(tx, attempt, state=state, ended_at=moment(), problem=problem)


def again(tx: Connection, job_id: str, *, source: str | None) -> None:
    """Have the result of a Completed job delivered again, whatever came of it before; `source` is who asks.

    Raises Conflict (`JobNotCompleted`) or InvalidInput (`NoOutput`).
    """
    row = tx.execute(select(jobs.c.phase, inputs.c.resource).join(inputs).where(jobs.c.id == job_id)).one()
    if row.phase != Phase.COMPLETED:
        raise Conflict(
            f"The job is {row.phase}: only the result of a Completed one is delivered.",
            reason="JobNotCompleted",
            hint="A job's result is delivered as soon as there is one.",
        )
    if row.resource["spec"].get("output") is None:
        raise InvalidInput(
            "The job has no spec.output, so there is nowhere to deliver its result to.",
            reason="NoOutput",
            hint=f"Fetch it: qtasks results {job_id}",
        )
    dialect_insert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    # Tries go on counting: what one that is still under way has to say must not pass for the next one's word.
    fresh = {"state": DUE, "since": moment(), "due_at": moment(), "ended_at": None}
    more = {"tries": outputs.c.tries + 1, "problem": None}
    statement: Any = dialect_insert(outputs).values(job_id=job_id, tries=0, **fresh)
    tx.execute(statement.on_conflict_do_update(index_elements=["job_id"], set_=fresh | more))
    message = "The result is to be delivered again, by request."
    condition = Condition(ConditionType.OUTPUT_DELIVERED, ConditionStatus.UNKNOWN, "OutputAsked", message)
    settle_condition(tx, [job_id], condition)
    record(tx, [job_id], Event("OutputAsked", message), source=source)


def _note(tx: Connection, attempt: Try, **values: Any) -> bool:
    mine = (outputs.c.job_id == attempt.job_id) & (outputs.c.tries == attempt.number) & (outputs.c.state == DUE)
    return bool(tx.execute(update(outputs).where(mine).values(**values)).rowcount)
