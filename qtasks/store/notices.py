"""What the webhooks of jobs are to be told: each notice is given to one process at a time, until it is sent or given
up."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, text, update

from qtasks.lifecycle import FINAL
from qtasks.store.alerts import DUE, GIVEN_UP, SENT
from qtasks.store.records import Event, record
from qtasks.store.tables import inputs, jobs, notices
from qtasks.store.types import moment

_IS_DUE = text("notices.state = 'due'")
"""As the partial index has it: a parameter in its place would hide the index."""


@dataclass(frozen=True, slots=True)
class Notice:
    """The end of a job, which this process is to tell its webhook."""

    job_id: str
    namespace: str
    name: str
    phase: str
    reason: str
    message: str
    labels: Mapping[str, str]
    backend: str | None
    cost_micros: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime
    tries: int
    """Which try this is, from 1."""
    age_seconds: float
    """Since the end."""
    target: str = field(repr=False)


def expect(tx: Connection, job_ids: Collection[str]) -> None:
    """Note that the webhooks of new jobs want to be told of their end."""
    if job_ids:
        statement = insert(notices).values(state=DUE, due_at=moment())
        tx.execute(statement, [{"job_id": job_id} for job_id in job_ids])


def take(tx: Connection, *, lease_seconds: float) -> Notice | None:
    """What is to be sent next; new ones first. Nobody else is given it within `lease_seconds`: a process that dies over
    it leaves it to the next one."""
    query = (
        select(jobs, notices.c.tries, inputs.c.resource, moment().label("now"))
        .select_from(notices)
        .join(jobs, jobs.c.id == notices.c.job_id)
        .join(inputs, inputs.c.job_id == notices.c.job_id)
        .where(_IS_DUE, notices.c.due_at <= moment(), jobs.c.phase.in_([phase.value for phase in FINAL]))
        .order_by(notices.c.tries, notices.c.due_at)
        .limit(1)
    )
    row = tx.execute(query.with_for_update(of=notices, skip_locked=True)).first()
    if row is None:
        return None
    tx.execute(
        update(notices).where(notices.c.job_id == row.id).values(tries=row.tries + 1, due_at=moment(lease_seconds))
    )
    return _notice(row)


def _notice(row: Any) -> Notice:
    return Notice(
        job_id=row.id,
        namespace=row.namespace,
        name=row.name,
        phase=row.phase,
        reason=row.reason,
        message=row.message,
        labels=row.resource.get("metadata", {}).get("labels", {}),
        backend=row.backend,
        cost_micros=row.cost_micros,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        tries=row.tries + 1,
        age_seconds=(row.now - row.finished_at).total_seconds(),
        target=row.resource["spec"]["webhook"],
    )


def sent(tx: Connection, notice: Notice) -> bool:
    """Note that it was sent; False when somebody else has it by now."""
    return _end(tx, notice, SENT, Event("WebhookTold", "The webhook was told of the job's end."))


def give_up(tx: Connection, notice: Notice, problem: str) -> bool:
    """Note why it is not sent any more."""
    return _end(tx, notice, GIVEN_UP, Event("WebhookNotTold", problem, warning=True))


def put_off(tx: Connection, notice: Notice, problem: str, *, seconds: float) -> bool:
    """Note why it could not be sent, once, and let it be tried again after `seconds`."""
    mine = _mine(tx, notice, due_at=moment(seconds))
    if mine and notice.tries == 1:
        record(tx, [notice.job_id], Event("WebhookRetrying", problem, warning=True), source=None)
    return mine


def _end(tx: Connection, notice: Notice, state: str, event: Event) -> bool:
    mine = _mine(tx, notice, state=state)
    if mine:
        record(tx, [notice.job_id], event, source=None)
    return mine


def _mine(tx: Connection, notice: Notice, **values: Any) -> bool:
    row = (notices.c.job_id == notice.job_id) & (notices.c.tries == notice.tries) & (notices.c.state == DUE)
    return bool(tx.execute(update(notices).where(row).values(**values)).rowcount)
