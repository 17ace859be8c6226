"""Accounts as the queue knows them: when they are due, who visits them, how fast jobs may be handed over.

What an account is lies in QTASKS_CONFIG; a row here is made when the first job is scheduled under it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, and_, case, func, or_, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from qtasks.lifecycle import ConditionStatus, ConditionType, Phase, Queue, Stage
from qtasks.store.claims import next_fence
from qtasks.store.records import Condition, settle_condition
from qtasks.store.tables import accounts, jobs, past_uses, provider_jobs
from qtasks.store.types import moment

AnyRow: TypeAlias = Row[*tuple[Any, ...]]

_PROBLEM = 300
"""Longest message that is kept of a trouble."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A fenced right to look after an account's jobs at its provider."""

    account: str
    owner: str
    fence: int
    failures: int


@dataclass(frozen=True, slots=True)
class Use:
    """Quantum time that a job used, and when it finished."""

    at: datetime
    seconds: float


def ensure(tx: Connection, name: str, provider: str) -> None:
    """Make the row of an account, unless it is there."""
    dialect_insert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    statement: Any = dialect_insert(accounts).values(
        name=name, provider=provider, due_at=moment(), refilled_at=moment()
    )
    tx.execute(statement.on_conflict_do_nothing())


def names(tx: Connection) -> dict[str, str]:
    """The accounts that have a row, with their providers."""
    return {row.name: row.provider for row in tx.execute(select(accounts.c.name, accounts.c.provider))}


def take_due(tx: Connection, *, owner: str, lease_seconds: float, only: str | None = None) -> Visit | None:
    """Claim the account that has been due for longest; None when none is, or others visit those that are."""
    due = and_(accounts.c.due_at <= moment(), or_(accounts.c.owner.is_(None), accounts.c.lease_until < moment()))
    if only is not None:
        due = and_(due, accounts.c.name == only)
    name = tx.execute(
        select(accounts.c.name).where(due).order_by(accounts.c.due_at).limit(1).with_for_update(skip_locked=True)
    ).scalar()
    if name is None:
        return None
    row = tx.execute(
        update(accounts)
        .where(accounts.c.name == name, due)
        .values(owner=owner, fence=next_fence(tx), lease_until=moment(lease_seconds), due_at=moment(lease_seconds))
        .returning(accounts.c.fence, accounts.c.failures)
    ).first()
    return None if row is None else Visit(name, owner, row.fence, row.failures)


def renew(tx: Connection, visit: Visit, *, lease_seconds: float) -> bool:
    """Lengthen a visit; False when somebody else has taken the account over."""
    until = moment(lease_seconds)
    values = {"lease_until": until, "due_at": case((_WOKEN, accounts.c.due_at), else_=until)}
    return bool(tx.execute(update(accounts).where(_mine(visit)).values(**values)).rowcount)


def mine(tx: Connection, visit: Visit) -> bool:
    """Whether nobody else has taken the account over; nobody can until the transaction ends."""
    query = select(accounts.c.name).where(_mine(visit))
    return tx.execute(query.with_for_update()).first() is not None


def leave(tx: Connection, visit: Visit, *, due_seconds: float | None) -> None:
    """End a visit that was answered; the account is due again in `due_seconds`, or when somebody wakes it. Why it is
    paused, if it is, stays known."""
    paused = accounts.c.paused_until > moment()
    due = moment(_A_DAY if due_seconds is None else due_seconds)
    tx.execute(
        update(accounts)
        .where(_mine(visit))
        .values(
            owner=None,
            lease_until=None,
            failures=0,
            reason=case((paused, accounts.c.reason), else_=None),
            message=case((paused, accounts.c.message), else_=None),
            polled_at=moment(),
            due_at=case((_WOKEN & (accounts.c.due_at < due), accounts.c.due_at), else_=due),
        )
    )


_WOKEN = accounts.c.due_at < accounts.c.lease_until
"""Somebody woke the account since its visit began, which made it due when its lease ends and no earlier."""
_A_DAY = 86_400.0
"""When an account without open jobs is looked at again, if nothing wakes it."""


