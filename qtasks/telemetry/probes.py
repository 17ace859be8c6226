"""What a probe is told: one sentence for each thing that was looked at, and whether all is well. Pure."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

OK = "ok"


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back."""

    status: int
    content: bytes
    content_type: str


def told(checks: Mapping[str, str]) -> Answer:
    """200 where every check is `ok`, else 503; the checks themselves as JSON."""
    well = all(said == OK for said in checks.values())
    document = {"status": OK if well else "failing", "checks": dict(checks)}
    return Answer(200 if well else 503, json.dumps(document).encode() + b"\n", "application/json")


class Progress:
    """When something last moved, by a clock in seconds. What cannot move for a good reason is excused while it lasts,
    and has its time again from then on."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._moved = self._since = clock()

    def move(self) -> None:
        """It moved."""
        self._moved = self._since = self._clock()

    def moved_at(self, moment: float) -> None:
        """It moved at that moment, as somebody else says."""
        self._moved = moment
        self._since = max(self._since, moment)

    def excuse(self) -> None:
        """It could not."""
        self._since = self._clock()

    @property
    def age(self) -> float:
        """Seconds since it moved."""
        return max(0.0, self._clock() - self._moved)

    def late(self, seconds: float) -> bool:
        """Whether it has not moved for so long, though it could."""
        return self._clock() - self._since > seconds
