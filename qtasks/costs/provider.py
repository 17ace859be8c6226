"""What a provider asks for a run, by its list prices or by others. Pure.

Amounts are exact to a micro-dollar, rounded up. An unknown price gives an unknown amount, never zero.
"""

from __future__ import annotations

from decimal import ROUND_UP, Decimal

from qtasks.costs.cost import Cost
from qtasks.costs.prices import PriceList, list_prices
from qtasks.resources.prices import Unit

SIMULATOR_MINIMUM_SECONDS = 3.0
"""Braket bills a simulation for at least so long (its pricing page)."""
_IBM, _BRAKET = "ibm_quantum", "aws_braket"
_MICRO = Decimal("0.000001")


def ibm_cost(quantum_seconds: float, plan: str, *, prices: PriceList | None = None) -> Cost:
    """The cost of `quantum_seconds` (0 or more) under a plan: open, pay-as-you-go, flex or premium.

    The open plan costs nothing: what it has is an allowance. Flex and premium time is bought in advance; the amount is
    the share of it that is used up.
    """
    price = (prices or list_prices()).find(_IBM, plan, Unit.SECOND, Unit.MINUTE)
    if price is None or price.per_second is None:
        return Cost(None, quantum_seconds, f"no price is known for the plan {plan}")
    return Cost(_up(_exact(quantum_seconds) * price.per_second), quantum_seconds, f"{plan}: {price}")


def braket_cost(
    device_arn: str, shots: int, *, duration_seconds: float | None = None, prices: PriceList | None = None
) -> Cost:
    """The cost of a Braket task on the device of this ARN.

    A QPU costs a price for the task and one for each shot, however long it takes. A simulator costs its time, at least
    three seconds of it: without `duration_seconds`, which is known afterwards, the amount is that minimum.
    """
    known = prices or list_prices()
    time = known.find(_BRAKET, device_arn, Unit.SECOND, Unit.MINUTE)
    if time is not None and time.per_second is not None:
        seconds = max(SIMULATOR_MINIMUM_SECONDS, duration_seconds or 0.0)
        least = "" if duration_seconds is not None else ", at least three seconds"
        return Cost(_up(_exact(seconds) * time.per_second), None, f"{time}{least}")
    task, shot = known.find(_BRAKET, device_arn, Unit.TASK), known.find(_BRAKET, device_arn, Unit.SHOT)
    if task is None or shot is None:
        return Cost(None, None, f"no price is known for {device_arn}")
    return Cost(_up(task.amount.value + shots * shot.amount.value), None, f"{task} + {shot}")


def _exact(seconds: float) -> Decimal:
    return Decimal(repr(float(seconds)))


def _up(amount: Decimal) -> Decimal:
    return amount.quantize(_MICRO, ROUND_UP)
