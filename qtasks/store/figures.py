"""What is asked for `/metrics`: how much of everything there is, found by indexes, however many jobs are final."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

from sqlalchemy import Connection, Integer, and_, case, func, literal, or_, select, union_all

from qtasks.store import budgets, upkeep
from qtasks.store.balances import Balance, standings
from qtasks.store.budgets import Budget
from qtasks.store.tables import accounts, decisions, jobs, provider_jobs
from qtasks.store.types import UtcDateTime, moment

ENDED_SECONDS = 3600.0
"""How long a job that ended is counted. All that ever ended would be counted by reading a million rows, and would
become fewer as they are deleted; a tally would be one row that everybody who ends a job waits for."""
_LATEST = 100
_A_DAY = 86_400.0
_DUE = or_(jobs.c.not_before.is_(None), jobs.c.not_before <= moment())


@dataclass(frozen=True, slots=True)
class Group:
    """Jobs that have all of this in common."""

    phase: str
    backend: str | None
    priority: int
    namespace: str
    queue: str | None
    """Where they wait for a worker, or are worked on; None at a provider and when they are final."""
    state: str
    """`queued`: they may start; `later`: not yet; `running`: held by a worker; `away`: at a provider, or waiting for
    their turn there; `ended`."""
    jobs: int
    oldest_seconds: float
    """How long the first of those that are queued could have started."""
    cost_micros: int


def groups(tx: Connection) -> list[Group]:
    """All jobs that are not final, and those that ended within the last hour."""
    common = (jobs.c.phase, jobs.c.backend, jobs.c.priority, jobs.c.namespace)

    def arm(state: Any, queue: Any, where: Any) -> Any:
        since = func.min(func.coalesce(jobs.c.not_before, jobs.c.created_at), type_=UtcDateTime())
        cost = func.coalesce(func.sum(jobs.c.cost_micros), 0).cast(Integer)
        rows = select(*common, queue.label("queue"), state.label("state"), func.count().label("jobs"), since, cost)
        return rows.where(where).group_by(*common, queue, state)

    lately = and_(jobs.c.finished_at.isnot(None), jobs.c.finished_at > moment(-ENDED_SECONDS))
    nowhere = literal(None, jobs.c.queue.type)
    waiting = case((_DUE, "queued"), else_="later")
    away = and_(
        jobs.c.stage.is_(None), jobs.c.owner.is_(None), jobs.c.account.isnot(None), jobs.c.finished_at.is_(None)
    )
    rows = union_all(
        arm(waiting, jobs.c.queue, and_(jobs.c.stage.isnot(None), jobs.c.owner.is_(None))),
        arm(literal("running"), jobs.c.queue, jobs.c.owner.isnot(None)),
        arm(literal("away"), nowhere, away),
        arm(literal("ended"), nowhere, and_(jobs.c.namespace.in_(_namespaces()), lately)),
    )
    now = upkeep.now(tx)
    found = []
    for row in tx.execute(rows):
        phase, backend, priority, namespace, queue, state, number, since, cost = row
        found.append(Group(phase, backend, priority, namespace, queue, state, number, _seconds(since, now), int(cost)))
    return found


def _namespaces() -> Any:
    """Those that have jobs: one search of ix_jobs_list for each. The index of what is final begins with them, and not
    every database skips a column by itself."""
    each = select(func.min(jobs.c.namespace).label("namespace")).cte("each_namespace", recursive=True)
    other = jobs.alias("other_jobs")
    after = select(func.min(other.c.namespace)).where(other.c.namespace > each.c.namespace).scalar_subquery()
    each = each.union_all(select(after).where(each.c.namespace.isnot(None)))
    return select(each.c.namespace).where(each.c.namespace.isnot(None))


def _seconds(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else max(0.0, (now - since).total_seconds())


@dataclass(frozen=True, slots=True)
class AccountFigures:
    """How an account's polling goes."""

    name: str
    lag_seconds: float
    """For how long it is due and nobody visits it."""
    failures: int
    """Visits in a row without an answer."""
    error_seconds: float | None
    """Median of |real − estimated start| of its latest jobs; None without any."""
    bias_seconds: float | None
    """Median of real − estimated."""


def of_accounts(tx: Connection) -> list[AccountFigures]:
    """The accounts that there are."""
    now = upkeep.now(tx)
    found = []
    for row in tx.execute(select(accounts)):
        visited = row.owner is not None and row.lease_until is not None and row.lease_until > now
        lag = 0.0 if visited else _seconds(row.due_at, now)
        off = _off(tx, row.name) if row.polled_at is not None else []
        error, bias = (median(map(abs, off)), median(off)) if off else (None, None)
        found.append(AccountFigures(row.name, lag, row.failures, error, bias))
    return found


def _off(tx: Connection, account: str) -> list[float]:
    """How many seconds later than estimated the latest jobs of an account started."""
    same = and_(provider_jobs.c.job_id == decisions.c.job_id, provider_jobs.c.attempt == decisions.c.attempt)
    rows = tx.execute(
        select(decisions.c.at, decisions.c.wait_seconds, provider_jobs.c.running_at)
        .join(decisions, same)
        .where(
            provider_jobs.c.account == account,
            provider_jobs.c.finished_at > moment(-_A_DAY),
            provider_jobs.c.running_at.isnot(None),
            decisions.c.wait_seconds.isnot(None),
        )
        .order_by(provider_jobs.c.finished_at.desc())
        .limit(_LATEST)
    )
    return [(row.running_at - row.at).total_seconds() - row.wait_seconds for row in rows]


def of_budgets(tx: Connection) -> list[tuple[Budget, Balance]]:
    """Every budget with what counts in its current period."""
    kept = budgets.walk(tx)
    standing = standings(tx, kept, upkeep.now(tx)) if kept else {}
    return [(budget, standing[budget.id]) for budget in kept]


def workers_by_queue(tx: Connection, *, within_seconds: float) -> Counter[str]:
    """How many workers consume each queue that were heard of lately."""
    return Counter(queue for row in upkeep.live_workers(tx, within_seconds=within_seconds) for queue in row.queues)
