"""What bounds a fetch from within: time, memory, file sizes, and the life of the worker that asked for it.

The worker ends the process at the same time from outside; here it is done a little earlier, so that there is an answer.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
from collections.abc import Iterator
from types import FrameType

MAX_MEMORY_BYTES = 2**29
"""Address space of this process, and of each one that it starts."""
MAX_FILE_BYTES = 2**27
"""Size of each file that this process, or one that it starts, may write: it bounds what a Git server can send."""

_PR_SET_PDEATHSIG = 1


class Late(BaseException):
    """The time is up; no `except Exception` on the way may take it for one of its own."""


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Raises Late in the body when it takes longer than 95 % of `seconds`. Main thread only."""

    def late(number: int, frame: FrameType | None) -> None:
        raise Late

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, max(seconds * 0.95, 0.001))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def limit_resources(seconds: float) -> None:
    """Bounds memory, file sizes and processor time, for this process and what it starts."""
    limits = {
        resource.RLIMIT_AS: MAX_MEMORY_BYTES,
        resource.RLIMIT_FSIZE: MAX_FILE_BYTES,
        resource.RLIMIT_CPU: int(seconds) + 5,
        resource.RLIMIT_CORE: 0,
    }
    for kind, most in limits.items():
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with contextlib.suppress(ValueError, OSError):  # macOS knows RLIMIT_AS by name only
            resource.setrlimit(kind, (most, most))


def die_with(parent: int) -> None:
    """Ends this process and all that it started when the process `parent` ends (Linux; elsewhere the deadline does)."""

    def end(number: int, frame: FrameType | None) -> None:
        os.killpg(0, signal.SIGKILL)

    signal.signal(signal.SIGTERM, end)
    if sys.platform == "linux" and parent:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            end(signal.SIGTERM, None)
