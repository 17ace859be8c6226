"""Quantum tasks as SearchQuantumTasks and GetQuantumTask describe them, in this library's words. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from qtasks.backends.protocol import ProviderJob, ProviderState

FOLDER = "qtasks"
"""The results of every task lie under `<prefix>/qtasks/<tag>`: tasks can be searched for nothing else of ours."""
_SKEW = timedelta(minutes=5)
_STATES = {
    "CREATED": ProviderState.QUEUED,
    "QUEUED": ProviderState.QUEUED,
    "RUNNING": ProviderState.RUNNING,
    "CANCELLING": ProviderState.RUNNING,
    "COMPLETED": ProviderState.DONE,
    "FAILED": ProviderState.FAILED,
    "CANCELLED": ProviderState.CANCELLED,
}
_TAG = re.compile(rf"(?:^|/){FOLDER}/([^/]+)/[^/]+$")
_HEALS = re.compile(r"internal|unavailable|time[d -]*out|offline|capacity|temporar|try again|retry|maintenance", re.I)
_NOT_IN_A_TAG = re.compile(r"[^\w\s.:/=+\-@]")


def job(task: Mapping[str, Any]) -> ProviderJob:
    """A task. Only GetQuantumTask says why it failed and where it stands in the queue."""
    state = _STATES.get(task["status"], ProviderState.RUNNING)
    why = str(task.get("failureReason") or "").strip()
    tag = tag_of(task)
    position = str(task.get("queueInfo", {}).get("position", "")).lstrip(">")
    return ProviderJob(
        task["quantumTaskArn"],
        state,
        tags=(tag,) if tag else (),
        device=task["deviceArn"],
        created_at=_utc(task["createdAt"]),
        finished_at=_utc(task["endedAt"]) if state.final and task.get("endedAt") else None,
        queue_position=int(position) if position.isdigit() else None,
        code=task["status"] if state in (ProviderState.FAILED, ProviderState.CANCELLED) else "",
        message=why,
        heals=state is ProviderState.FAILED and _HEALS.search(why) is not None,
    )


def lost(arn: str) -> ProviderJob:
    return ProviderJob(arn, ProviderState.LOST, message="Amazon Braket does not know the task.")


def tag_of(task: Mapping[str, Any]) -> str:
    """The tag of a task of ours; empty for another's."""
    found = _TAG.search(task["outputS3Directory"])
    return found[1] if found else ""


def made_after(since: datetime) -> list[dict[str, Any]]:
    """SearchQuantumTasks' filter, with room for clocks that differ."""
    time = (since - _SKEW).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return [{"name": "createdAt", "operator": "GTE", "values": [time]}]


def aws_tags(tag: str, labels: Iterable[str]) -> dict[str, str]:
    """Tags that AWS takes: at most fifty, 128 and 256 characters long, of few kinds; `qtasks` is ours."""
    found: dict[str, str] = {}
    for label in labels:
        key, _, value = label.partition(":")
        key = _NOT_IN_A_TAG.sub("_", key)[:128].strip()
        if key and len(found) < 40:
            found[key] = _NOT_IN_A_TAG.sub("_", value)[:256].strip()
    return {**found, "qtasks": tag}


def _utc(time: datetime) -> datetime:
    return time.astimezone(UTC)
