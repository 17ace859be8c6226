"""The table of `qtasks get jobs`. Pure: documents in, text out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from qtasks.cli import ages
from qtasks.cli.table import table
from qtasks.lifecycle import Phase
from qtasks.resources import Execution, JobBackend

if TYPE_CHECKING:
    from rich.text import Text

Document = Mapping[str, Any]
Column = tuple[str, Callable[[Document, datetime], str]]

NOTHING = "<none>"

_EXECUTION = Execution()
_LEAST = {
    "NAME": 20,
    "NAMESPACE": 12,
    "BACKEND": 15,
    "ACCOUNT": 8,
    "DEVICE": 8,
    "PROVIDER-ID": 20,
    "LABELS": 12,
    "MESSAGE": 16,
}
# A watched job's phases stay below each other.
_FLOOR = {"PHASE": max(map(len, Phase)), "AGE": 5}


def phase(document: Document) -> str:
    return str(document["status"]["phase"])


def backend(document: Document) -> str:
    """Where the job runs or, before that is known, where it was meant to."""
    asked = document["spec"].get("backend", {}).get("type", JobBackend().type.value)
    return str(document["status"].get("backend", asked))


def priority(document: Document) -> str:
    return str(document["spec"].get("execution", {}).get("priority", _EXECUTION.priority.value))


def shots(document: Document) -> int:
    return int(document["spec"].get("execution", {}).get("shots", _EXECUTION.shots))


def duration(document: Document, now: datetime) -> float | None:
    """Seconds from the start of the latest attempt to its end, or to `now`; None before it."""
    status = document["status"]
    if "startTime" not in status:
        return None
    end = ages.when(status["completionTime"]) if "completionTime" in status else now
    return (end - ages.when(status["startTime"])).total_seconds()


def labels(document: Document) -> str:
    return ",".join(f"{key}={value}" for key, value in document["metadata"].get("labels", {}).items())


def at_provider(document: Document, name: str) -> str:
    """What is known of the job's provider job."""
    return str(document["status"].get("provider", {}).get(name, NOTHING))


_NARROW: tuple[Column, ...] = (
    ("NAME", lambda job, now: job["metadata"]["name"]),
    ("PHASE", lambda job, now: phase(job)),
    ("BACKEND", lambda job, now: backend(job)),
    ("PRIORITY", lambda job, now: priority(job)),
    ("SHOTS", lambda job, now: str(shots(job))),
    ("AGE", lambda job, now: ages.age(job["metadata"]["creationTimestamp"], now)),
)
_WIDE: tuple[Column, ...] = (
    ("ID", lambda job, now: job["metadata"]["uid"]),
    ("ATTEMPT", lambda job, now: str(job["status"]["attempt"])),
    ("DURATION", lambda job, now: _length(duration(job, now))),
    ("COST", lambda job, now: job["status"]["cost"]),
    ("LABELS", lambda job, now: labels(job) or NOTHING),
    ("MESSAGE", lambda job, now: job["status"].get("message", NOTHING)),
)
_QUEUE: tuple[Column, ...] = (
    ("POSITION", lambda job, now: str(job["status"].get("queue", {}).get("position", NOTHING))),
    ("STARTS", lambda job, now: starts(job, now)),
)
_PROVIDER: tuple[Column, ...] = (
    ("ACCOUNT", lambda job, now: at_provider(job, "account")),
    ("DEVICE", lambda job, now: at_provider(job, "device")),
    ("PROVIDER-ID", lambda job, now: at_provider(job, "jobId")),
    ("STATE", lambda job, now: at_provider(job, "state")),
)
_NAMESPACE: Column = ("NAMESPACE", lambda job, now: job["metadata"]["namespace"])


def job_table(
    documents: Sequence[Document],
    *,
    now: datetime,
    width: int | None = None,
    wide: bool = False,
    namespaces: bool = False,
) -> Text:
    """One line per job under a line of titles; names, labels and messages are cut to fit `width`. A wide table has
    the place in the queue and the estimated start, and columns for providers where one of the jobs runs at one."""
    there = wide and any("provider" in document["status"] for document in documents)
    columns = (
        *((_NAMESPACE,) if namespaces else ()),
        *_NARROW,
        *(_QUEUE if wide else ()),
        *(_PROVIDER if there else ()),
        *(_WIDE if wide else ()),
    )
    rows = [[cell(document, now) for _, cell in columns] for document in documents]
    return table([title for title, _ in columns], rows, width=width, least=_LEAST, floor=_FLOOR, close=there)


def starts(document: Document, now: datetime) -> str:
    """When a job that waits is thought to start: `in 3m`; `5m late` when it should have."""
    expected = document["status"].get("queue", {}).get("estimatedStart")
    if expected is None:
        return NOTHING
    ahead = (ages.when(expected) - now).total_seconds()
    return f"in {ages.human(ahead)}" if ahead > 0 else f"{ages.human(-ahead)} late"


def _length(seconds: float | None) -> str:
    return NOTHING if seconds is None else ages.precise(seconds)
