"""Times, amounts and shares as the command line writes them, for people. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from qtasks.lengths import human, precise

__all__ = ["NOTHING", "Moment", "between", "bytes_text", "human", "moment", "percent", "precise", "quantum"]

NOTHING = "–"


@dataclass(frozen=True, slots=True)
class Moment:
    """A time and how far it is from the moment of looking."""

    iso: str
    """As the document has it, for `<time datetime>`."""
    text: str
    """`2026-11-20 11:58:30 UTC`."""
    distance: str
    """`90s ago`, or `in 3m5s`."""
    age: str
    """The distance without its direction: `90s`."""


def moment(timestamp: str | None, now: datetime) -> Moment | None:
    """A timestamp of a document as a moment; None where there is none."""
    if timestamp is None:
        return None
    when = datetime.fromisoformat(timestamp)
    ahead = (when - now).total_seconds()
    far = human(abs(ahead))
    return Moment(timestamp, f"{when:%Y-%m-%d %H:%M:%S} UTC", f"in {far}" if ahead > 0 else f"{far} ago", far)


def quantum(seconds: float) -> str:
    """Quantum time: `0s`, `2.5s`, `45s`, `9m30s`; what is overdrawn has a minus."""
    if seconds < 0:
        return f"-{quantum(-seconds)}"
    if 0 < seconds < 10:
        return f"{seconds:.1f}s" if seconds >= 0.05 else "<0.1s"
    return human(seconds)


def percent(share: float) -> str:
    """A share of 0 to 1 in whole per cent; neither some nor nearly all is rounded away."""
    value = 100 * share
    if 0 < value < 1:
        return "<1%"
    return ">99%" if 99 < value < 100 else f"{value:.0f}%"


def bytes_text(size: int) -> str:
    """A number of bytes: `812 B`, `16 KiB`, `8 MiB`."""
    for unit, length in (("MiB", 2**20), ("KiB", 2**10)):
        if size >= length:
            return f"{size / length:.3g} {unit}"
    return f"{size} B"


def between(start: str, end: str) -> float:
    """Seconds from one timestamp to another."""
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
