"""Whose turn it is: aged priority first, then the namespace that has had least, then the oldest.

The share is start-time fair queueing (Goyal, Vin and Cheng, 1996): a namespace's next turn starts at the later of its
own finish tag and the system's virtual time, so one that was away neither saves up turns nor waits behind a backlog.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from qtasks.store.claims import Head, Share


@dataclass(frozen=True, slots=True)
class Turn:
    """The head whose turn it is, the level it has aged to, and the tag at which its turn starts."""

    head: Head
    level: int
    start_tag: float


def aged(priority: int, age_seconds: float, ageing_seconds: float) -> int:
    """The level that a job of `priority` has after waiting `age_seconds`: one step up per `ageing_seconds`, as far
    as high. Urgent stays what somebody was allowed to ask for."""
    if priority <= 3:
        return priority
    return max(3, priority - 3 * int(age_seconds // ageing_seconds))


def turns(heads: Iterable[Head], shares: Mapping[str, Share], *, ageing_seconds: float) -> list[Turn]:
    """The heads in the order in which they should start."""
    virtual_time = max((share.start_tag for share in shares.values()), default=0.0)

    def turn(head: Head) -> Turn:
        share = shares.get(head.namespace)
        start = max(virtual_time, share.finish_tag) if share else virtual_time
        return Turn(head, aged(head.priority, head.age, ageing_seconds), start)

    return sorted(map(turn, heads), key=lambda t: (t.level, t.start_tag, -t.head.age, t.head.job_id))