def leave_unanswered(tx: Connection, visit: Visit, *, due_seconds: float, reason: str, message: str) -> None:
    """End a visit that the provider did not answer as it should."""
    tx.execute(
        update(accounts)
        .where(_mine(visit))
        .values(
            owner=None,
            lease_until=None,
            failures=accounts.c.failures + 1,
            reason=reason,
            message=message[:_PROBLEM],
            due_at=moment(due_seconds),
        )
    )


def _mine(visit: Visit) -> Any:
    return and_(accounts.c.name == visit.account, accounts.c.fence == visit.fence, accounts.c.owner == visit.owner)


def pause(tx: Connection, name: str, *, seconds: float, reason: str, message: str) -> None:
    """Hand nothing over to an account's provider for a while."""
    until = moment(seconds)
    tx.execute(
        update(accounts)
        .where(accounts.c.name == name, or_(accounts.c.paused_until.is_(None), accounts.c.paused_until < until))
        .values(paused_until=until, reason=reason, message=message[:_PROBLEM])
    )


def wake(tx: Connection, names: Sequence[str], *, in_seconds: float = 0.0) -> None:
    """Make accounts due no later than in so many seconds."""
    when = moment(in_seconds)
    tx.execute(update(accounts).where(accounts.c.name.in_(list(names)), accounts.c.due_at > when).values(due_at=when))


def wake_of_jobs(tx: Connection, ids: Sequence[str]) -> list[str]:
    """Make the accounts due at which jobs of `ids` are, or may be, at the provider; returns their names."""
    there = select(provider_jobs.c.account).where(provider_jobs.c.job_id.in_(list(ids)), ~provider_jobs.c.settled)
    rows = tx.execute(
        update(accounts).where(accounts.c.name.in_(there)).values(due_at=moment()).returning(accounts.c.name)
    )
    return [row.name for row in rows]


def keep_allowance(tx: Connection, name: str, allowance: Mapping[str, Any] | None) -> None:
    """Note what the provider says of an account's allowance."""
    tx.execute(update(accounts).where(accounts.c.name == name).values(allowance=allowance, allowance_at=moment()))


def get(tx: Connection, name: str, *, lock: bool = False) -> AnyRow | None:
    """The row of an account and the database's `now`; with `lock`, nobody else hands jobs over meanwhile."""
    query = select(*accounts.c, moment().label("now")).where(accounts.c.name == name)
    if lock and tx.dialect.name == "postgresql":
        query = query.with_for_update()
    return tx.execute(query).first()


def spend(tx: Connection, name: str, *, tokens: float) -> None:
    """Note how many jobs may still be handed over at once."""
    tx.execute(update(accounts).where(accounts.c.name == name).values(tokens=tokens, refilled_at=moment()))


def uses(tx: Connection, name: str, *, days: int) -> list[Use]:
    """The quantum time that the jobs of an account used in the last `days` days, by when they finished."""
    used = (
        (provider_jobs.c.account == name)
        & (provider_jobs.c.finished_at > moment(-86_400.0 * days))
        & (provider_jobs.c.quantum_seconds > 0)
        & provider_jobs.c.settled
    )
    gone = (past_uses.c.account == name) & (past_uses.c.finished_at > moment(-86_400.0 * days))
    there = select(provider_jobs.c.finished_at, provider_jobs.c.quantum_seconds).where(used)
    every = there.union_all(select(past_uses.c.finished_at, past_uses.c.quantum_seconds).where(gone))
    return [Use(row.finished_at, row.quantum_seconds) for row in tx.execute(every.order_by("finished_at"))]


@dataclass(frozen=True, slots=True)
class Load:
    """What is under way of an account's jobs."""

    parked: int
    """Scheduled, and waiting for their turn."""
    open: int
    """On the way to the provider, or there."""
    reserved_seconds: float
    """Quantum time that those are thought to need."""


