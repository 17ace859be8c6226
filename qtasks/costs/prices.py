"""List prices of the providers: dated, with their source, and others in their place where somebody gives them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib.resources import files
from typing import Annotated, Any, Literal

from pydantic import ValidationError

from qtasks.errors import InvalidInput
from qtasks.resources.model import Model, Text
from qtasks.resources.model import Price as Amount
from qtasks.resources.names import Line
from qtasks.resources.problems import invalid, problems_of
from qtasks.resources.yaml_text import read

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


class PriceList(Model):
    """Prices; where several fit, the last one counts."""

    prices: tuple[Price, ...] = ()
    """The prices, those that replace others after them."""

    def find(self, provider: str, item: str, *units: Unit) -> Price | None:
        """The price of `item` (a plan, or a device's ARN) for one of `units`; None where none is known."""
        for price in reversed(self.prices):
            if price.provider == provider and price.unit in units and fnmatchcase(item, price.item):
                return price
        return None

    def replaced_by(self, others: Iterable[Price]) -> PriceList:
        """These prices, with `others` in their place where both fit."""
        return PriceList(prices=(*self.prices, *others))


def read_prices(text: str) -> PriceList:
    """The price list in YAML or JSON text. Raises InvalidInput (`InvalidPrices`) that names every problem."""
    try:
        documents: list[Any] = read(text)
        return PriceList.model_validate(documents[0] if documents else {})
    except ValidationError as error:
        found = invalid(problems_of(error, PriceList))
    except InvalidInput as error:
        found = error
    raise InvalidInput(found.message, reason="InvalidPrices", hint=found.hint, details=found.details) from None


@lru_cache(maxsize=1)
def list_prices() -> PriceList:
    """The providers' list prices as this release knows them."""
    return read_prices(files("qtasks.costs").joinpath("prices.yaml").read_text("utf-8"))
