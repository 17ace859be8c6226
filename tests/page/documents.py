"""A job's document and its events, as the gateway gives them, for tests of what is shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
JOB_ID = "01a1fa65-b2a5-73d0-8637-19bd7d68a5b5"


def at(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def event(seconds: float, reason: str, message: str = "It went on.", **more: Any) -> dict[str, Any]:
    known = {"id": int(seconds * 10) + 1, "type": "Normal", "attempt": 1, "source": "worker-1"}
    return {"time": at(seconds), "reason": reason, "message": message, **known, **more}


def job(phase: str = "Completed", *, status: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    final = phase in ("Completed", "Failed", "Cancelled")
    known = {"name": "bell", "namespace": "lab", "uid": JOB_ID, "creationTimestamp": at(0)}
    return {
        "apiVersion": "quantum.io/v1",
        "kind": "QiskitJob",
        "metadata": known | metadata,
        "spec": {"circuit": {"source": "inline", "code": "qc"}, "execution": {"shots": 100, "priority": "high"}},
        "status": {
            "phase": phase,
            "attempt": 1,
            "cost": "$0.00",
            "conditions": [],
            **({"completionTime": at(10)} if final else {}),
            **(status or {}),
        },
    }
