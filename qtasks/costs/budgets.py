"""Why a job waits for a budget, in words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtasks.resources import Money, Period
from qtasks.resources.periods import shown

if TYPE_CHECKING:
    from qtasks.store.charging import Refusal

_EACH = {
    Period.DAILY: "a day",
    Period.WEEKLY: "a week",
    Period.MONTHLY: "a month",
    Period.YEARLY: "a year",
    Period.TOTAL: "in total",
}


def sentence(refusal: Refusal) -> str:
    """What a refused job's owner is told: which budget, what is left of it, what the job would cost by which price, and
    what lets it start. The figures of another namespace's budget are left out."""
    if refusal.asked is None:
        return f"{_unknown(refusal)} {_remedy(refusal)}"
    cost = f"{amount(refusal, refusal.asked)}{f' ({refusal.price})' if refusal.price else ''}"
    if refusal.foreign:
        why = f"a budget over several namespaces has too little left for the up to {cost} that the job would cost."
    elif refusal.final:
        spent = refusal.settled + refusal.reserved
        before = f", of which former attempts took {amount(refusal, spent)}" if spent else ""
        why = f"the job would cost up to {cost}, and its maxCost is {amount(refusal, refusal.limit)}{before}."
    else:
        why = (
            f"{refusal.budget} allows {amount(refusal, refusal.limit)} {_EACH[refusal.period or Period.TOTAL]}; "
            f"{amount(refusal, refusal.settled)} is spent and {amount(refusal, refusal.reserved)} reserved, "
            f"and the job would cost up to {cost}."
        )
    return f"Budget exceeded: {why} {_remedy(refusal)}"


def amount(refusal: Refusal, micros: int) -> str:
    """An amount of a refusal as it is shown: dollars, or seconds of quantum time."""
    return str(Money.from_micros(micros)) if refusal.in_money else f"{micros / 1e6:g} s of quantum time"


def _unknown(refusal: Refusal) -> str:
    where = "the job's maxCost" if refusal.final else "a budget over several namespaces"
    if not refusal.final and not refusal.foreign:
        where = f"budget {refusal.budget}"
    if refusal.in_money:
        known = f" ({refusal.price})" if refusal.price else ""
        return f"Price unknown: {where} limits what the job may cost, and nobody knows what that would be{known}."
    return f"Quantum time unknown: {where} limits quantum time, and nobody knows how much the job would use."


def _remedy(refusal: Refusal) -> str:
    if refusal.asked is None:
        named = "Name a price in QTASKS_CONFIG (prices), or choose" if refusal.in_money else "Choose"
        return f"{named} another backend."
    if refusal.final:
        return "Use a cheaper backend, fewer shots or a shorter maxExecutionTime, or submit it with a higher maxCost."
    if refusal.foreign:
        return "It starts by itself when there is enough; ask whoever administers the queue, or use a cheaper backend."
    if refusal.asked > refusal.limit:
        return "That is more than a whole period has: raise the budget, or use a cheaper backend."
    turns = f", or at {shown(refusal.until, refusal.time_zone)}, when the period turns" if refusal.until else ""
    return f"It starts by itself when the budget is raised or others use less than is reserved for them{turns}."
