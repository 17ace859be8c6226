"""A selection as plain JSON, to be kept with the job, and as a table for whoever asks why. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from qtasks.results import timestamp
from qtasks.scheduling.selection import Row, Selection

COLUMNS = (
    "DEVICE", "ACCOUNT", "TOTAL", "COST", "QUEUE", "CAPABILITY", "AVAILABILITY", "PRICE", "WAIT", "FIDELITY", "WHY NOT",
)  # fmt: skip
"""The columns of `table`: scores from 0 to 1 in TOTAL to AVAILABILITY, then what they were worked out from."""
_KEPT_ROWS = 100
"""Rows that are kept; the best ones."""


def as_data(selection: Selection) -> dict[str, Any]:
    """The selection as JSON: money as decimal text in US dollars, times in seconds, moments in ISO 8601."""
    chosen = selection.chosen
    return {
        "at": None if selection.at is None else timestamp(selection.at),
        "chosen": None if chosen is None else {"device": chosen.device, "account": chosen.account},
        "reason": selection.reason,
        "message": selection.message,
        "heals": selection.heals,
        "omitted": max(0, len(selection.rows) - _KEPT_ROWS),
        "candidates": [_row(row) for row in selection.rows[:_KEPT_ROWS]],
    }


def _row(row: Row) -> dict[str, Any]:
    entry, expected, fidelity = row.candidate.entry, row.estimate, row.fidelity
    scores = None if row.scores is None else {_CAMEL.get(k, k): round(v, 6) for k, v in asdict(row.scores).items()}
    return {
        "device": row.device,
        "type": row.type,
        "account": row.account,
        "registeredAs": row.candidate.registered,
        "simulator": entry.simulator,
        "fallback": row.candidate.tier > 0,
        "scores": scores,
        "cost": None if expected.cost is None else format(expected.cost, "f"),
        "upperBoundCost": None if expected.upper_bound_cost is None else format(expected.upper_bound_cost, "f"),
        "price": expected.price,
        "quantumSeconds": expected.quantum_seconds,
        "waitSeconds": row.wait.seconds,
        "waitSource": row.wait.source.value,
        "waitIs": str(row.wait),
        "fidelity": fidelity.value,
        "fidelityBasis": fidelity.basis.value,
        "twoQubitGates": fidelity.two_qubit_gates or None,
        "calibration": entry.calibration,
        "meanError": entry.mean_error,
        "queueAt": None if entry.queue_at is None else timestamp(entry.queue_at),
        "refreshedAt": None if entry.refreshed_at is None else timestamp(entry.refreshed_at),
        "notes": list(row.notes),
        "whyNot": None if row.refusal is None else {"reason": row.refusal.reason, "message": row.refusal.message},
    }


_CAMEL = {"queue_time": "queueTime"}


def table(data: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The candidates of `as_data` as rows of text under `COLUMNS`, the chosen one first and marked with `*`."""
    return [
        _texts(one, chosen=number == 0 and data["chosen"] is not None) for number, one in enumerate(data["candidates"])
    ]


def _texts(one: Mapping[str, Any], *, chosen: bool) -> tuple[str, ...]:
    scores = one["scores"] or {}
    names = ("total", "cost", "queueTime", "capability", "availability")
    shown = [f"{scores[name]:.2f}" if name in scores else "-" for name in names]
    fidelity = one["fidelity"]
    guess = "~" if one["fidelityBasis"] == "estimated" else ""
    why = one["whyNot"]["message"] if one["whyNot"] else "; ".join(one["notes"])
    return (
        ("* " if chosen else "") + one["device"],
        one["account"] or "-",
        *shown,
        "unknown" if one["cost"] is None else f"${float(one['cost']):,.4g}",
        "unknown" if one["waitSeconds"] is None else duration(one["waitSeconds"]),
        "unknown" if fidelity is None else f"{guess}{fidelity:.3g}",
        why,
    )


def duration(seconds: float) -> str:
    """Seconds in two units at most: `45s`, `10m`, `1h30m`, `2d4h`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    for unit, length, lower, part in (("d", 86_400, "h", 3_600), ("h", 3_600, "m", 60)):
        if whole >= length:
            rest = whole % length // part
            return f"{whole // length}{unit}" + (f"{rest}{lower}" if rest else "")
    return f"{whole // 60}m"
