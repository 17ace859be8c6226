"""What a budget says of a job: that it was given what it may cost, or that it waits."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Connection

from qtasks.costs.budgets import sentence
from qtasks.lifecycle import ConditionStatus, ConditionType
from qtasks.resources import Money
from qtasks.stages.batch import Item
from qtasks.store import moves
from qtasks.store.claims import Claim
from qtasks.store.ledger import Charge, Refusal
from qtasks.store.records import Condition, Event

_LONGEST_SECONDS = 3600.0
"""A job that waits for a budget is looked at again after so long, though nothing woke it: prices may have changed."""
_UNKNOWN_SECONDS = 300.0
FREE = Condition(
    ConditionType.BUDGET_CHECKED, ConditionStatus.TRUE, "NoCharge", "Simulator time is free of charge here."
)


def budget_condition(item: Item, charge: Charge | None) -> Condition:
    """What was reserved for a job."""
    if charge is None or charge.micros is None:
        message = "No budget applies to the job, and no price is known for it."
        return Condition(ConditionType.BUDGET_CHECKED, ConditionStatus.TRUE, "NoBudget", message)
    if charge.free:
        return FREE
    amount = Money.from_micros(charge.micros)
    message = f"Up to {amount} is reserved for the job ({charge.price})."
    return Condition(ConditionType.BUDGET_CHECKED, ConditionStatus.TRUE, "Reserved", message)


def hold_for_budget(tx: Connection, claim: Claim, item: Item, refusal: Refusal) -> bool:
    """Let a job wait in Scheduling until there is room for it: it is woken when a budget is raised, a period turns or
    something is released. Whether it was still held."""
    message = sentence(refusal)
    return moves.hold(
        tx,
        claim,
        item.job.id,
        delay_seconds=_wait_seconds(refusal),
        event=Event(refusal.reason, message, warning=True),
        conditions=[Condition(ConditionType.BUDGET_CHECKED, ConditionStatus.FALSE, refusal.reason, message)],
    )


def _wait_seconds(refusal: Refusal) -> float:
    if refusal.asked is None:
        return _UNKNOWN_SECONDS
    if refusal.until is None:
        return _LONGEST_SECONDS
    return min(_LONGEST_SECONDS, max(1.0, (refusal.until - datetime.now(UTC)).total_seconds()))
