"""The commands for what providers ask: prices list, refresh."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qtasks.cli import terminal
from qtasks.cli.outputs import Output, listing

if TYPE_CHECKING:
    from qtasks.resources.prices import Price

prices = typer.Typer(
    help="What providers ask for quantum time, and since when.\n\nExample: `qtasks prices`",
    invoke_without_command=True,
    rich_markup_mode="markdown",
)


class Format(StrEnum):
    """What `-o` may be."""

    JSON = "json"
    YAML = "yaml"


def add_to(app: typer.Typer) -> None:
    """Put the commands on `app`."""
    prices.callback()(_default)
    prices.command(name="list")(list_)
    prices.command()(refresh)
    app.add_typer(prices, name="prices")


def _default(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_()


def list_(
    output: Annotated[Format | None, typer.Option("--output", "-o", help="Print the prices in this form.")] = None,
) -> None:
    """List the prices that count, with source and date.

    Those of QTASKS_CONFIG count before those that were refreshed, and these before the ones that came with this
    release. Of two for the same, only the one that counts is shown.

    Example: `qtasks prices list`
    """
    from qtasks.cli.price_table import price_table
    from qtasks.config import load_config
    from qtasks.costs.prices import current_prices
    from qtasks.settings import settings

    own = load_config(settings().config_file).prices
    found = [_document(price) for price in _that_count(current_prices(own, refreshed=settings().prices_file).prices)]
    if output is not None:
        terminal.put(Output(output.value).text(listing(found)))
    else:
        terminal.show(price_table(found, width=terminal.width(terminal.console())))


def _that_count(found: Sequence[Price]) -> list[Price]:
    """Of the prices of one thing for one unit, the last."""
    return list({(price.provider, price.item, price.unit): price for price in found}.values())


def _document(price: Price) -> dict[str, Any]:
    return {"kind": "Price", **price.model_dump(mode="json", by_alias=True)}


def refresh(
    write: Annotated[
        Path | None,
        typer.Option(
            "--write", metavar="FILE", help="Where to; `prices.yaml` in QTASKS_HOME, which counts, when absent."
        ),
    ] = None,
) -> None:
    """Fetch Braket's prices, and keep them with source and date.

    From the price list that AWS publishes, or from the address in BRAKET_PRICE_OFFERS_URL. Every process of an
    installation needs them: those of a cluster find the entries of a FILE in `prices:` of QTASKS_CONFIG.

    Examples:

    - `qtasks prices refresh`

    - `qtasks prices refresh --write prices.yaml`
    """
    from qtasks.costs.offers import offered_prices
    from qtasks.costs.refresh import fetch_offers, offers_address, write_prices
    from qtasks.errors import InvalidInput
    from qtasks.settings import settings

    address = offers_address()
    with terminal.busy("Fetching prices…"):
        text = fetch_offers(address)
    found = offered_prices(text, source=address)
    file = write or settings().prices_file
    try:
        write_prices(found, file)
    except OSError as error:
        raise InvalidInput(f"{file} cannot be written: {error.strerror}.", reason="FileNotWritable") from None
    terminal.note(f"Wrote {file}: {len(found)} prices of {found[0].date}, from {address}.")
