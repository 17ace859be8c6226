"""The texts of `qtasks describe session` and `qtasks describe account`. Pure: a document in, text out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from qtasks.cli import ages
from qtasks.cli.account_table import bar, limit, namespaces, quantum
from qtasks.cli.job_table import NOTHING
from qtasks.cli.table import lines_of

if TYPE_CHECKING:
    from rich.text import Text

Document = Mapping[str, Any]


def session_description(document: Document, *, now: datetime, width: int | None = None) -> Text:
    """All that is known of a session."""
    metadata, spec, status = document["metadata"], document["spec"], document["status"]
    texts = (
        ("Account", "account"),
        ("Device", "device"),
        ("Mode", "mode"),
        ("Provider session", "providerSessionId"),
        ("Message", "message"),
    )
    moments = (
        ("Opened", "openedAt"),
        ("First job started", "startedAt"),
        ("Last used", "usedAt"),
        ("Expires", "expiresAt"),
        ("Closed", "closedAt"),
        ("Deleted", "deletedAt"),
    )
    pairs = [
        ("Name", metadata["name"]),
        ("Namespace", metadata["namespace"]),
        ("Phase", status["phase"]),
        ("Backend", spec["backend"].get("type", NOTHING)),
        *((label, str(status[key])) for label, key in texts if key in status),
        ("Longest time", _longest(spec.get("maxTime"))),
        ("Jobs", f"{status['jobs']}, of them {status['openJobs']} not final"),
        ("Created", ages.moment(metadata["creationTimestamp"], now)),
        *((label, ages.moment(status[key], now)) for label, key in moments if key in status),
    ]
    return lines_of(pairs, width=width)


def _longest(written: Any) -> str:
    if written is None:
        return NOTHING
    return ages.human(written) if isinstance(written, (int, float)) else str(written)


def account_description(document: Document, *, now: datetime, width: int | None = None) -> Text:
    """All that is known of an account."""
    status = document["status"]
    pairs = [
        ("Name", document["name"]),
        ("Provider", document["provider"]),
        ("Plan", document["plan"]),
        ("Namespaces", namespaces(document)),
        ("Allowance", "no limit" if status["limit"] is None else limit(status)),
        ("Used", quantum(status["used"])),
        ("Reserved", f"{quantum(status['reserved'])} for jobs at the provider"),
        *_remaining(status),
        *([("Frees", ages.moment(status["freesAt"], now))] if status["freesAt"] else []),
        ("Jobs", f"{status['jobs']['open']} at the provider, {status['jobs']['waiting']} waiting for their turn"),
        *([("Paused until", ages.moment(status["pausedUntil"], now))] if status["pausedUntil"] else []),
        ("Last poll", ages.moment(status["polledAt"], now) if status["polledAt"] else NOTHING),
        *([("Trouble", f"{status['message']} [{status['reason']}]")] if status["reason"] else []),
    ]
    return lines_of(pairs, width=width)


def _remaining(status: Mapping[str, Any]) -> list[tuple[str, str]]:
    if status["remaining"] is None:
        return []
    share = f" {bar(min(1.0, status['remaining'] / status['limit']), 20)}" if status["limit"] else ""
    return [("Remaining", f"{quantum(status['remaining'])}{share}")]
