"""Fetching Braket's prices, and keeping prices in a file of their own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile

import urllib3
import yaml

from qtasks.costs.offers import OFFERS
from qtasks.errors import Unavailable
from qtasks.resources.prices import Price

ADDRESS_VARIABLE = "BRAKET_PRICE_OFFERS_URL"
"""The environment variable by which amazon-braket-sdk too is told another address."""
_LARGEST = 64 * 2**20
_TIMEOUT = urllib3.Timeout(connect=10, read=60)


def offers_address() -> str:
    """Where Braket's price list offer file is."""
    return os.environ.get(ADDRESS_VARIABLE) or OFFERS


def fetch_offers(address: str) -> str:
    """The offer file at `address`. Raises Unavailable (`PricesUnavailable`)."""
    try:
        with urllib3.PoolManager() as http:
            answer = http.request("GET", address, timeout=_TIMEOUT, retries=2, preload_content=False)
            body = answer.read(_LARGEST + 1)
            answer.release_conn()
    except urllib3.exceptions.HTTPError as error:
        raise _unavailable(address, type(error).__name__) from None
    if answer.status != 200 or len(body) > _LARGEST:
        raise _unavailable(address, f"HTTP {answer.status}, {len(body)} bytes")
    return str(body.decode("utf-8", errors="replace"))


def _unavailable(address: str, why: str) -> Unavailable:
    return Unavailable(
        f"Braket's prices cannot be fetched from {address}: {why}.",
        reason="PricesUnavailable",
        hint=f"Try again, or name another address in {ADDRESS_VARIABLE}; the prices that are known stay.",
    )


def write_prices(prices: Sequence[Price], path: Path) -> None:
    """Keep prices in a YAML file that `current_prices` reads, and whose entries `prices:` of QTASKS_CONFIG takes; what
    was in it is replaced at once."""
    entries = [price.model_dump(mode="json", by_alias=True) for price in prices]
    text = yaml.safe_dump({"prices": entries}, sort_keys=False, allow_unicode=True, width=120)
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False, encoding="utf-8") as file:
        file.write(text)
    Path(file.name).replace(path)
