"""The tables of `qtasks auth`. Pure: documents in, text out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from qtasks.cli import ages
from qtasks.cli.job_table import NOTHING
from qtasks.cli.table import table

if TYPE_CHECKING:
    from rich.text import Text

Document = Mapping[str, Any]


def role(binding: Document) -> str:
    """A binding as `operator@lab`, with `+urgent` where it has that right."""
    return f"{binding['role']}@{binding['namespace']}{'+urgent' if binding['urgent'] else ''}"


def roles(document: Document) -> str:
    return ",".join(map(role, document["bindings"])) or NOTHING


def principal_table(documents: Sequence[Document], *, now: datetime, width: int | None = None) -> Text:
    """A line for each token of each principal, and one for a principal without any."""
    titles = ("NAME", "ROLES", "TOKEN", "STATE", "EXPIRES", "LAST-USED", "AGE")
    rows = [
        [document["name"], roles(document), *_token(token, now)]
        for document in documents
        for token in document["tokens"] or [None]
    ]
    return table(titles, rows, width=width, least={"NAME": 8, "ROLES": 12}, close=True)


def _token(token: Document | None, now: datetime) -> list[str]:
    if token is None:
        return [NOTHING] * 5
    expires = token["expiresAt"]
    ahead = None if expires is None else (ages.when(expires) - now).total_seconds()
    return [
        token["prefix"],
        token["state"],
        "never" if ahead is None else f"in {ages.human(ahead)}" if ahead > 0 else f"{ages.human(-ahead)} ago",
        NOTHING if token["usedAt"] is None else f"{ages.age(token['usedAt'], now)} ago",
        ages.age(token["createdAt"], now),
    ]


def audit_table(documents: Sequence[Document], *, width: int | None = None) -> Text:
    """A line for each decision."""
    titles = ("TIME", "PRINCIPAL", "VERB", "NAMESPACE", "DECISION", "OBJECT")
    rows = [
        [
            document["at"],
            document["principal"] or "<unknown>",
            document["verb"],
            document["namespace"] or NOTHING,
            document["reason"],
            document["object"] or NOTHING,
        ]
        for document in documents
    ]
    return table(titles, rows, width=width, least={"PRINCIPAL": 8, "NAMESPACE": 8, "OBJECT": 12}, close=True)
