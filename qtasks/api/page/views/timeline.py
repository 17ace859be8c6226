"""How a job's time went by: its phases, one after another, with how long each took. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from qtasks.api.page.views import words
from qtasks.lifecycle import FINAL, Phase
from qtasks.results import timestamp

Document = Mapping[str, Any]

WIDTH = 1000
"""Units that the drawing is wide."""
_LEAST = 12
_GAP = 2
# Events that bring a phase whose name they do not have.
_NAMED = {phase.value: phase for phase in Phase} | {
    "Submitted": Phase.PENDING,
    "ResourceConstraints": Phase.PENDING,
}


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time that a job spent in one phase."""

    phase: str
    attempt: int
    start: words.Moment
    length: str
    """`13.6 s`."""
    open: bool
    """Whether it goes on."""
    said: str
    """What the event that began it said."""
    x: float
    width: float
    """Where it is drawn, in units of WIDTH."""


def spans(document: Document, events: Sequence[Document], now: datetime) -> list[Span]:
    """The phases of a job, the first to the last, without the final one, which takes no time.

    What is short is drawn wide enough to be seen; the rest of the width is shared by length.
    """
    marks = list(_marks(document, events))
    if not marks:
        return []
    over = document["status"]["phase"] in FINAL
    until = document["status"].get("completionTime") if over else None
    last = until or timestamp(now)
    ends = [after[1] for after in marks[1:]] + [last]
    lengths = [max(0.0, words.between(mark[1], end)) for mark, end in zip(marks, ends, strict=True)]
    places = _places(lengths)
    found = []
    for number, (phase, start, attempt, said) in enumerate(marks):
        since = words.moment(start, now)
        assert since is not None, "a mark has its time"
        x, width = places[number]
        going_on = not over and number == len(marks) - 1
        length = words.precise(lengths[number])
        found.append(Span(phase.value, attempt, since, length, going_on, said, x, width))
    return found


def _marks(document: Document, events: Sequence[Document]) -> Iterator[tuple[Phase, str, int, str]]:
    """(phase, since when, attempt, what was said) of each change of phase that is not the end. What sends a job to
    Retrying has the error's name: it is the last warning before the next attempt."""
    known: Phase | None = None
    attempt, warning = 1, None
    for event in events:
        phase = _NAMED.get(event["reason"])
        if phase is None:
            warning = event if event["type"] == "Warning" else warning
            continue
        if warning is not None and event["attempt"] > attempt:
            yield Phase.RETRYING, warning["time"], attempt, warning["message"]
            known = Phase.RETRYING
        attempt, warning = event["attempt"], None
        if phase not in FINAL and phase is not known:
            yield phase, event["time"], attempt, event["message"]
            known = phase
    if warning is not None and document["status"]["phase"] == Phase.RETRYING:
        yield Phase.RETRYING, warning["time"], attempt, warning["message"]


def _places(lengths: Sequence[float]) -> list[tuple[float, float]]:
    room = WIDTH - _GAP * (len(lengths) - 1)
    least = min(_LEAST, room / len(lengths))
    total = sum(lengths)
    spare = room - least * len(lengths)
    widths = [least + (spare * length / total if total else spare / len(lengths)) for length in lengths]
    places, x = [], 0.0
    for width in widths:
        places.append((round(x, 2), round(width, 2)))
        x += width + _GAP
    return places
