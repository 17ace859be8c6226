"""Times and how long ago they were, as kubectl writes them. Pure but for `now`."""

from __future__ import annotations

from datetime import UTC, datetime

from qtasks.lengths import human, precise

__all__ = ["age", "human", "moment", "now", "precise", "when"]


def now() -> datetime:
    return datetime.now(UTC)


def when(timestamp: str) -> datetime:
    """The moment of a timestamp in a document."""
    return datetime.fromisoformat(timestamp)


def age(since: str, until: datetime) -> str:
    """How long ago `since` was at `until`, with the units kubectl would use: `59s`, `3m5s`, `5h`, `2d4h`, `300d`."""
    return human((until - when(since)).total_seconds())


def moment(timestamp: str, until: datetime) -> str:
    """A timestamp, and how far it is from `until`: `2026-11-20T11:58:30Z (90s ago)`, `… (in 3m5s)`."""
    ahead = (when(timestamp) - until).total_seconds()
    return f"{timestamp} ({f'in {human(ahead)}' if ahead > 0 else f'{human(-ahead)} ago'})"
