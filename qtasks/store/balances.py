"""What counts in each period of a budget: the rows that are locked, always in the order of their ids, by whoever
reserves, settles or releases."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite

from qtasks.resources.periods import Stretch
from qtasks.store.tables import budget_periods

if TYPE_CHECKING:
    from qtasks.store.budgets import Budget

RESERVED = "reserved"
SETTLED = "settled"
RELEASED = "released"


def quantum_micros(seconds: float) -> int:
    """Seconds of quantum time as whole microseconds, rounded up."""
    return int((Decimal(repr(float(seconds))) * 1_000_000).to_integral_value(ROUND_CEILING))


@dataclass(slots=True)
class Balance:
    """What counts in one period of a budget, in micro-dollars and microseconds of quantum time."""

    id: int | None
    budget_id: int
    settled_micros: int = 0
    reserved_micros: int = 0
    settled_quantum: int = 0
    reserved_quantum: int = 0
    crossed: list[float] = field(default_factory=list)

    def count(self, state: str, micros: int, quantum: int) -> None:
        """Add what is reserved or settled; negative amounts take away."""
        if state == RESERVED:
            self.reserved_micros += micros
            self.reserved_quantum += quantum
        elif state == SETTLED:
            self.settled_micros += micros
            self.settled_quantum += quantum

    @property
    def micros(self) -> int:
        return self.settled_micros + self.reserved_micros

    @property
    def quantum(self) -> int:
        return self.settled_quantum + self.reserved_quantum

    def percent(self, budget: Budget) -> float:
        """How much of the limit is spent or reserved; of two limits, the one that is nearer. A limit of nothing is
        reached from the beginning."""
        pairs = ((self.micros, budget.limit_micros), (self.quantum, budget.limit_quantum))
        return max(100.0 if limit == 0 else 100.0 * used / limit for used, limit in pairs if limit is not None)


def standings(tx: Connection, kept: Iterable[Budget], now: datetime) -> dict[int, Balance]:
    """What counts in the current period of each budget, by the budget's id."""
    starts = {budget.id: budget.stretch(now).start for budget in kept}
    rows = tx.execute(select(budget_periods).where(budget_periods.c.budget_id.in_(list(starts))))
    found = {row.budget_id: of(row) for row in rows if row.start == starts[row.budget_id]}
    return {budget_id: found.get(budget_id) or Balance(None, budget_id) for budget_id in starts}


def current(tx: Connection, kept: Iterable[Budget], now: datetime) -> dict[int, int]:
    """The ids of the current periods of budgets, by the budget's id; those that are new are made."""
    stretches = {budget.id: budget.stretch(now) for budget in kept}
    found = _ids(tx, stretches)
    missing = sorted(stretches.keys() - found.keys())
    if missing:
        # In the order of ids, as locks are taken: two who make the same rows wait for each other one way only.
        rows = [
            {"budget_id": budget_id, "start": stretches[budget_id].start, "end": stretches[budget_id].end}
            for budget_id in missing
        ]
        dialect_insert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
        statement: Any = dialect_insert(budget_periods).values([{**row, "crossed": []} for row in rows])
        tx.execute(statement.on_conflict_do_nothing())
        found = _ids(tx, stretches)
    return found


def _ids(tx: Connection, stretches: Mapping[int, Stretch]) -> dict[int, int]:
    columns = select(budget_periods.c.id, budget_periods.c.budget_id, budget_periods.c.start)
    rows = tx.execute(columns.where(budget_periods.c.budget_id.in_(list(stretches)))) if stretches else ()
    return {row.budget_id: row.id for row in rows if row.start == stretches[row.budget_id].start}


def locked(tx: Connection, periods: Iterable[int]) -> dict[int, Balance]:
    """What counts in these periods, by their ids; nobody else changes them until the transaction ends. Periods of a
    budget that is gone are left out."""
    wanted = sorted(set(periods))
    if not wanted:
        return {}
    query = select(budget_periods).where(budget_periods.c.id.in_(wanted)).order_by(budget_periods.c.id)
    return {row.id: of(row) for row in tx.execute(query.with_for_update(key_share=True))}


def of(row: Any) -> Balance:
    """The balance that a row of `budget_periods` keeps."""
    return Balance(
        row.id,
        row.budget_id,
        row.settled_micros,
        row.reserved_micros,
        row.settled_quantum,
        row.reserved_quantum,
        list(row.crossed),
    )


def write(tx: Connection, balances: Collection[Balance]) -> None:
    """Keep what counts in locked periods."""
    if balances:
        columns = ("settled_micros", "reserved_micros", "settled_quantum", "reserved_quantum", "crossed")
        rows = [{"its_id": one.id, **{f"its_{name}": getattr(one, name) for name in columns}} for one in balances]
        values = {name: bindparam(f"its_{name}", type_=budget_periods.c[name].type) for name in columns}
        tx.execute(update(budget_periods).where(budget_periods.c.id == bindparam("its_id")).values(**values), rows)
