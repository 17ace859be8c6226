"""How fast: a token bucket for what is handed to a provider, and how long until its jobs are looked at again. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket of at most `burst` tokens that gains `per_minute` of them a minute; each job takes one."""

    per_minute: float
    burst: int

    def filled(self, tokens: float | None, seconds: float) -> float:
        """What is in it `seconds` after it had `tokens`; a new one (None) is full."""
        if tokens is None:
            return float(self.burst)
        return min(float(self.burst), tokens + max(0.0, seconds) * self.per_minute / 60)

    def wait_seconds(self, tokens: float) -> float:
        """Until there is a whole token."""
        return max(0.0, 1 - tokens) * 60 / self.per_minute


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job at a provider: whether it runs there, and for how long it has been in that state."""

    running: bool
    seconds: float


_A_PAGE = 200
_SECONDS_A_REQUEST = 1.0
"""A round that needs many requests comes more seldom: at most about one request a second in the long run."""
_RUNNING_LONGEST = 30.0


def next_poll_seconds(jobs: Iterable[Waiting], *, shortest: float, longest: float) -> float | None:
    """Seconds until the jobs of an account are looked at again; None when there are none.

    A job is looked at after a tenth of the time that it has been waiting, or a fifth of the time that it has been
    running: who waits for hours does not mind a minute. The youngest counts.
    """
    soonest: float | None = None
    number = 0
    for job in jobs:
        number += 1
        wait = min(job.seconds / 5, _RUNNING_LONGEST) if job.running else job.seconds / 10
        soonest = wait if soonest is None else min(soonest, wait)
    if soonest is None:
        return None
    requests = -(-number // _A_PAGE)
    return min(longest, max(shortest, soonest, requests * _SECONDS_A_REQUEST if requests > 1 else 0.0))


def retry_seconds(failures: int, *, shortest: float, longest: float) -> float:
    """Seconds to leave a provider alone that did not answer `failures` times in a row (1 for the first)."""
    return float(min(longest, shortest * 2.0 ** min(failures - 1, 16)))


def jittered(seconds: float) -> float:
    """`seconds`, up to a fifth more or less, so that pollers do not march in step."""
    return seconds * random.uniform(0.8, 1.2)
