"""Waiting over REST: the API holds its answer back until there is news."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence

from qtasks.client.rest.transport import Transport
from qtasks.errors import Unavailable
from qtasks.lifecycle import Phase

AT_ONCE = 1000
"""Ids that one question may have."""
_HELD_SECONDS = 20.0
"""How long an answer is held back at most: proxies close what is silent for longer."""
_ELSEWHERE_SECONDS = 2.0
"""How often those are asked about that one question has no room for."""
_PATIENCE_SECONDS = 120.0
"""How long a waiter bears with an API that is away."""
_AGAIN_SECONDS = 1.0
_BREATH_SECONDS = 0.0002
"""What is waited between two questions, for each id of them: thousands of jobs end one by one."""

Seen = Callable[[str, Phase], None]


def phases(
    transport: Transport, ids: Sequence[str], *, wait: float = 0.0, known: dict[str, Phase] | None = None
) -> dict[str, Phase]:
    """The phases of at most `AT_ONCE` jobs; with `wait`, as soon as one is another than is `known`, or so many
    seconds later."""
    body: dict[str, object] = {"ids": list(ids)}
    if wait > 0:
        body |= {"wait": wait, "known": {job_id: phase.value for job_id, phase in (known or {}).items()}}
    answer = transport.post("/v1/jobs/phases", body, repeatable=True, wait=wait)
    return {job_id: Phase(phase) for job_id, phase in answer["phases"].items()}


def wait_for(transport: Transport, ids: Collection[str], *, timeout: float | None, seen: Seen) -> set[str]:
    """See `Gateway.wait`."""
    waiting = dict.fromkeys(ids)
    known: dict[str, Phase] = {}
    deadline = None if timeout is None else time.monotonic() + timeout
    away_since: float | None = None
    looked = False

    def ask(some: Sequence[str], seconds: float) -> None:
        found = phases(transport, some, wait=seconds, known={one: known[one] for one in some if one in known})
        for job_id, phase in found.items():
            known[job_id] = phase
            seen(job_id, phase)
            if phase.final:
                waiting.pop(job_id, None)

    while waiting:
        left = _HELD_SECONDS if deadline is None else deadline - time.monotonic()
        if looked and left <= 0:
            break
        ordered = list(waiting)
        first, *others = [ordered[start : start + AT_ONCE] for start in range(0, len(ordered), AT_ONCE)]
        try:
            for chunk in others:
                ask(chunk, 0.0)
            ask(first, min(left, _ELSEWHERE_SECONDS if others else _HELD_SECONDS) if looked else 0.0)
            away_since, pause = None, _BREATH_SECONDS * len(first)
        except Unavailable:
            # An API that restarts is no reason to stop waiting; one that stays away is.
            away_since, pause = away_since or time.monotonic(), _AGAIN_SECONDS
            if time.monotonic() - away_since > _PATIENCE_SECONDS:
                raise
        looked = True
        time.sleep(max(0.0, min(pause, left)))
    return set(waiting)
