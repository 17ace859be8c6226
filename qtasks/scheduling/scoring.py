"""The four scores of a candidate, each from 0 (worst) to 1, and their weighted mean. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from math import exp2
from statistics import median

from qtasks.resources.backend import Weights

NEUTRAL = 0.5
"""The score of what nobody knows."""
HALF_WAIT_SECONDS = 600.0
"""The wait that scores one half."""
HALF_LIFE_SECONDS = 3600.0
"""The age at which half is left of what a figure of availability says."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What a candidate scores, and the weighted mean."""

    cost: float
    queue_time: float
    capability: float
    availability: float
    total: float


def typical_price(costs: Iterable[Decimal | None]) -> Decimal | None:
    """The median of the prices that are more than nothing; None where there is none."""
    charged = [cost for cost in costs if cost]
    return median(charged) if charged else None


def cost_score(cost: Decimal | None, typical: Decimal | None) -> float:
    """`1 / (1 + cost / typical)`: 1 for what is free, 1/2 for the typical price of the candidates, 1/3 for twice that;
    0 where no price is known, for that may be any."""
    if cost is None:
        return 0.0
    if not cost or not typical:
        return 1.0
    return 1.0 / (1.0 + float(cost / typical))


def queue_time_score(wait_seconds: float | None) -> float:
    """`1 / (1 + wait / 10 min)`: 1 for no wait, 1/2 for ten minutes, 1/7 for an hour; 1/2 where nobody knows."""
    return NEUTRAL if wait_seconds is None else 1 / (1 + wait_seconds / HALF_WAIT_SECONDS)


def capability_score(fidelity: float | None, best: float | None) -> float:
    """`fidelity / best`: the expected fidelity of this circuit there, as a share of the best candidate's; 1/2 where
    nobody knows. A share, because of a deep circuit all fidelities are tiny, and one is still a hundred times another.
    """
    if fidelity is None:
        return NEUTRAL
    return fidelity / best if best else 0.0


def availability_score(available: bool, age_seconds: float | None) -> float:
    """How sure it is that the device is in service: 1 or 0 when that was just said, and nearer to 1/2 the older it
    is: `1/2 ± 1/2 · 2^(−age / 1 h)`. 1/2 where it was never said."""
    if age_seconds is None:
        return NEUTRAL
    sure = 0.5 * exp2(-age_seconds / HALF_LIFE_SECONDS)
    return 0.5 + sure if available else 0.5 - sure


def weighted(weights: Weights, *, cost: float, queue_time: float, capability: float, availability: float) -> Scores:
    """The scores with their mean, weighted as the job asks; only the weights' ratios matter."""
    parts = (
        (float(weights.cost), cost),
        (float(weights.queue_time), queue_time),
        (float(weights.capability), capability),
        (float(weights.availability), availability),
    )
    total = sum(weight * score for weight, score in parts) / sum(weight for weight, _ in parts)
    return Scores(cost, queue_time, capability, availability, total)
