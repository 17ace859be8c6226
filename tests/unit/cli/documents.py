"""Documents as the client gives them, for tests of what is shown."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)


def job(name: str = "bell", phase: str = "Completed", **status: Any) -> dict[str, Any]:
    """A job that was submitted 90 s before NOW and, when Completed, took 1.5 s."""
    finished = {
        "backend": "local_simulator",
        "message": "The result is stored.",
        "startTime": "2026-11-20T11:58:31.000000Z",
        "completionTime": "2026-11-20T11:58:32.500000Z",
    }
    return {
        "apiVersion": "quantum.io/v1",
        "kind": "QiskitJob",
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": "01a1f878-10cd-7785-8324-209ffb2c2fc2",
            "creationTimestamp": "2026-11-20T11:58:30.000000Z",
            "labels": {"algorithm": "bell"},
        },
        "spec": {"circuit": {"source": "inline"}, "execution": {"shots": 2048, "priority": "high"}},
        "status": {
            "phase": phase,
            "attempt": 1,
            "cost": "$0.00",
            "conditions": [],
            **(finished if phase == "Completed" else {}),
            **status,
        },
    }


def event(reason: str, message: str, *, warning: bool = False) -> dict[str, Any]:
    return {
        "id": 1,
        "time": "2026-11-20T11:58:31.250000Z",
        "type": "Warning" if warning else "Normal",
        "reason": reason,
        "message": message,
        "attempt": 1,
        "source": None,
    }
