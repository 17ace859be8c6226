"""What is left of an account's quantum time, and when more of it frees. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Told:
    """What the provider itself said last."""

    at: datetime
    remaining_seconds: float
    until: datetime | None
    """When its period ends, and the allowance begins anew."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How an account stands."""

    limit_seconds: float | None
    """None: there is no limit."""
    used_seconds: float
    reserved_seconds: float
    """What the jobs on their way are thought to need."""
    remaining_seconds: float | None
    """Of the limit, less what is used and reserved; never below zero. None: there is no limit."""
    frees_at: datetime | None
    """When an exhausted account has something again; None for one that is not exhausted, or where nobody knows, as of
    one that waits for jobs on their way."""

    @property
    def exhausted(self) -> bool:
        return self.remaining_seconds is not None and self.remaining_seconds <= 0


def standing(
    uses: Sequence[tuple[datetime, float]],
    reserved_seconds: float,
    *,
    limit_seconds: float | None,
    days: int,
    told: Told | None,
    now: datetime,
) -> Standing:
    """How an account stands, by its own jobs' `uses` (when, seconds; in the order of time) and what its provider said.

    The window of `days` rolls: what was used at t is free again at t + days. The smaller figure of the two counts, for
    others may use the account too; what was used after the provider spoke is taken off its figure.
    """
    window = timedelta(days=days)
    within = [(at, seconds) for at, seconds in uses if at > now - window]
    used = sum(seconds for _, seconds in within)
    left: list[tuple[float, datetime | None]] = []
    if limit_seconds is not None:
        left.append((limit_seconds - used - reserved_seconds, _frees(within, used - limit_seconds, window)))
    if told is not None and (told.until is None or now < told.until):
        since = sum(seconds for at, seconds in within if at > told.at)
        left.append((told.remaining_seconds - since - reserved_seconds, told.until))
    if not left:
        return Standing(None, used, reserved_seconds, None, None)
    remaining = min(seconds for seconds, _ in left)
    # Something is free when it is by every figure.
    frees = [at for seconds, at in left if seconds <= 0]
    known = [at for at in frees if at is not None]
    frees_at = max(known) if known and len(known) == len(frees) else None
    return Standing(limit_seconds, used, reserved_seconds, max(0.0, remaining), frees_at)


def _frees(uses: Sequence[tuple[datetime, float]], over: float, window: timedelta) -> datetime | None:
    """When enough uses have left the window for something to be free: more than `over` seconds of them. None where
    something was left but for what is reserved: what that will use is not known."""
    if over < 0:
        return None
    gone = 0.0
    for at, seconds in uses:
        gone += seconds
        if gone > over:
            return at + window
    return None
