"""One price of a provider, as `prices:` in QTASKS_CONFIG and the price lists have it."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from qtasks.resources.model import Model, Text
from qtasks.resources.model import Price as Amount
from qtasks.resources.names import Line

Date = Annotated[str, Text(r"^20[0-9]{2}-[01][0-9](-[0-3][0-9])?$", 10, "a date such as 2026-08-21, or a month")]


class Unit(StrEnum):
    """What a price is for."""

    TASK = "task"
    SHOT = "shot"
    SECOND = "second"
    MINUTE = "minute"


_SECONDS = {Unit.SECOND: 1, Unit.MINUTE: 60}


class Price(Model):
    """One price of a provider."""

    provider: Literal["ibm_quantum", "aws_braket"]
    """Whose price it is."""
    item: Line
    """What it is asked for: an IBM plan, or a Braket device's ARN, in which `*` stands for any text."""
    unit: Unit
    """What is counted."""
    amount: Amount
    """US dollars for one unit."""
    source: Line
    """Where the figure was found."""
    date: Date
    """When it was found there."""

    @property
    def per_second(self) -> Decimal | None:
        """US dollars for a second, of a price for time."""
        seconds = _SECONDS.get(self.unit)
        return None if seconds is None else self.amount.value / seconds

    def __str__(self) -> str:
        return f"${self.amount.value:f} a {self.unit} ({self.source}, {self.date})"
