"""Budgets as they are kept, and those that a job may fall under.

What a budget is for changes only while nothing is charged: whoever charges holds an advisory lock together with others,
whoever changes a budget holds it alone. On SQLite there is one writer anyway.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, or_, select, text, update

from qtasks.resources import BudgetSpec, QiskitBudget, dump
from qtasks.resources.periods import Stretch, period_of
from qtasks.store.balances import current, locked, write
from qtasks.store.tables import budgets, charges
from qtasks.store.types import moment

_LOCK = 0x71_7461_7380  # "qtas": beside the periodic tasks' advisory locks


@dataclass(frozen=True, slots=True)
class Budget:
    """A budget as it is kept."""

    id: int
    namespace: str
    name: str
    spec: BudgetSpec
    limit_micros: int | None
    limit_quantum: int | None
    """Microseconds of quantum time."""
    resource: Mapping[str, Any]
    created_at: datetime

    def covers(self, namespace: str, cost_center: str | None, labels: Mapping[str, str]) -> bool:
        """Whether a job falls under it."""
        return self.spec.selector.covers(self.namespace, namespace=namespace, cost_center=cost_center, labels=labels)

    def stretch(self, now: datetime) -> Stretch:
        """The stretch of its period that `now` lies in."""
        return period_of(self.spec.period, now, self.spec.time_zone)


def hold(tx: Connection) -> datetime:
    """Let no budget change until the transaction ends; returns the database's `now`."""
    return _locked(tx, "pg_advisory_xact_lock_shared")


def hold_alone(tx: Connection) -> datetime:
    """Let nothing be charged, and no other budget change, until the transaction ends; returns the database's `now`."""
    return _locked(tx, "pg_advisory_xact_lock")


def _locked(tx: Connection, function: str) -> datetime:
    if tx.dialect.name == "postgresql":
        tx.execute(text(f"SELECT {function}(:key)"), {"key": _LOCK})
    return tx.execute(select(moment())).scalar_one()


def may_cover(tx: Connection, namespaces: Collection[str]) -> list[Budget]:
    """The budgets that jobs of these namespaces may fall under, by id."""
    here = or_(budgets.c.namespace.in_(list(namespaces)), budgets.c.spans)
    return [_budget(row) for row in tx.execute(select(budgets).where(here).order_by(budgets.c.id))]


def walk(tx: Connection, *, namespace: str | None = None, name: str | None = None) -> list[Budget]:
    """The budgets that are kept in a namespace, or in all, by namespace and name."""
    query = select(budgets)
    if namespace is not None:
        query = query.where(budgets.c.namespace == namespace)
    if name is not None:
        query = query.where(budgets.c.name == name)
    return [_budget(row) for row in tx.execute(query.order_by(budgets.c.namespace, budgets.c.name))]


def _budget(row: Any) -> Budget:
    spec = _spec(json.dumps(row.resource["spec"]))
    return Budget(
        row.id, row.namespace, row.name, spec, row.limit_micros, row.limit_quantum, row.resource, row.created_at
    )


@lru_cache(maxsize=1024)
def _spec(document: str) -> BudgetSpec:
    return BudgetSpec.model_validate(json.loads(document))


def apply(tx: Connection, resource: QiskitBudget, namespace: str, name: str) -> str:
    """Keep a budget: `created`, `unchanged`, or `configured` when it was there with another spec.

    Whatever was charged in its current period counts, also from before it was made: deleting a budget and making it
    again gives nobody new money.
    """
    now = hold_alone(tx)
    document = dump(resource)
    spec = resource.spec
    values = {
        "resource": document,
        "spans": resource.spans_namespaces(namespace),
        "limit_micros": None if spec.limit is None else spec.limit.micros,
        "limit_quantum": None if spec.quantum_seconds is None else int(Decimal(repr(spec.quantum_seconds)) * 1_000_000),
        "changed_at": now,
    }
    there = next(iter(walk(tx, namespace=namespace, name=name)), None)
    if there is not None and there.resource == document:
        return "unchanged"
    if there is not None and _counts_alike(there.spec, spec):
        tx.execute(update(budgets).where(budgets.c.id == there.id).values(**values))
        _forget_thresholds(tx, next(iter(walk(tx, namespace=namespace, name=name))), now)
        return "configured"
    row = {"namespace": namespace, "name": name, "created_at": now if there is None else there.created_at, **values}
    _count_anew(tx, row, there, now)
    return "created" if there is None else "configured"


def _counts_alike(one: BudgetSpec, other: BudgetSpec) -> bool:
    """Whether the same jobs count in the same stretches of time."""
    return (one.period, one.time_zone, one.selector) == (other.period, other.time_zone, other.selector)


def _forget_thresholds(tx: Connection, budget: Budget, now: datetime) -> None:
    """With more money, what is not reached any more may be reached, and told, again."""
    for balance in locked(tx, current(tx, [budget], now).values()).values():
        percent = balance.percent(budget)
        balance.crossed = [threshold for threshold in balance.crossed if threshold <= percent]
        write(tx, [balance])


def _count_anew(tx: Connection, row: Mapping[str, Any], there: Budget | None, now: datetime) -> None:
    """Put a budget in place of another, or of none, and count what was charged since its current period began."""
    spec = _spec(json.dumps(row["resource"]["spec"]))
    since = period_of(spec.period, now, spec.time_zone).start
    query = select(charges).where(charges.c.at >= since)
    if not row["spans"]:
        query = query.where(charges.c.namespace == row["namespace"])
    # Charges are locked before periods, as everybody does who settles.
    counted = [
        charge
        for charge in tx.execute(query.order_by(charges.c.job_id, charges.c.attempt).with_for_update(key_share=True))
        if spec.selector.covers(
            row["namespace"], namespace=charge.namespace, cost_center=charge.cost_center, labels=charge.labels
        )
    ]
    if there is not None:
        tx.execute(delete(budgets).where(budgets.c.id == there.id))
    tx.execute(insert(budgets).values(**row))
    (budget,) = walk(tx, namespace=row["namespace"], name=row["name"])
    ((period_id, balance),) = locked(tx, current(tx, [budget], now).values()).items()
    for charge in counted:
        balance.count(charge.state, charge.micros or 0, charge.quantum or 0)
    write(tx, [balance])
    if counted:
        which = (charges.c.job_id == bindparam("its_job")) & (charges.c.attempt == bindparam("its_attempt"))
        rows = [
            {"its_job": charge.job_id, "its_attempt": charge.attempt, "its_periods": [*charge.periods, period_id]}
            for charge in counted
        ]
        periods = bindparam("its_periods", type_=charges.c.periods.type)
        tx.execute(update(charges).where(which).values(periods=periods), rows)


def remove(tx: Connection, namespace: str, name: str) -> bool:
    """Keep a budget no longer; False when there is none of that name. The ledger keeps what was charged."""
    hold_alone(tx)
    gone = tx.execute(delete(budgets).where(budgets.c.namespace == namespace, budgets.c.name == name))
    return bool(gone.rowcount)
