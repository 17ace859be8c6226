"""How long a device lets a job wait, and who says so. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from qtasks.store.catalogue import Entry

LEAST_JOBS = 3
"""Of fewer jobs of our own nothing is learnt."""
SECONDS_A_JOB = 10.0
"""How long a job before ours is thought to keep a device, where its length of queue is all that is known."""
FRESH_SECONDS = 900.0
"""Figures older than this are stale: they are used, and said to be old; what they rule out is not ruled out."""


class Source(StrEnum):
    """Where a wait is known from, the best source first."""

    NONE = "none"
    """Nothing is waited for."""
    PROVIDER = "provider"
    HISTORY = "history"
    QUEUE = "queue"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Wait:
    """Seconds until a job starts that is handed over now; None where nobody knows."""

    seconds: float | None
    source: Source
    jobs: int = 0
    """Behind the figure: our own jobs that it is the median of, or jobs that wait at the device."""

    def __str__(self) -> str:
        if self.source is Source.HISTORY:
            return f"the median of our own latest {self.jobs} jobs there"
        if self.source is Source.QUEUE:
            return f"{self.jobs} jobs in its queue, at {SECONDS_A_JOB:g} s each"
        return {Source.NONE: "there is no queue", Source.PROVIDER: "as the provider says"}.get(self.source, "not known")


def wait_of(entry: Entry) -> Wait:
    """The provider's own figure; else the median of our own latest jobs, of at least three; else its queue's length."""
    if entry.account == "":
        return Wait(0.0, Source.NONE)
    if entry.wait_seconds is not None:
        return Wait(entry.wait_seconds, Source.PROVIDER)
    if entry.learned_wait is not None and entry.learned_from >= LEAST_JOBS:
        return Wait(entry.learned_wait, Source.HISTORY, entry.learned_from)
    if entry.pending_jobs is not None:
        return Wait(entry.pending_jobs * SECONDS_A_JOB, Source.QUEUE, entry.pending_jobs)
    return Wait(None, Source.UNKNOWN)


def age_seconds(moment: datetime | None, now: datetime) -> float | None:
    """How old a figure is; None for one that there never was."""
    return None if moment is None else max(0.0, (now - moment).total_seconds())
