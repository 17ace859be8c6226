"""What a namespace may have: its share, how many of its jobs may run and wait, how many shots it may ask for in a day.

The rows are a copy of `tenants` in QTASKS_CONFIG, kept by the processes that have that file: so the limits hold for
whoever submits, and for whichever worker claims.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, case, delete, func, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from qtasks.lifecycle import Phase, Stage
from qtasks.store.tables import jobs, shares, tenants

AnyRow: TypeAlias = Row[*tuple[Any, ...]]

_WAITING = (Phase.PENDING, Phase.VALIDATING, Phase.SCHEDULING, Phase.RETRYING)
_TODAY = {
    "postgresql": text("to_char(statement_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD')"),
    "sqlite": text("date('now')"),
}


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one namespace; None for none."""

    namespace: str
    weight: float = 1.0
    concurrency: int | None = None
    waiting: int | None = None
    shots_per_day: int | None = None


def walk(tx: Connection) -> list[Limits]:
    """The limits of every namespace that has some, by name."""
    return [_limits(row) for row in tx.execute(select(tenants).order_by(tenants.c.namespace))]


def _limits(row: AnyRow) -> Limits:
    return Limits(row.namespace, row.weight, row.concurrency, row.waiting, row.shots_per_day)


def keep(tx: Connection, wanted: Collection[Limits]) -> bool:
    """Make the limits, and the weights of the shares, those that are wanted; what was used today stays counted. Returns
    whether anything changed."""
    there = {limits.namespace: limits for limits in walk(tx)}
    new = {limits.namespace: limits for limits in wanted}
    if there == new:
        return False
    gone = sorted(there.keys() - new.keys())
    if gone:
        tx.execute(delete(tenants).where(tenants.c.namespace.in_(gone)))
        tx.execute(update(shares).where(shares.c.namespace.in_(gone)).values(weight=1.0))
    for namespace in sorted(new):
        if there.get(namespace) != new[namespace]:
            _keep(tx, new[namespace])
    return True


def _keep(tx: Connection, limits: Limits) -> None:
    values = {
        "weight": limits.weight,
        "concurrency": limits.concurrency,
        "waiting": limits.waiting,
        "shots_per_day": limits.shots_per_day,
    }
    made = _insert(tx, tenants).values(namespace=limits.namespace, **values)
    tx.execute(made.on_conflict_do_update(index_elements=["namespace"], set_=values))
    for stage in (Stage.VALIDATION, Stage.SCHEDULING, Stage.EXECUTION):
        row = {"stage": stage.value, "namespace": limits.namespace, "start_tag": 0.0, "finish_tag": 0.0}
        share = _insert(tx, shares).values(**row, weight=limits.weight)
        tx.execute(share.on_conflict_do_update(index_elements=["stage", "namespace"], set_={"weight": limits.weight}))


@dataclass(frozen=True, slots=True)
class Used:
    """The limits of a namespace, and what it has with the new jobs of this transaction."""

    limits: Limits
    waiting: int
    shots_today: int


def count(tx: Connection, shots: Mapping[str, int]) -> list[Used]:
    """Count the shots that jobs inserted by this transaction ask for, by namespace; returns what those of the
    namespaces that have limits use with them.

    Whoever submits to the same namespace waits until this transaction has ended, so what is returned is all that there
    is; roll back where it is too much. To be asked after the jobs are inserted, all namespaces at once: the order in
    which rows are locked is what keeps two such transactions from waiting for each other.
    """
    found = []
    today: Any = _TODAY[tx.dialect.name]
    for namespace in sorted(shots):
        same = tenants.c.day == today
        row = tx.execute(
            update(tenants)
            .where(tenants.c.namespace == namespace)
            .values(day=today, shots=case((same, tenants.c.shots), else_=0) + shots[namespace])
            .returning(*tenants.c)
        ).first()
        if row is not None:
            found.append(Used(_limits(row), _waiting(tx, row), int(row.shots)))
    return found


def _waiting(tx: Connection, row: AnyRow) -> int:
    if row.waiting is None:
        return 0
    mine = (jobs.c.namespace == row.namespace, jobs.c.phase.in_([phase.value for phase in _WAITING]))
    return int(tx.execute(select(func.count()).select_from(jobs).where(*mine)).scalar_one())


def room(tx: Connection, namespace: str) -> int | None:
    """How many more jobs of a namespace may run; None for any number. Nobody else is told of the same room before this
    transaction has ended."""
    limit = tx.execute(
        select(tenants.c.concurrency)
        .where(tenants.c.namespace == namespace, tenants.c.concurrency.isnot(None))
        .with_for_update()
    ).scalar()
    if limit is None:
        return None
    running = select(func.count()).select_from(jobs).where(*_running(namespace))
    return max(0, int(limit) - int(tx.execute(running).scalar_one()))


def limited(tx: Connection) -> set[str]:
    """The namespaces of whose jobs only so many may run."""
    return set(tx.execute(select(tenants.c.namespace).where(tenants.c.concurrency.isnot(None))).scalars())


def _running(namespace: Any) -> tuple[Any, Any]:
    return jobs.c.namespace == namespace, jobs.c.phase == Phase.RUNNING.value


def _insert(tx: Connection, table: Any) -> Any:
    return (postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert)(table)
