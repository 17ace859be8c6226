"""The price of simulation: seconds times a rate, which is nothing unless somebody sets one. Pure."""

from __future__ import annotations

from decimal import ROUND_UP, Decimal


def charge(run_seconds: float, rate: Decimal) -> Decimal:
    """US dollars for `run_seconds` of simulation at `rate` dollars a second, rounded up to a micro-dollar."""
    return (Decimal(repr(run_seconds)) * rate).quantize(Decimal("0.000001"), ROUND_UP)


def micros(amount: Decimal) -> int:
    """An amount of whole micro-dollars as the integer that the tables keep."""
    return int(amount * 1_000_000)
