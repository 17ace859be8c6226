"""Jobs of the server: what is known of each, and listing them as IBM does."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.support.ibm.devices import text
from tests.support.ibm.faults import Answer, refusal

PENDING = ("Queued", "Running")
MAX_PAGE = 200
_numbers = itertools.count(1)


def new_id() -> str:
    """An id as IBM makes them: twenty characters."""
    return f"d{next(_numbers):08x}{secrets.token_hex(6)}"[:20]


@dataclass
class Job:
    """A provider job. `status`: Queued, Running, Completed, Failed, Cancelled, or Cancelled - Ran too long."""

    backend: str
    tags: list[str] = field(default_factory=list)
    payload: Mapping[str, Any] = field(default_factory=dict)
    session_id: str | None = None
    max_seconds: int | None = None
    id: str = field(default_factory=new_id)
    status: str = "Queued"
    reason: str = ""
    reason_code: int | None = None
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    running: datetime | None = None
    ended: datetime | None = None
    result: str | None = None
    quantum_seconds: float = 0.0
    parked: bool = False
    """It stays as it is until somebody says otherwise."""
    released: bool = False
    """It runs although the server holds its jobs."""
    executing: bool = False
    lost: bool = False

    @property
    def pending(self) -> bool:
        return self.status in PENDING

    def to_dict(self) -> dict[str, Any]:
        state: dict[str, Any] = {"status": self.status}
        if self.reason:
            state["reason"] = self.reason
        if self.reason_code is not None:
            state["reason_code"] = self.reason_code
        shown: dict[str, Any] = {
            "id": self.id,
            "backend": self.backend,
            "state": state,
            "status": self.status,
            "created": text(self.created),
            "program": {"id": self.payload.get("program_id", "executor")},
            "private": False,
            "tags": self.tags,
            "user_id": "IBMid-test",
            "usage": {"quantum_seconds": self.quantum_seconds},
            "estimated_running_time_seconds": 3.5,
            "estimated_max_running_time_seconds": 600,
            "cost": self.max_seconds or 10800,
        }
        if self.session_id:
            shown["session_id"] = self.session_id
        if self.ended:
            shown["ended"] = text(self.ended)
        return shown

    def metrics(self) -> dict[str, Any]:
        times = {"created": self.created, "running": self.running, "finished": self.ended}
        return {
            "timestamps": {name: text(time) if time else None for name, time in times.items()},
            "usage": {
                "status": "pending" if self.pending else "complete",
                "quantum_seconds": self.quantum_seconds,
                "qpu_charge_time_seconds": self.quantum_seconds,
                "seconds": self.quantum_seconds,
            },
            "bss": {"seconds": self.quantum_seconds},
        }

    def end(self, status: str, reason: str = "", code: int | None = None) -> None:
        self.status, self.reason, self.reason_code = status, reason, code
        self.ended = datetime.now(UTC)
        self.released = self.parked = False


def listing(jobs: Iterable[Job], query: Mapping[str, list[str]]) -> Answer:
    """`GET /jobs`: the newest first, at most 200 a page."""
    limit = int(query.get("limit", ["20"])[0])
    offset = int(query.get("offset", ["0"])[0])
    if not 1 <= limit <= MAX_PAGE:
        return refusal(400, 1231, f"limit must be between 1 and {MAX_PAGE}")
    found = [job for job in jobs if not job.lost and _wanted(job, query)]
    found.sort(key=lambda job: (job.created, job.id), reverse=query.get("sort", ["DESC"])[0] != "ASC")
    page = [job.to_dict() for job in found[offset : offset + limit]]
    return Answer(200, {"jobs": page, "count": len(found), "limit": limit, "offset": offset})


def _wanted(job: Job, query: Mapping[str, list[str]]) -> bool:
    if "pending" in query and job.pending != (query["pending"][0] == "true"):
        return False
    if not set(query.get("tags", ())) <= set(job.tags):
        return False
    if "backend" in query and job.backend != query["backend"][0]:
        return False
    if "session_id" in query and job.session_id != query["session_id"][0]:
        return False
    if "created_after" in query and job.created < datetime.fromisoformat(query["created_after"][0]):
        return False
    return not ("created_before" in query and job.created > datetime.fromisoformat(query["created_before"][0]))
