"""List prices of the providers: dated, with their source, and others in their place where somebody gives them."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from qtasks.errors import InvalidInput
from qtasks.resources.model import Model
from qtasks.resources.prices import Price, Unit
from qtasks.resources.problems import invalid, problems_of
from qtasks.resources.yaml_text import read


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


def current_prices(own: tuple[Price, ...] = (), *, refreshed: Path | None = None) -> PriceList:
    """The prices that count: this release's, in their place those of the file that was `refreshed`, and in place of
    both `own`, those of QTASKS_CONFIG. A file that changed is read again; one that is not there says nothing.

    Raises InvalidInput (`InvalidPrices`) for a file that is no price list.
    """
    changed = None
    if refreshed is not None:
        try:
            changed = refreshed.stat().st_mtime_ns
        except FileNotFoundError:
            refreshed = None
    return _current(own, refreshed, changed)


@lru_cache(maxsize=8)
def _current(own: tuple[Price, ...], refreshed: Path | None, _changed: int | None) -> PriceList:
    known = list_prices()
    if refreshed is not None:
        try:
            known = known.replaced_by(read_prices(refreshed.read_text("utf-8")).prices)
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(f"The prices in {refreshed} cannot be read: {error}.", reason="InvalidPrices") from None
    return known.replaced_by(own)
