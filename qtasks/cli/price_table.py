"""The table of `qtasks prices`. Pure: documents in, text out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qtasks.cli.backend_table import short_device
from qtasks.cli.table import first_that_fits, table

if TYPE_CHECKING:
    from rich.text import Text

Document = Mapping[str, Any]

_LEAST = {"SOURCE": 12}


def price_table(documents: Sequence[Document], *, width: int | None = None) -> Text:
    """A line for each price; ARNs are shortened, then sources cut, where `width` asks for it."""

    def drawn(item: Callable[[str], str], *, source: bool) -> Text:
        titles = ("PROVIDER", "ITEM", "PRICE", "DATE", *(("SOURCE",) if source else ()))
        rows = [
            [
                document["provider"],
                item(document["item"]),
                f"{_dollars(document['amount'])} a {document['unit']}",
                document["date"],
                *([document["source"]] if source else []),
            ]
            for document in documents
        ]
        return table(titles, rows, width=width, least=_LEAST, close=True)

    drawings = [
        lambda: drawn(str, source=True),
        lambda: drawn(short_device, source=True),
        lambda: drawn(short_device, source=False),
    ]
    return first_that_fits(drawings, width)


def _dollars(amount: Any) -> str:
    return str(amount) if str(amount).startswith("$") else f"${amount}"
