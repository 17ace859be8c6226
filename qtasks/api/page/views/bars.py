"""Bars of what is used of a limit: money of a budget, quantum time of an account. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 1000
"""Units that a bar is wide."""
_LEAST = 6


@dataclass(frozen=True, slots=True)
class Bar:
    """What is spent, then what is reserved, of a limit; in units of WIDTH."""

    spent: float
    reserved: float
    marks: tuple[float, ...] = ()
    """Where thresholds are."""

    @property
    def used(self) -> float:
        return round(self.spent + self.reserved, 2)


def bar(spent: float, reserved: float, limit: float, thresholds: Sequence[float] = ()) -> Bar:
    """`thresholds` in per cent of the limit. Some is never drawn as none, nor less than all as all."""
    marks = tuple(round(WIDTH * min(100.0, each) / 100, 2) for each in thresholds)
    both = spent + reserved
    if both <= 0:
        return Bar(0 if limit else WIDTH, 0, marks)
    full = WIDTH * min(1.0, both / limit) if limit else float(WIDTH)
    if both < limit:
        full = min(full, WIDTH - _LEAST)
    full = max(full, _LEAST * ((spent > 0) + (reserved > 0)))
    solid = full * max(0.0, spent) / both
    if spent > 0 and reserved > 0:
        solid = min(max(solid, _LEAST), full - _LEAST)
    return Bar(round(solid, 2), round(full - solid, 2), marks)
