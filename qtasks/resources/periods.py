"""The stretches of time in which a budget counts, by its period and time zone. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from qtasks.resources.budget import Period

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""When the one stretch of a total begins: before anything was ever charged."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of time, in UTC: from `start` until just before `end`."""

    start: datetime
    end: datetime | None
    """None: it never ends."""

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment and (self.end is None or moment < self.end)


def period_of(period: Period, moment: datetime, zone: str) -> Stretch:
    """The stretch in which an aware `moment` lies.

    Days begin at midnight of `zone` (an IANA name) and are 23 or 25 hours long where its clocks change; weeks begin on
    Monday, as ISO 8601 has them. Consecutive stretches leave no gap.
    """
    if period is Period.TOTAL:
        return Stretch(EPOCH, None)
    clock = _zone(zone)
    first = _first_day(period, moment.astimezone(clock).date())
    start, end = _midnight(first, clock), _midnight(_next(period, first), clock)
    # Clocks that are set back at or past midnight show a day again that is over.
    while moment >= end:
        first = _next(period, first)
        start, end = end, _midnight(_next(period, first), clock)
    while moment < start:
        first = _first_day(period, first - timedelta(days=1))
        start, end = _midnight(first, clock), start
    return Stretch(start, end)


def shown(moment: datetime, zone: str) -> str:
    """A boundary as it is told to a user: by the clock of `zone`, and with its name."""
    return f"{moment.astimezone(_zone(zone)):%Y-%m-%d %H:%M} {zone}"


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _first_day(period: Period, day: date) -> date:
    match period:
        case Period.WEEKLY:
            return day - timedelta(days=day.weekday())
        case Period.MONTHLY:
            return day.replace(day=1)
        case Period.YEARLY:
            return day.replace(month=1, day=1)
        case _:
            return day


def _next(period: Period, first: date) -> date:
    """The first day of the stretch after the one that begins on `first`."""
    match period:
        case Period.WEEKLY:
            return first + timedelta(days=7)
        case Period.MONTHLY:
            return (first + timedelta(days=31)).replace(day=1)
        case Period.YEARLY:
            return first.replace(year=first.year + 1)
        case _:
            return first + timedelta(days=1)


def _midnight(day: date, clock: ZoneInfo) -> datetime:
    """When a day begins. Of a midnight that comes twice it is the first; one that is left out is when it would have
    been."""
    return datetime.combine(day, time(), clock).astimezone(UTC)
