"""What was spent on what, and whether the books agree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, case, func, select

from qtasks.errors import InvalidInput
from qtasks.store.balances import RELEASED, RESERVED, SETTLED, Balance
from qtasks.store.books import RELEASE, RESERVE, SETTLE
from qtasks.store.tables import budget_periods, charges, jobs, ledger

LABEL = "label:"
GROUPS = ("namespace", "cost-center", "backend", "account", "month", "job", "label:KEY")


@dataclass(frozen=True, slots=True)
class Spent:
    """What the jobs of one group cost."""

    key: str | None
    """What they have in common; None for those that have no such thing. A month is one of UTC."""
    name: str | None
    """Of a job, namespace/name; None when it is gone."""
    settled_micros: int
    reserved_micros: int
    quantum_micros: int
    jobs: int
    unpriced: int
    """Attempts of which nobody knows the price."""


def costs(
    tx: Connection,
    by: str = "namespace",
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    namespace: str | None = None,
) -> list[Spent]:
    """What jobs were charged, and what is reserved for them, from `since` until just before `until`: a job counts when
    its cost was reserved, as in budgets. The dearest group first, months in their order.

    Raises InvalidInput (`UnknownGroup`) for a `by` that is none of GROUPS.
    """
    group = _group(tx, by)
    settled = func.coalesce(func.sum(case((charges.c.state == SETTLED, charges.c.micros))), 0)
    reserved = func.coalesce(func.sum(case((charges.c.state == RESERVED, charges.c.micros))), 0)
    columns = (
        group.label("key"),
        settled.label("settled"),
        reserved.label("reserved"),
        func.coalesce(func.sum(charges.c.quantum), 0).label("quantum"),
        func.count(charges.c.job_id.distinct()).label("jobs"),
        func.count(case((charges.c.micros.is_(None), 1))).label("unpriced"),
    )
    query = select(*columns).where(charges.c.state != RELEASED).group_by(group)
    if since is not None:
        query = query.where(charges.c.at >= since)
    if until is not None:
        query = query.where(charges.c.at < until)
    if namespace is not None:
        query = query.where(charges.c.namespace == namespace)
    rows = tx.execute(query).all()
    names = _names(tx, [row.key for row in rows]) if by == "job" else {}
    found = [
        Spent(
            row.key, names.get(row.key), int(row.settled), int(row.reserved), int(row.quantum), row.jobs, row.unpriced
        )
        for row in rows
    ]
    if by == "month":
        return sorted(found, key=lambda one: one.key or "")
    return sorted(found, key=lambda one: (-one.settled_micros - one.reserved_micros, one.key or ""))


def _group(tx: Connection, by: str) -> Any:
    plain = {
        "namespace": charges.c.namespace,
        "cost-center": charges.c.cost_center,
        "backend": charges.c.backend,
        "account": charges.c.account,
        "job": charges.c.job_id,
    }
    if by in plain:
        return plain[by]
    if by == "month":
        if tx.dialect.name == "postgresql":
            return func.to_char(func.timezone("UTC", charges.c.at), "YYYY-MM")
        return func.substr(charges.c.at, 1, 7)
    if by.startswith(LABEL) and len(by) > len(LABEL):
        return charges.c.labels[by.removeprefix(LABEL)].as_string()
    raise InvalidInput(
        f'Costs cannot be shown by "{by[:80]}".', reason="UnknownGroup", hint=f"Use one of {', '.join(GROUPS)}."
    )


def _names(tx: Connection, ids: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for start in range(0, len(ids), 1000):
        rows = select(jobs.c.id, jobs.c.namespace, jobs.c.name).where(jobs.c.id.in_(ids[start : start + 1000]))
        found |= {row.id: f"{row.namespace}/{row.name}" for row in tx.execute(rows)}
    return found


def discrepancies(tx: Connection) -> list[str]:
    """Where charges, the ledger's entries and the balances of budget periods do not agree to the micro-dollar: a
    sentence for each; none when all is well."""
    return [*_of_charges(tx), *_of_periods(tx)]


def _of_charges(tx: Connection) -> Iterator[str]:
    def total(kind: str) -> Any:
        return func.coalesce(func.sum(case((ledger.c.kind == kind, ledger.c.micros))), 0)

    sums = select(ledger.c.job_id, ledger.c.attempt, total(RESERVE) - total(RELEASE), total(SETTLE))
    written = {(row[0], row[1]): (int(row[2]), int(row[3])) for row in tx.execute(sums.group_by("job_id", "attempt"))}
    counted = {}
    for row in tx.execute(select(charges.c.job_id, charges.c.attempt, charges.c.state, charges.c.micros)):
        micros = row.micros or 0
        amounts = (micros if row.state == RESERVED else 0, micros if row.state == SETTLED else 0)
        counted[row.job_id, row.attempt] = amounts
    for key in sorted(written.keys() | counted.keys()):
        if written.get(key) != counted.get(key):
            yield f"Attempt {key[1]} of job {key[0]}: the ledger says {written.get(key)}, charges {counted.get(key)}."


def _of_periods(tx: Connection) -> Iterator[str]:
    expected: dict[int, Balance] = {}
    for row in tx.execute(select(charges.c.periods, charges.c.state, charges.c.micros, charges.c.quantum)):
        for period in row.periods:
            balance = expected.setdefault(period, Balance(period, 0))
            balance.count(row.state, row.micros or 0, row.quantum or 0)
    names = ("settled_micros", "reserved_micros", "settled_quantum", "reserved_quantum")
    for row in tx.execute(select(budget_periods).order_by(budget_periods.c.id)):
        counted = expected.get(row.id) or Balance(row.id, 0)
        for name in names:
            if getattr(row, name) != getattr(counted, name):
                yield f"Budget period {row.id}: {name} is {getattr(row, name)}, its charges {getattr(counted, name)}."
