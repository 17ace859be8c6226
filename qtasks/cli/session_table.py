"""The table of `qtasks get sessions`. Pure: documents in, text out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from qtasks.cli import ages
from qtasks.cli.job_table import NOTHING
from qtasks.cli.table import table

if TYPE_CHECKING:
    from rich.text import Text

Document = Mapping[str, Any]
Column = tuple[str, Callable[[Document, datetime], str]]

_LEAST = {"NAME": 12, "NAMESPACE": 12, "ACCOUNT": 8, "DEVICE": 8, "PROVIDER-SESSION": 12, "MESSAGE": 16}


def _expires(status: Mapping[str, Any], now: datetime) -> str:
    if "expiresAt" not in status:
        return NOTHING
    return f"in {ages.human((ages.when(status['expiresAt']) - now).total_seconds())}"


def _jobs(status: Mapping[str, Any]) -> str:
    return f"{status['openJobs']} of {status['jobs']}"


_NAMESPACE: Column = ("NAMESPACE", lambda session, now: session["metadata"]["namespace"])
_NARROW: tuple[Column, ...] = (
    ("NAME", lambda session, now: session["metadata"]["name"]),
    ("PHASE", lambda session, now: session["status"]["phase"]),
    ("MODE", lambda session, now: session["status"]["mode"]),
    ("ACCOUNT", lambda session, now: session["status"].get("account", NOTHING)),
    ("DEVICE", lambda session, now: session["status"].get("device", NOTHING)),
    ("OPEN-JOBS", lambda session, now: _jobs(session["status"])),
    ("EXPIRES", lambda session, now: _expires(session["status"], now)),
    ("AGE", lambda session, now: ages.age(session["metadata"]["creationTimestamp"], now)),
)
_WIDE: tuple[Column, ...] = (
    ("PROVIDER-SESSION", lambda session, now: session["status"].get("providerSessionId", NOTHING)),
    ("MESSAGE", lambda session, now: session["status"].get("message", NOTHING)),
)


def session_table(
    documents: Sequence[Document],
    *,
    now: datetime,
    width: int | None = None,
    wide: bool = False,
    namespaces: bool = False,
) -> Text:
    """One line per session under a line of titles."""
    columns = (*((_NAMESPACE,) if namespaces else ()), *_NARROW, *(_WIDE if wide else ()))
    rows = [[cell(document, now) for _, cell in columns] for document in documents]
    return table([title for title, _ in columns], rows, width=width, least=_LEAST)
