"""What a run costs, or is thought to. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Cost:
    """An amount of money with what it was worked out from."""

    amount: Decimal | None
    """US dollars; None where no price is known."""
    quantum_seconds: float | None = None
    """Time on the device that it stands for."""
    price: str = ""
    """Which price it was worked out with, its source and date."""
