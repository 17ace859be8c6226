"""Jobs that wait for a budget: what each asks for, so that only those are woken for which there is something now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, exists, select, update
from sqlalchemy.dialects import postgresql, sqlite

from qtasks.lifecycle import Queue
from qtasks.store import balances, budgets
from qtasks.store.accounts import AnyRow
from qtasks.store.balances import RESERVED, Balance
from qtasks.store.budgets import Budget
from qtasks.store.charging import REASONS, Charge, fits
from qtasks.store.tables import budget_waits, jobs
from qtasks.store.types import moment

_LOOKED_AT = 10_000
"""Waiting jobs that are looked at in one go, the most urgent first."""

_WAITING = (
    (jobs.c.queue == Queue.SCHEDULING.value)
    & jobs.c.stage.isnot(None)
    & jobs.c.owner.is_(None)
    & jobs.c.finished_at.is_(None)
    & jobs.c.reason.in_(REASONS)
)


def note(tx: Connection, refused: Sequence[Charge], now: datetime) -> None:
    """Keep what refused jobs ask for."""
    if not refused:
        return
    dialect_insert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    statement: Any = dialect_insert(budget_waits)
    names = ("cost_center", "labels", "micros", "quantum", "refused_at")
    new = {name: statement.excluded[name] for name in names}
    rows = [
        {
            "job_id": charge.job_id,
            "cost_center": charge.cost_center,
            "labels": dict(charge.labels),
            "micros": charge.micros,
            "quantum": charge.quantum,
            "refused_at": now,
        }
        for charge in refused
    ]
    tx.execute(statement.on_conflict_do_update(index_elements=["job_id"], set_=new), rows)


def waiting_for_budget(tx: Connection, *, namespace: str | None = None, limit: int = _LOOKED_AT) -> list[AnyRow]:
    """The jobs that wait for a budget, the most urgent and then the oldest first: id, namespace, name, priority,
    reason, message, and what they ask for (cost_center, labels, micros, quantum, refused_at)."""
    columns = (jobs.c.id, jobs.c.namespace, jobs.c.name, jobs.c.priority, jobs.c.reason, jobs.c.message)
    query = select(*columns, *budget_waits.c).join(budget_waits, budget_waits.c.job_id == jobs.c.id).where(_WAITING)
    if namespace is not None:
        query = query.where(jobs.c.namespace == namespace)
    return list(tx.execute(query.order_by(jobs.c.priority, jobs.c.created_at, jobs.c.id).limit(limit)))


def wake(tx: Connection, *, limit: int = 500) -> list[AnyRow]:
    """Let waiting jobs be scheduled at once for which there is something: a budget was raised or is gone, a period has
    turned, or others used less than was reserved for them. Returns those (id, name, priority). `reserve` decides.

    A transaction of its own: it locks jobs. Cheap when nobody waits.
    """
    rows = waiting_for_budget(tx)
    gone = ~exists().where(jobs.c.id == budget_waits.c.job_id, _WAITING)
    if rows:
        now = tx.execute(select(moment())).scalar_one()
        kept = budgets.may_cover(tx, {row.namespace for row in rows})
        stand = balances.standings(tx, kept, now)
        chosen = [row.id for row in rows if _has_room(row, kept, stand)][:limit]
        free = select(jobs.c.id, jobs.c.name, jobs.c.priority).where(jobs.c.id.in_(chosen), _WAITING)
        woken = list(tx.execute(free.order_by(jobs.c.id).with_for_update(skip_locked=True, key_share=True)))
        ids = [row.id for row in woken]
        tx.execute(update(jobs).where(jobs.c.id.in_(ids)).values(not_before=None))
        tx.execute(delete(budget_waits).where(budget_waits.c.job_id.in_(ids) | gone))
        return woken
    tx.execute(delete(budget_waits).where(gone))
    return []


def _has_room(row: AnyRow, kept: Sequence[Budget], stand: dict[int, Balance]) -> bool:
    """Whether all budgets of a job have what it asks for; it is then counted as if it were reserved."""
    under = [budget for budget in kept if budget.covers(row.namespace, row.cost_center, row.labels)]
    for budget in under:
        limits = (
            (budget.limit_micros, stand[budget.id].micros, row.micros),
            (budget.limit_quantum, stand[budget.id].quantum, row.quantum),
        )
        if any(limit is not None and not fits(limit, used, asked) for limit, used, asked in limits):
            return False
    for budget in under:
        stand[budget.id].count(RESERVED, row.micros or 0, row.quantum or 0)
    return True
