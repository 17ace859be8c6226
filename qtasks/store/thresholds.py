"""Thresholds: what alerts are due, each once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, or_, select

from qtasks.store import balances, books, budgets
from qtasks.store.balances import SETTLED
from qtasks.store.budgets import Budget
from qtasks.store.tables import budget_periods, charges
from qtasks.store.types import moment

_LATE_SECONDS = 86_400.0
"""How long after its end a period is still looked at: jobs that began in it are settled in it."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """A budget that reached a threshold in a period. Amounts are in micro-dollars and microseconds of quantum time."""

    budget: Budget
    threshold: float
    """Per cent of the limit."""
    percent: float
    """What is spent and reserved, per cent of the limit."""
    start: datetime
    end: datetime | None
    settled_micros: int
    reserved_micros: int
    settled_quantum: int
    reserved_quantum: int


def crossed(tx: Connection) -> list[Crossing]:
    """The thresholds that spent and reserved together have reached and that were not told yet, each once in a period:
    they count as told when the transaction commits."""
    kept = {budget.id: budget for budget in budgets.walk(tx) if budget.spec.alert_thresholds}
    if not kept:
        return []
    recent = or_(budget_periods.c.end.is_(None), budget_periods.c.end > moment(-_LATE_SECONDS))
    rows = tx.execute(select(budget_periods).where(budget_periods.c.budget_id.in_(list(kept)), recent))
    spans = {row.id: (row.start, row.end) for row in rows if _due(kept[row.budget_id], balances.of(row))}
    found = []
    for period_id, balance in balances.locked(tx, spans).items():
        budget, (start, end) = kept[balance.budget_id], spans[period_id]
        due = _due(budget, balance)
        amounts = (balance.settled_micros, balance.reserved_micros, balance.settled_quantum, balance.reserved_quantum)
        found += [Crossing(budget, one, balance.percent(budget), start, end, *amounts) for one in due]
        balance.crossed = sorted({*balance.crossed, *due})
        balances.write(tx, [balance])
    return found


def _due(budget: Budget, balance: balances.Balance) -> list[float]:
    percent = balance.percent(budget)
    return sorted(one for one in set(budget.spec.alert_thresholds) if one <= percent and one not in balance.crossed)


def job_alert(tx: Connection, job_id: str, *, so_far_micros: int = 0) -> int | None:
    """The micro-dollars that a job has cost, `so_far_micros` of a running attempt among them, when that has reached its
    own alertThreshold; once."""
    charged = books.locked(tx, charges.c.job_id == job_id)
    total = so_far_micros + sum(row["micros"] or 0 for row in charged.values() if row["state"] == SETTLED)
    limits = [row["alert_micros"] for row in charged.values() if row["alert_micros"] is not None]
    if not limits or total < min(limits) or any(row["alerted"] for row in charged.values()):
        return None
    tx.execute(charges.update().where(charges.c.job_id == job_id).values(alerted=True))
    return total
