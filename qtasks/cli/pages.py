"""Lists of jobs of any length, newest first: a page after another."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qtasks.client import Client

Document = dict[str, Any]

_PAGE = 1000


def newest(client: Client, limit: int, **query: Any) -> list[Document]:
    """At most `limit` jobs as documents without their circuits; `query` is what `Client.page` takes."""
    return list(islice(every(client, page=min(limit, _PAGE), **query), limit))


def every(client: Client, *, page: int = _PAGE, **query: Any) -> Iterator[Document]:
    """All jobs of a query, asked for when they are wanted."""
    before: str | None = None
    while True:
        found = client.page(limit=page, before=before, **query)
        yield from found
        if len(found) < page:
            return
        before = found[-1]["metadata"]["uid"]
