"""How an autoscaler decides: KEDA's, and the horizontal pod autoscaler's behind it, for one Deployment. Pure."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Policy:
    """A ScaledObject: what it looks at, how often, and how soon it gives pods up. Times in seconds."""

    name: str
    metric: Callable[[int, int], float]
    """Of (jobs that wait, jobs that run)."""
    most: int
    least: int = 0
    target: float = 1.0
    """Jobs for one pod."""
    every: float = 15.0
    """KEDA's `pollingInterval`."""
    stabilise: float = 60.0
    """`scaleDown.stabilizationWindowSeconds`: the highest wish of this long counts."""
    cooldown: float = 120.0
    """`cooldownPeriod`: without any work for so long, the last pod goes."""
    drains: bool = True
    """Whether a pod that is told to stop finishes its job first (`terminationGracePeriodSeconds` is long enough)."""


@dataclass
class Autoscaler:
    """A policy and what it remembers."""

    policy: Policy
    _wishes: deque[tuple[float, int]] = field(default_factory=deque)
    _busy_at: float = -math.inf

    def replicas(self, now: float, waiting: int, running: int, current: int) -> int:
        """How many pods there should be from `now` on."""
        policy = self.policy
        value = policy.metric(waiting, running)
        if value > 0:
            self._busy_at = now
        wish = min(policy.most, max(policy.least, math.ceil(value / policy.target)))
        if wish == 0 and now - self._busy_at < policy.cooldown:
            wish = min(1, current)
        self._wishes.append((now, wish))
        while self._wishes[0][0] < now - policy.stabilise:
            self._wishes.popleft()
        highest = max(one for _, one in self._wishes)
        return wish if wish >= current else min(current, highest)


def queued_and_running(waiting: int, running: int) -> float:
    """What the `autoscaling` view gives."""
    return waiting + running


def queued_only(waiting: int, _running: int) -> float:
    """The length of a list in Redis: what is taken up is on it no more."""
    return waiting
