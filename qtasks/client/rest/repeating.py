"""When a request is sent again: never one that may have done its work already, unless doing it twice is the same."""

from __future__ import annotations

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, stop_after_delay
from tenacity.wait import wait_base, wait_exponential_jitter

from qtasks.errors import QTasksError

_ATTEMPTS = 5
_SECONDS = 60.0
"""After this time nothing is sent again."""
_LONGEST_WAIT = 30.0
"""What a server may ask to be waited for."""
BUSY = frozenset({429, 502, 503, 504})
"""Statuses after which the same request may fare better."""


class Again(Exception):
    """The request may be sent again; `error` is what is raised when it was sent often enough."""

    def __init__(self, error: QTasksError, *, after: float = 0.0) -> None:
        super().__init__(error)
        self.error = error
        self.after = after
        """Seconds that the server asks to wait."""


class _Asked(wait_base):
    """At least what the server asks for, and a little more or less for everybody, so that they do not come at once."""

    def __init__(self) -> None:
        self._own = wait_exponential_jitter(multiplier=0.1, max=5.0, jitter=0.2)

    def __call__(self, state: RetryCallState) -> float:
        failed = state.outcome.exception() if state.outcome is not None else None
        asked = min(failed.after, _LONGEST_WAIT) if isinstance(failed, Again) else 0.0
        return asked + self._own(state) if asked else self._own(state)


def repeating() -> Retrying:
    """Calls again what raises Again, a few times."""
    return Retrying(
        retry=retry_if_exception_type(Again),
        wait=_Asked(),
        stop=stop_after_attempt(_ATTEMPTS) | stop_after_delay(_SECONDS),
        reraise=True,
    )


def seconds_of(retry_after: str | None) -> float:
    """Retry-After in seconds; 0 for none, and for a date, which no server of ours sends."""
    return float(retry_after) if retry_after is not None and retry_after.isdigit() else 0.0
