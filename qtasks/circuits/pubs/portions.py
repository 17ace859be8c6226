"""How the sources of one job are sent through the sandbox: in portions, and all of them within one time limit."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from qtasks.circuits.errors import CircuitError
from qtasks.circuits.sandbox.answers import Source

SOURCES = 250
BYTES = 16 * 2**20
VALUES = 100_000
"""Of one portion, at most: a request to the sandbox has a header of limited size, and lies in memory as a whole."""
_SLOWER = 4
_LEAST_SECONDS = 1.0


def portions(sources: Sequence[Source], seconds: float) -> Iterator[tuple[list[Source], float]]:
    """The sources in portions, each with the seconds that one source of it may take.

    That is four times its even share of what is left of `seconds`, or one second, so that many sources that are slow on
    purpose take little more than `seconds` together. Raises CircuitError (`ValidationTimeout`) when nothing is left.
    """
    until = time.monotonic() + seconds
    start = 0
    while start < len(sources):
        left = until - time.monotonic()
        if left <= 0:
            raise CircuitError(
                f"{start:,} of {len(sources):,} circuits were checked in {seconds:g} s.",
                reason="ValidationTimeout",
                hint="Spread the PUBs over several jobs, or raise timeouts.validation.",
            )
        count = _count(sources, start)
        share = min(left, max(_LEAST_SECONDS, _SLOWER * left / count))
        yield list(sources[start : start + count]), share
        start += count


def _count(sources: Sequence[Source], start: int) -> int:
    size = values = count = 0
    for source in sources[start : start + SOURCES]:
        size += len(source.data)
        values += len(source.parameters or ())
        if count and (size > BYTES or values > VALUES):
            break
        count += 1
    return count
