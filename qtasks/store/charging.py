"""What an attempt asks for, and why a budget does not give it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from qtasks.resources import Period
from qtasks.store.balances import RESERVED, SETTLED, Balance, quantum_micros
from qtasks.store.budgets import Budget

EXCEEDED = "BudgetExceeded"
PRICE_UNKNOWN = "PriceUnknown"
TIME_UNKNOWN = "QuantumTimeUnknown"
REASONS = (EXCEEDED, PRICE_UNKNOWN, TIME_UNKNOWN)


@dataclass(frozen=True, slots=True)
class Charge:
    """What an attempt may cost at most, and whom it counts for."""

    job_id: str
    attempt: int
    namespace: str
    cost_center: str | None
    labels: Mapping[str, str]
    account: str | None
    backend: str | None
    micros: int | None
    """Micro-dollars, at most; None where no price is known."""
    quantum_seconds: float | None
    """Quantum time, at most; None where nobody knows, 0 for what needs none."""
    price: str
    """Which price it was worked out with, its source and date."""
    reason: str
    max_cost_micros: int | None = None
    """The job's own limit, over all its attempts."""
    alert_micros: int | None = None
    """What the job may have cost before its owner is told."""

    @property
    def key(self) -> tuple[str, int]:
        return self.job_id, self.attempt

    @property
    def quantum(self) -> int | None:
        """Microseconds of quantum time."""
        return None if self.quantum_seconds is None else quantum_micros(self.quantum_seconds)

    @property
    def free(self) -> bool:
        return self.micros == 0 and not self.quantum_seconds


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing was reserved. Amounts are in micro-dollars, or in microseconds of quantum time."""

    reason: str
    """`BudgetExceeded`, `PriceUnknown` or `QuantumTimeUnknown`."""
    in_money: bool
    limit: int
    settled: int
    reserved: int
    asked: int | None
    """None: nobody knows what the job would cost."""
    price: str
    budget: str | None = None
    """The budget's name; None for the job's own maxCost."""
    namespace: str | None = None
    foreign: bool = False
    """Whether the budget is kept in another namespace than the job's: its figures are not for the job's owner."""
    period: Period | None = None
    until: datetime | None = None
    """When the budget's period turns; None: never."""
    time_zone: str = "UTC"

    @property
    def final(self) -> bool:
        """Whether no budget that is raised and no period that turns can help: it is the job's own limit."""
        return self.budget is None


def refused_by(budget: Budget, balance: Balance, charge: Charge, now: datetime) -> Refusal | None:
    """Why a budget does not let a charge pass; None when it does."""
    limits = (
        (True, budget.limit_micros, balance.settled_micros, balance.reserved_micros, charge.micros),
        (False, budget.limit_quantum, balance.settled_quantum, balance.reserved_quantum, charge.quantum),
    )
    for in_money, limit, settled, reserved, asked in limits:
        if limit is not None and not fits(limit, settled + reserved, asked):
            unknown = PRICE_UNKNOWN if in_money else TIME_UNKNOWN
            return Refusal(
                EXCEEDED if asked is not None else unknown,
                in_money,
                limit,
                settled,
                reserved,
                asked,
                charge.price,
                budget=budget.name,
                namespace=budget.namespace,
                foreign=budget.namespace != charge.namespace,
                period=budget.spec.period,
                until=budget.stretch(now).end,
                time_zone=budget.spec.time_zone,
            )
    return None


def fits(limit: int, used: int, asked: int | None) -> bool:
    """Whether a limit lets an amount pass. What is free always passes, what nobody knows never."""
    return asked is not None and (asked == 0 or used + asked <= limit)


def refused_by_itself(charge: Charge, charged: Iterable[Mapping[str, Any]]) -> Refusal | None:
    """Why a job's own maxCost does not let a charge pass, a budget of one over all its attempts: `charged` are the
    rows of `charges` of this job and others."""
    if charge.max_cost_micros is None:
        return None
    others = [row for row in charged if row["job_id"] == charge.job_id and row["attempt"] != charge.attempt]
    settled = sum(row["micros"] or 0 for row in others if row["state"] == SETTLED)
    reserved = sum(row["micros"] or 0 for row in others if row["state"] == RESERVED)
    if fits(charge.max_cost_micros, settled + reserved, charge.micros):
        return None
    reason = PRICE_UNKNOWN if charge.micros is None else EXCEEDED
    return Refusal(reason, True, charge.max_cost_micros, settled, reserved, charge.micros, charge.price)
