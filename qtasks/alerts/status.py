"""Alerts as a budget's status shows them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from qtasks.alerts.message import sentence
from qtasks.results import timestamp
from qtasks.store.alerts import DUE, Alert


def status(latest: Iterable[tuple[Alert, Iterable[Any]]]) -> list[dict[str, Any]]:
    """What `store.alerts.latest` gave, as plain JSON data; no address is shown."""
    return [
        {
            "id": alert.id,
            "at": timestamp(alert.at),
            "threshold": alert.threshold,
            "percent": round(alert.percent, 2),
            "message": sentence(alert),
            "deliveries": [_delivery(row) for row in rows],
        }
        for alert, rows in latest
    ]


def _delivery(row: Any) -> dict[str, Any]:
    """`at`: when it was sent or given up; `nextTry` of what is still due."""
    shown = {"channel": row.channel, "state": row.state, "tries": row.tries}
    shown |= {"nextTry": timestamp(row.due_at)} if row.state == DUE else {"at": timestamp(row.ended_at)}
    return shown if row.problem is None else {**shown, "message": row.problem}
