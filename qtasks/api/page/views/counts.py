"""Results as tables with bars: a histogram of counts, or the values of an estimator. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qtasks.api.page.views import words
from qtasks.results import EstimatorPubResult, JobResult, SamplerPubResult

WIDTH = 1000
"""Units that the longest bar is wide."""
MOST = 32
"""Outcomes that are shown."""
MOST_SHOWN = 8
"""Histograms and tables of one result that are shown."""
_LONGEST_KEY = 48


@dataclass(frozen=True, slots=True)
class Outcome:
    """One line of a histogram."""

    key: str
    """The outcome, cut in its middle where it is long."""
    whole: str
    count: int
    share: str
    width: float


@dataclass(frozen=True, slots=True)
class Value:
    """An expectation value and its standard error."""

    place: str
    """Where it stands in the PUB's array, such as `[0, 2]`; empty for a single one."""
    value: str
    error: str


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown of one PUB: outcomes, or values."""

    title: str
    shots: int | None
    outcomes: tuple[Outcome, ...] = ()
    values: tuple[Value, ...] = ()
    more: int = 0
    """Outcomes or values that are not shown."""
    ordered: str = "by outcome"


def shown(result: JobResult) -> Iterator[Shown]:
    """All PUBs of a result; of one with an array of values, each of its points."""
    several = len(result.pubs) > 1
    for number, pub in enumerate(result.pubs):
        title = f"PUB {number}" if several else ""
        if isinstance(pub, SamplerPubResult):
            for index, counts in pub.each():
                point = f"point {list(index)}" if index else ""
                yield histogram(counts, ", ".join(filter(None, (title, point))), pub.shots)
        elif isinstance(pub, EstimatorPubResult):
            values = list(_values(pub.evs, pub.stds, ()))
            yield Shown(title, None, values=tuple(values[:MOST]), more=max(0, len(values) - MOST))


def total(result: JobResult) -> int:
    """How many `shown` gives."""
    return sum(max(1, len(pub.points)) if isinstance(pub, SamplerPubResult) else 1 for pub in result.pubs)


def histogram(counts: Mapping[str, int], title: str = "", shots: int | None = None) -> Shown:
    """Up to MOST outcomes in their order; of more, the most frequent, the most frequent first."""
    few = len(counts) <= MOST
    ranked = sorted(counts.items()) if few else sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MOST]
    total = sum(counts.values()) or 1
    largest = max((count for _, count in ranked), default=1) or 1
    outcomes = tuple(
        Outcome(_short(key), key, count, f"{count / total:.1%}", _width(count / largest)) for key, count in ranked
    )
    how = "by outcome" if few else "the most frequent first"
    return Shown(title, shots, outcomes, more=len(counts) - len(outcomes), ordered=how)


def _width(part: float) -> float:
    return round(max(3.0, part * WIDTH), 2) if part > 0 else 0.0


def _short(key: str) -> str:
    if len(key) <= _LONGEST_KEY:
        return key
    half = (_LONGEST_KEY - 1) // 2
    return f"{key[:half]}…{key[len(key) - half :]}"


def _values(evs: Any, stds: Any, place: tuple[int, ...]) -> Iterator[Value]:
    if isinstance(evs, Sequence):
        for number, ev in enumerate(evs):
            yield from _values(ev, stds[number] if isinstance(stds, Sequence) else stds, (*place, number))
        return
    where = f"[{', '.join(map(str, place))}]" if place else ""
    yield Value(where, _figure(evs), _figure(stds))


def _figure(value: Any) -> str:
    return words.NOTHING if value is None or math.isnan(value) else f"{float(value):.6g}"
