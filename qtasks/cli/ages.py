"""Lengths of time as kubectl writes them. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_YEAR = 365 * _DAY


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


def human(seconds: float) -> str:
    """Seconds with at most two units, as `duration.HumanDuration` of Kubernetes' apimachinery writes them."""
    whole = max(0, int(seconds))
    if whole < 2 * _MINUTE:
        return f"{whole}s"
    if whole < 10 * _MINUTE:
        return _two(whole, _MINUTE, "m", 1, "s")
    if whole < 3 * _HOUR:
        return f"{whole // _MINUTE}m"
    if whole < 8 * _HOUR:
        return _two(whole, _HOUR, "h", _MINUTE, "m")
    if whole < 2 * _DAY:
        return f"{whole // _HOUR}h"
    if whole < 8 * _DAY:
        return _two(whole, _DAY, "d", _HOUR, "h")
    if whole < 2 * _YEAR:
        return f"{whole // _DAY}d"
    if whole < 8 * _YEAR:
        return _two(whole, _YEAR, "y", _DAY, "d")
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


def _two(whole: int, unit: int, name: str, part: int, part_name: str) -> str:
    rest = whole % unit // part
    return f"{whole // unit}{name}" + (f"{rest}{part_name}" if rest else "")
