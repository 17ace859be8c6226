"""The table of `qtasks get accounts`. Pure: documents in, text out."""

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

_BAR = 8
_LEAST = {"NAME": 8, "PROVIDER": 7, "PLAN": 4, "NAMESPACES": 10, "TROUBLE": 7, "MESSAGE": 16}


def quantum(seconds: float) -> str:
    """Quantum time: `0s`, `2.5s`, `45s`, `9m30s`, `3h`."""
    if 0 < seconds < 10:
        return f"{seconds:.1f}s" if seconds >= 0.05 else "<0.1s"
    return ages.human(seconds)


def bar(share: float, width: int = _BAR) -> str:
    """A share of 0 to 1 as blocks; some is never shown as none, nor less than all as all."""
    blocks = round(share * width)
    if 0 < share < 1:
        blocks = min(max(blocks, 1), width - 1)
    return "█" * blocks + "░" * (width - blocks)


def _remaining(status: Mapping[str, Any]) -> str:
    if status["remaining"] is None:
        return "no limit"
    left = quantum(status["remaining"])
    if not status["limit"]:
        return left
    return f"{bar(min(1.0, status['remaining'] / status['limit']))} {left}"


def _frees(status: Mapping[str, Any], now: datetime) -> str:
    """When an allowance that is used up has something again."""
    if status["freesAt"] is None:
        return NOTHING
    return f"in {ages.human((ages.when(status['freesAt']) - now).total_seconds())}"


def _jobs(status: Mapping[str, Any]) -> str:
    return f"{status['jobs']['open']}+{status['jobs']['waiting']}"


def _trouble(status: Mapping[str, Any]) -> str:
    return str(status["reason"] or NOTHING)


def _polled(status: Mapping[str, Any], now: datetime) -> str:
    return NOTHING if status["polledAt"] is None else ages.age(status["polledAt"], now)


_COLUMNS: tuple[Column, ...] = (
    ("NAME", lambda account, now: account["name"]),
    ("PROVIDER", lambda account, now: account["provider"]),
    ("PLAN", lambda account, now: account["plan"]),
    ("USED", lambda account, now: quantum(account["status"]["used"])),
    ("REMAINING", lambda account, now: _remaining(account["status"])),
    ("FREES", lambda account, now: _frees(account["status"], now)),
    ("JOBS", lambda account, now: _jobs(account["status"])),
    ("LAST-POLL", lambda account, now: _polled(account["status"], now)),
    ("TROUBLE", lambda account, now: _trouble(account["status"])),
)
_WIDE: tuple[Column, ...] = (
    ("LIMIT", lambda account, now: limit(account["status"])),
    ("RESERVED", lambda account, now: quantum(account["status"]["reserved"])),
    ("NAMESPACES", lambda account, now: namespaces(account)),
    ("MESSAGE", lambda account, now: account["status"]["message"] or NOTHING),
)


def limit(status: Mapping[str, Any]) -> str:
    if status["limit"] is None:
        return NOTHING
    days = "" if status["days"] is None else f" in {status['days']}d"
    return f"{quantum(status['limit'])}{days}"


def namespaces(account: Document) -> str:
    return "<all>" if account["namespaces"] is None else ",".join(account["namespaces"]) or NOTHING


def account_table(
    documents: Sequence[Document], *, now: datetime, width: int | None = None, wide: bool = False
) -> Text:
    """One line per account under a line of titles, close together where `width` asks for it."""
    columns = (*_COLUMNS, *(_WIDE if wide else ()))
    rows = [[cell(document, now) for _, cell in columns] for document in documents]
    return table([title for title, _ in columns], rows, width=width, least=_LEAST, close=True)
