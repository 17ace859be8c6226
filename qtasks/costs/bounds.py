"""The most that a run can cost: what is reserved before it starts. Pure."""

from __future__ import annotations

from dataclasses import replace

from qtasks.costs.cost import Cost
from qtasks.costs.prices import PriceList
from qtasks.costs.provider import braket_cost, ibm_cost


def ibm_upper_bound(most_seconds: float, plan: str, *, prices: PriceList | None = None) -> Cost:
    """What a job costs under a plan that is cancelled after `most_seconds` of quantum time."""
    cost = ibm_cost(most_seconds, plan, prices=prices)
    return replace(cost, price=f"{cost.price}, for at most {most_seconds:g} s") if cost.amount is not None else cost


def braket_upper_bound(
    device_arn: str, shots: int, *, most_seconds: float | None = None, prices: PriceList | None = None
) -> Cost:
    """What a Braket task costs at most. On a QPU that is what it costs. The time of a simulation is known afterwards:
    `most_seconds` is how long it is assumed, or allowed, to take; without, the amount is unknown."""
    known = braket_cost(device_arn, shots, prices=prices)
    # A price for time is one that changes with it.
    longer = braket_cost(device_arn, shots, duration_seconds=1e6, prices=prices)
    if known.amount == longer.amount:
        return known
    if most_seconds is None:
        return Cost(None, None, f"nobody said how long a simulation may take on {device_arn}")
    cost = braket_cost(device_arn, shots, duration_seconds=most_seconds, prices=prices)
    return replace(cost, price=f"{cost.price}, for at most {most_seconds:g} s")
