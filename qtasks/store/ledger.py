"""The ledger: what attempts may cost is reserved, what they did cost is settled, what came to nothing is released.

Every change is one transaction with the decision that it belongs to, and entries that nobody changes afterwards. Locks
are taken in one order: jobs, whether budgets may change, charges, budget periods, each by their keys. So a transaction
calls one of these functions once, for all of its jobs, and locks no other jobs after that.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, and_, exists, func, select

from qtasks.store import balances, budget_waits, budgets
from qtasks.store.balances import RELEASED, RESERVED, SETTLED, Balance, quantum_micros
from qtasks.store.books import RELEASE, RESERVE, SETTLE, Books, Key, locked
from qtasks.store.budget_waits import wake
from qtasks.store.charging import Charge, Refusal, refused_by, refused_by_itself
from qtasks.store.tables import charges, inputs, jobs, labels, provider_jobs
from qtasks.store.types import moment

__all__ = [
    "Charge",
    "Refusal",
    "check",
    "open_charges",
    "outstanding",
    "release",
    "release_orphans",
    "reserve",
    "reserve_all",
    "settle",
    "wake",
]


def reserve(tx: Connection, charge: Charge) -> Refusal | None:
    """Reserve what one attempt may cost: `reserve_all` for a transaction of one job."""
    return reserve_all(tx, [charge]).get(charge.job_id)


def reserve_all(tx: Connection, wanted: Sequence[Charge]) -> dict[str, Refusal]:
    """Reserve what attempts may cost, one of each job, in all budgets that they fall under or in none; those that come
    first in `wanted` first. Returns, by job, why not. Free jobs write nothing, and are passed all the same.

    Reserving for an attempt again replaces what was reserved for it, and a refusal releases that; what was settled
    stays. Refused jobs are woken by `wake` when there is something for them.
    """
    ids = [charge.job_id for charge in wanted]
    held = open_charges(tx, ids)
    wanted = [charge for charge in wanted if not charge.free or charge.key in held]
    if not wanted:
        return {}
    tx.execute(select(jobs.c.id).where(jobs.c.id.in_(ids)).order_by(jobs.c.id).with_for_update(key_share=True))
    now = budgets.hold(tx)
    charged = locked(tx, charges.c.job_id.in_([charge.job_id for charge in wanted]))
    may = budgets.may_cover(tx, {charge.namespace for charge in wanted})
    covering = {
        charge.job_id: [budget for budget in may if budget.covers(charge.namespace, charge.cost_center, charge.labels)]
        for charge in wanted
    }
    concerned = {budget.id: budget for found in covering.values() for budget in found}
    current = balances.current(tx, concerned.values(), now)
    periods = {*current.values(), *(period for row in charged.values() for period in row["periods"])}
    books = Books(now, charged, balances.locked(tx, periods))
    refused: dict[str, Refusal] = {}
    for charge in wanted:
        under = [(budget, books.balances[current[budget.id]]) for budget in covering[charge.job_id]]
        refusal = _reserve(books, charge, under)
        if refusal is not None:
            refused[charge.job_id] = refusal
    books.write(tx)
    budget_waits.note(tx, [charge for charge in wanted if charge.job_id in refused], now)
    return refused


def _reserve(books: Books, charge: Charge, under: Sequence[tuple[budgets.Budget, Balance]]) -> Refusal | None:
    there = books.charged.get(charge.key)
    if there is not None and there["state"] == SETTLED:
        return None
    if there is not None and there["state"] == RESERVED:
        books.give_back(charge.key, f"replaced: {charge.reason}")
    if charge.free:
        return None
    refusal = refused_by_itself(charge, books.charged.values())
    for budget, balance in under:
        refusal = refusal or refused_by(budget, balance, charge, books.now)
    if refusal is not None:
        return refusal
    row: dict[str, Any] = {name: getattr(charge, name) for name in _ASKED}
    row |= {"labels": dict(charge.labels), "periods": [balance.id for _, balance in under], "at": books.now}
    _add(books, row, alerted=there is not None and bool(there["alerted"]))
    books.move(charge.key, RESERVED, charge.micros, charge.quantum)
    books.enter(charge.key, RESERVE, charge.micros, charge.quantum, charge.reason)
    return None


_ASKED = ("job_id", "attempt", "namespace", "cost_center", "account", "backend", "price", "alert_micros")


def _add(books: Books, row: dict[str, Any], *, alerted: bool = False) -> None:
    """Open a charge that counts nothing yet."""
    empty = {"state": RELEASED, "micros": 0, "quantum": 0, "overrun": False, "alerted": alerted}
    books.charged[row["job_id"], row["attempt"]] = {**row, **empty, "changed_at": books.now}


def check(tx: Connection, charge: Charge) -> Refusal | None:
    """What `reserve` would answer now; nothing is reserved, or locked."""
    if charge.free:
        return None
    now = tx.execute(select(moment())).scalar_one()
    mine = tx.execute(select(charges).where(charges.c.job_id == charge.job_id))
    refusal = refused_by_itself(charge, [dict(row._mapping) for row in mine])
    may = budgets.may_cover(tx, [charge.namespace])
    under = [budget for budget in may if budget.covers(charge.namespace, charge.cost_center, charge.labels)]
    stand = balances.standings(tx, under, now)
    for budget in under:
        refusal = refusal or refused_by(budget, stand[budget.id], charge, now)
    return refusal


def settle(
    tx: Connection,
    job_id: str,
    attempt: int,
    *,
    micros: int | None,
    quantum_seconds: float | None,
    price: str,
    reason: str,
) -> int:
    """Charge an attempt what it did cost, in the periods in which that was reserved, and release what was; once.

    An actual figure that nobody knows (None) is taken to be what was reserved. Without a reservation the charge counts
    in the budgets that the job falls under. Returns the micro-dollars by which the cost passed what was reserved: they
    are charged all the same.
    """
    quantum = None if quantum_seconds is None else quantum_micros(quantum_seconds)
    key = (job_id, attempt)
    charged = locked(tx, and_(charges.c.job_id == job_id, charges.c.attempt == attempt))
    if charged:
        now = tx.execute(select(moment())).scalar_one()
        books = Books(now, charged, balances.locked(tx, charged[key]["periods"]))
    elif micros == 0 and not quantum:
        return 0
    else:
        books = _unreserved(tx, job_id, attempt, price)
    charge = books.charged[key]
    if charge["state"] == SETTLED:
        return 0
    before = charge["micros"]
    if charge["state"] == RESERVED:
        micros = before if micros is None else micros
        quantum = charge["quantum"] if quantum is None else quantum
        books.enter(key, RELEASE, before, charge["quantum"], "settled")
    over = max(0, (micros or 0) - before) if charged and before is not None else 0
    charge |= {"price": price, "overrun": over > 0}
    books.move(key, SETTLED, micros, quantum)
    books.enter(key, SETTLE, micros, quantum, reason)
    books.write(tx)
    return over


def _unreserved(tx: Connection, job_id: str, attempt: int, price: str) -> Books:
    """The books with a charge for which nothing was reserved, made of what is known of the job."""
    now = budgets.hold(tx)
    columns = (jobs.c.namespace, jobs.c.account, jobs.c.backend, inputs.c.resource)
    job = tx.execute(select(*columns).join(inputs).where(jobs.c.id == job_id)).one()
    mine = {row.key: row.value for row in tx.execute(select(labels).where(labels.c.job_id == job_id))}
    cost_center = (job.resource["spec"].get("budget") or {}).get("costCenter")
    may = budgets.may_cover(tx, [job.namespace])
    under = [budget for budget in may if budget.covers(job.namespace, cost_center, mine)]
    periods = sorted(balances.current(tx, under, now).values())
    books = Books(now, {}, balances.locked(tx, periods))
    known = {"namespace": job.namespace, "account": job.account, "backend": job.backend, "cost_center": cost_center}
    row = {"job_id": job_id, "attempt": attempt, **known, "labels": mine, "price": price, "periods": periods}
    _add(books, {**row, "alert_micros": None, "at": now})
    return books


def release(tx: Connection, ids: Collection[str], reason: str, *, attempt: int | None = None) -> list[Key]:
    """Release what is reserved for jobs, or for one attempt of each; returns the attempts. What is, or may be, at a
    provider stays reserved until its cost is settled: a cancelled job is billed what it used."""
    mine = charges.c.job_id.in_(list(ids))
    return _release(tx, mine if attempt is None else mine & (charges.c.attempt == attempt), reason)


def release_orphans(tx: Connection, *, limit: int = 500) -> list[str]:
    """Release what is reserved for jobs that are final or gone, and for attempts that were given up; returns the
    jobs."""
    wanted = exists().where(
        jobs.c.id == charges.c.job_id, jobs.c.attempt <= charges.c.attempt, jobs.c.finished_at.is_(None)
    )
    return [job_id for job_id, _ in _release(tx, ~wanted, "nobody needs it any more", limit=limit, skip=True)]


def _release(tx: Connection, where: Any, reason: str, **which: Any) -> list[Key]:
    there = exists().where(
        provider_jobs.c.job_id == charges.c.job_id,
        provider_jobs.c.attempt == charges.c.attempt,
        ~provider_jobs.c.settled,
    )
    charged = locked(tx, and_(where, charges.c.state == RESERVED, ~there), **which)
    if charged:
        now = tx.execute(select(moment())).scalar_one()
        periods = {period for row in charged.values() for period in row["periods"]}
        books = Books(now, charged, balances.locked(tx, periods))
        for key in charged:
            books.give_back(key, reason)
        books.write(tx)
    return list(charged)


def open_charges(tx: Connection, ids: Collection[str]) -> dict[Key, Any]:
    """What is reserved for jobs, as rows of `charges`, by job and attempt."""
    rows = tx.execute(select(charges).where(charges.c.job_id.in_(list(ids)), charges.c.state == RESERVED))
    return {(row.job_id, row.attempt): row for row in rows}


def outstanding(tx: Connection) -> int:
    """Micro-dollars that are reserved, over all jobs."""
    return int(tx.execute(select(func.coalesce(func.sum(charges.c.micros), 0)).where(_OPEN)).scalar_one())


_OPEN = charges.c.state == RESERVED
