"""The queues: what waits and runs at each stage, by priority. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from qtasks.api.page.views import words
from qtasks.lifecycle import Stage
from qtasks.resources import Priority
from qtasks.results import timestamp

PROVIDER = "provider"
"""The queue of jobs that run, or are to run, at a provider."""

_TITLES = (
    (Stage.VALIDATION.value, "Validation", "the circuit is run in the sandbox and checked"),
    (Stage.SCHEDULING.value, "Scheduling", "a backend is chosen and the cost reserved"),
    (Stage.EXECUTION.value, "Execution", "the circuit is simulated, or handed to its provider"),
    (PROVIDER, "Providers", "waiting for their account’s turn, or at IBM Quantum or AWS Braket"),
)
WIDTH = 1000


@dataclass(frozen=True, slots=True)
class Depth:
    """Jobs of one priority in one queue."""

    queue: str
    level: int
    """0 urgent, 3 high, 6 normal, 9 low."""
    waiting: int = 0
    later: int = 0
    """Those that are not due yet: a retry, or a budget that is used up."""
    running: int = 0
    oldest: datetime | None = None
    """When the one was submitted that waits longest."""


@dataclass(frozen=True, slots=True)
class Line:
    priority: str
    waiting: int
    later: int
    running: int
    oldest: words.Moment | None
    width: float


@dataclass(frozen=True, slots=True)
class Queue:
    id: str
    title: str
    about: str
    lines: tuple[Line, ...]

    @property
    def waiting(self) -> int:
        return sum(line.waiting for line in self.lines)

    @property
    def running(self) -> int:
        return sum(line.running for line in self.lines)

    @property
    def later(self) -> int:
        return sum(line.later for line in self.lines)


def queues(depths: Iterable[Depth], now: datetime) -> list[Queue]:
    """Each queue with a line for every priority, the most urgent first; bars of one scale."""
    known = {(depth.queue, depth.level): depth for depth in depths}
    longest = max((depth.waiting for depth in known.values()), default=0) or 1
    found = []
    for queue, title, about in _TITLES:
        lines = []
        for priority in reversed(Priority):
            depth = known.get((queue, priority.level), Depth(queue, priority.level))
            width = round(max(4.0, WIDTH * depth.waiting / longest), 1) if depth.waiting else 0.0
            oldest = None if depth.oldest is None else words.moment(timestamp(depth.oldest), now)
            lines.append(Line(priority.value, depth.waiting, depth.later, depth.running, oldest, width))
        found.append(Queue(queue, title, about, tuple(lines)))
    return found