def load(tx: Connection, name: str) -> Load:
    parked = select(func.count()).select_from(jobs).where(jobs.c.account == name, _PARKED)
    coming = (
        select(func.count())
        .select_from(jobs)
        .where(jobs.c.account == name, jobs.c.stage == Stage.EXECUTION.value, jobs.c.finished_at.is_(None))
    )
    there = (provider_jobs.c.account == name) & ~provider_jobs.c.settled
    # A job on its way has an intent already when its worker died, and counts once.
    known = select(func.count()).select_from(provider_jobs).where(there, provider_jobs.c.provider_job_id.isnot(None))
    reserved = select(func.coalesce(func.sum(provider_jobs.c.estimated_seconds), 0.0)).where(there)
    row = tx.execute(
        select(
            parked.scalar_subquery(),
            coming.scalar_subquery() + known.scalar_subquery(),
            reserved.scalar_subquery(),
        )
    ).one()
    return Load(int(row[0]), int(row[1]), float(row[2]))


_PARKED = (jobs.c.phase == Phase.SCHEDULING.value) & jobs.c.stage.is_(None) & jobs.c.finished_at.is_(None)


_NEXT = """
SELECT id, name, priority, explained FROM (
    SELECT id, name, priority, created_at, reason IS NOT NULL AS explained,
        CASE WHEN priority <= 3 THEN priority
            ELSE {greatest}(3, priority - 3 * CAST({floor}({age} / :ageing) AS integer)) END AS level,
        row_number() OVER (PARTITION BY namespace, priority ORDER BY created_at, id) AS turn
    FROM jobs WHERE account = :account AND stage IS NULL AND phase = 'Scheduling' AND finished_at IS NULL
) waiting ORDER BY level, turn, created_at, id LIMIT :limit
"""
_AGE = {
    "postgresql": "extract(epoch FROM statement_timestamp() - created_at)",
    "sqlite": "((julianday('now') - julianday(created_at)) * 86400.0)",
}


def unpark(tx: Connection, name: str, *, limit: int, ageing_seconds: float) -> list[AnyRow]:
    """Send up to `limit` parked jobs of an account on to execution: the most urgent first, where waiting lifts a job a
    level every `ageing_seconds` (see `scheduling.fairness.aged`), and at one level the namespaces in turn. Returns (id,
    name, priority, explained): whether it had been said why the job waits."""
    postgresql = tx.dialect.name == "postgresql"
    # SQLite's CAST truncates, and may have no floor(); PostgreSQL's rounds.
    words = {"greatest": "greatest", "floor": "floor"} if postgresql else {"greatest": "max", "floor": ""}
    query = _NEXT.format(age=_AGE[tx.dialect.name], **words)
    statement = text(query).columns(jobs.c.id, jobs.c.name, jobs.c.priority)
    chosen = tx.execute(statement, {"account": name, "ageing": ageing_seconds, "limit": limit}).all()
    if not chosen:
        return []
    going = tx.execute(
        update(jobs)
        .where(jobs.c.id.in_([row.id for row in chosen]), _PARKED)
        .values(stage=Stage.EXECUTION.value, queue=Queue.PROVIDER.value, not_before=None, reason=None, message=None)
        .returning(jobs.c.id)
    )
    ids = {row.id for row in going}
    return [row for row in chosen if row.id in ids]


def states(tx: Connection) -> dict[str, AnyRow]:
    """Every account's row, by name."""
    return {row.name: row for row in tx.execute(select(*accounts.c, moment().label("now")))}


def explain(tx: Connection, name: str, reason: str, message: str) -> None:
    """Say of the parked jobs of an account why they wait. Thousands may, and be looked at every few seconds: those that
    say so already are let be."""
    silent = or_(jobs.c.message.is_(None), jobs.c.message != message)
    rows = tx.execute(
        update(jobs)
        .where(jobs.c.account == name, _PARKED, silent)
        .values(reason=reason, message=message)
        .returning(jobs.c.id)
    )
    condition = Condition(ConditionType.SCHEDULED, ConditionStatus.FALSE, reason, message)
    settle_condition(tx, [row.id for row in rows], condition)
