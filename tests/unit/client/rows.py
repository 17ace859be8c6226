"""Rows as the store gives them, for tests of what is made of them."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from qtasks.store.jobs import _AT_PROVIDER

CREATED = datetime(2026, 11, 20, 11, 58, 30, tzinfo=UTC)
ENDED = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
JOB_ID = "01a1f878-10cd-7785-8324-209ffb2c2fc2"


def row(phase: str = "Running", **values: Any) -> Any:
    """A job that runs under account lab-open; values of its provider job begin with `provider_`."""
    at_provider = {f"provider_{name.removeprefix('provider_')}": None for name in _AT_PROVIDER}
    known = {
        "id": JOB_ID,
        "name": "bell",
        "namespace": "default",
        "phase": phase,
        "attempt": 1,
        "account": "lab-open",
        "backend": "ibm_fez",
        "shots": 4096,
        "fingerprint": None,
        "git_commit": None,
        "metrics": None,
        "message": None,
        "cost_micros": 0,
        "created_at": CREATED,
        "finished_at": ENDED if phase in ("Completed", "Failed", "Cancelled") else None,
        "resource": {
            "metadata": {"labels": {"experiment-type": "surface_code"}, "annotations": {"logical-state": "+"}},
            "spec": {"backend": {"type": "ibm_quantum"}},
        },
        "provider_compiled": None,
    }
    return SimpleNamespace(**{**known, **at_provider, **values})
