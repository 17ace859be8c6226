"""Times, amounts and shares as the command line writes them, for people. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

NOTHING = "–"

_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_YEAR = 365 * _DAY
# Up to how many seconds a length has which units, as Kubernetes' duration.HumanDuration has it.
_UNITS = (
    (2 * _MINUTE, 1, "s", 0, ""),
    (10 * _MINUTE, _MINUTE, "m", 1, "s"),
    (3 * _HOUR, _MINUTE, "m", 0, ""),
    (8 * _HOUR, _HOUR, "h", _MINUTE, "m"),
    (2 * _DAY, _HOUR, "h", 0, ""),
    (8 * _DAY, _DAY, "d", _HOUR, "h"),
    (2 * _YEAR, _DAY, "d", 0, ""),
    (8 * _YEAR, _YEAR, "y", _DAY, "d"),
)


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


def human(seconds: float) -> str:
    """Seconds with at most two units: `59s`, `3m5s`, `5h`, `2d4h`, `300d`."""
    whole = max(0, int(seconds))
    for below, unit, name, part, part_name in _UNITS:
        if whole < below:
            rest = whole % unit // part if part else 0
            return f"{whole // unit}{name}" + (f"{rest}{part_name}" if rest else "")
    return f"{whole // _YEAR}y"


def precise(seconds: float) -> str:
    """A measured time with three significant digits or so: `0.87 ms`, `45.2 ms`, `7.92 s`, then as `human`."""
    if seconds < 0.001:
        return f"{seconds * 1000:.2f} ms"
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 120:
        return f"{seconds:.3g} s"
    return human(seconds)


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
