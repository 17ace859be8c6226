"""Charges and the balances of budget periods while they are locked: changed together, and written with their entries in
the ledger."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Connection, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from qtasks.store import balances
from qtasks.store.balances import RELEASED, Balance
from qtasks.store.tables import charges, ledger

Key: TypeAlias = tuple[str, int]
"""Job and attempt."""

RESERVE = "reserve"
RELEASE = "release"
SETTLE = "settle"

_COPIED = ("job_id", "attempt", "namespace", "cost_center", "account", "backend", "price", "periods", "overrun")


def locked(tx: Connection, where: Any, *, limit: int | None = None, skip: bool = False) -> dict[Key, dict[str, Any]]:
    """The charges for which `where` holds, by job and attempt; nobody else changes them until the transaction ends.
    With `skip`, those that others hold are left out."""
    query = select(charges).where(where).order_by(charges.c.job_id, charges.c.attempt).limit(limit)
    rows = tx.execute(query.with_for_update(key_share=True, skip_locked=skip))
    return {(row.job_id, row.attempt): dict(row._mapping) for row in rows}


@dataclass(slots=True)
class Books:
    """Locked charges, and the balances of all periods that they count in or shall count in."""

    now: datetime
    charged: dict[Key, dict[str, Any]]
    balances: dict[int, Balance]
    _entries: list[dict[str, Any]] = field(default_factory=list)
    _changed: set[Key] = field(default_factory=set)

    def move(self, key: Key, state: str, micros: int | None, quantum: int | None) -> None:
        """Let a charge count as something else in its periods."""
        charge = self.charged[key]
        for balance in (self.balances[period] for period in charge["periods"] if period in self.balances):
            balance.count(charge["state"], -(charge["micros"] or 0), -(charge["quantum"] or 0))
            balance.count(state, micros or 0, quantum or 0)
        charge |= {"state": state, "micros": micros, "quantum": quantum, "changed_at": self.now}
        self._changed.add(key)

    def enter(self, key: Key, kind: str, micros: int | None, quantum: int | None, reason: str) -> None:
        """Note an amount of a charge in the ledger."""
        copied = {name: self.charged[key][name] for name in _COPIED}
        amounts = {"kind": kind, "micros": micros, "quantum": quantum, "reason": reason}
        self._entries.append({**copied, **amounts, "at": self.now})

    def give_back(self, key: Key, reason: str) -> None:
        """Release what a charge has reserved."""
        charge = self.charged[key]
        self.enter(key, RELEASE, charge["micros"], charge["quantum"], reason)
        self.move(key, RELEASED, 0, 0)

    def write(self, tx: Connection) -> None:
        """Keep what has changed."""
        if not self._changed:
            return
        balances.write(tx, list(self.balances.values()))
        dialect_insert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
        statement: Any = dialect_insert(charges)
        new = {column.name: statement.excluded[column.name] for column in charges.c if not column.primary_key}
        upsert = statement.on_conflict_do_update(index_elements=["job_id", "attempt"], set_=new)
        tx.execute(upsert, [self.charged[key] for key in sorted(self._changed)])
        tx.execute(insert(ledger), self._entries)
