"""Braket's prices as AWS publishes them: the price list offer file (CSV) of AmazonBraket. Pure.

The format is that of https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/reading-an-offer.html: five lines of
metadata, then a table. Which of its products are billed for tasks is read off `braket.tracking` of amazon-braket-sdk.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from decimal import ROUND_UP, Decimal, InvalidOperation

from qtasks.errors import InvalidInput
from qtasks.resources import Money
from qtasks.resources.prices import Price, Unit

OFFERS = "https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/AmazonBraket/current/index.csv"
_METADATA_LINES = 5
_QPU = {"Quantum Task": Unit.TASK, "Quantum Task-Shot": Unit.SHOT}
_SIMULATOR, _COMPLETED = "Simulator Task", "CompleteTask"
_TIME = {"second": Unit.SECOND, "seconds": Unit.SECOND, "minute": Unit.MINUTE, "minutes": Unit.MINUTE}
_MICRO = Decimal("0.000001")


def offered_prices(text: str, *, source: str = OFFERS) -> tuple[Price, ...]:
    """The prices of an offer file: of each QPU for a task and a shot, in each region that has it, and of each simulator
    for its time; where regions ask different prices for a simulator, the highest, as its ARN names no region.

    `source` is where the file was found; the date is that of its publication. What is not sold by task, such as
    reservations, is left out. Raises InvalidInput (`InvalidPrices`) for a text that is no offer file.
    """
    lines = text.splitlines()
    told = {row[0]: row[1] for row in csv.reader(lines[:_METADATA_LINES]) if len(row) > 1}
    date = told.get("Publication Date", "")[:10]
    if told.get("OfferCode") != "AmazonBraket" or not date:
        raise _invalid(source, "it does not begin with the metadata of an AmazonBraket offer file")
    found: dict[tuple[str, Unit], Decimal] = {}
    for row in csv.DictReader(lines[_METADATA_LINES:]):
        for item, unit, amount in _price(row, source):
            found[item, unit] = max(amount, found.get((item, unit), amount))
    if not found:
        raise _invalid(source, "it has no price of a task, a shot or a simulator's time in US dollars")
    return tuple(
        Price(provider="aws_braket", item=item, unit=unit, amount=Money(amount.normalize()), source=source, date=date)
        for (item, unit), amount in sorted(found.items())
    )


def _price(row: Mapping[str, str | None], source: str) -> Iterator[tuple[str, Unit, Decimal]]:
    family = row.get("Product Family") or ""
    if row.get("Currency") != "USD":
        return
    region, device = row.get("Region Code") or "", row.get("DeviceName") or ""
    if family in _QPU and region and device:
        # The offer file writes in capitals what is Ibex in ARNs.
        name = device.replace("IBEX", "Ibex")
        yield f"arn:aws:braket:{region}::device/qpu/*/{name}", _QPU[family], _amount(row, source)
    unit, version = _TIME.get((row.get("Unit") or "").lower()), row.get("Version") or ""
    if family == _SIMULATOR and row.get("operation") == _COMPLETED and unit is not None and version:
        yield f"arn:aws:braket:*::device/quantum-simulator/amazon/{version.lower()}", unit, _amount(row, source)


def _amount(row: Mapping[str, str | None], source: str) -> Decimal:
    written = row.get("PricePerUnit") or ""
    try:
        amount = Decimal(written).quantize(_MICRO, ROUND_UP)
    except InvalidOperation:
        raise _invalid(source, f'"{written[:40]}" is not a price') from None
    if amount < 0:
        raise _invalid(source, f'"{written[:40]}" is not a price')
    return amount


def _invalid(source: str, why: str) -> InvalidInput:
    return InvalidInput(f"{source} is no list of Braket's prices: {why}.", reason="InvalidPrices")
