"""What a sandbox child gives up before it reads what a user sent."""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import resource
import signal
from pathlib import Path

from qtasks.circuits.sandbox.processes import refuse_processes

_libc = ctypes.CDLL(None, use_errno=True)

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
PIPE = 3
"""The descriptor that a child speaks through; 0-2 are /dev/null and there are no others."""


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"prctl({option}): {os.strerror(error)}")


def die_with_parent(parent: int) -> None:
    """SIGKILL for this process as soon as `parent` ends; ends at once when that has already happened.

    Linux watches the *thread* that forked: only for parents that fork from their main thread.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def detach(pipe: int, parent: int) -> None:
    """Cuts a fresh child off from the warm process: session, descriptors (`pipe` becomes 3) and environment."""
    os.setsid()
    die_with_parent(parent)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    os.dup2(pipe, PIPE, inheritable=False)
    null = os.open("/dev/null", os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.closerange(PIPE + 1, 2**31 - 1)
    if null == PIPE:  # pragma: no cover - the server always holds more than three descriptors
        raise OSError("the pipe's descriptor was overwritten")
    os.environ.clear()


def confine(memory_bytes: int, cpu_seconds: float) -> None:
    """Every layer between a child and the machine, from here until it ends.

    In force: memory beyond what the warm process already maps (RLIMIT_AS), CPU time, no files written, no core, few
    descriptors, first in line for the OOM killer, not dumpable, no new privileges; no processes and no threads
    (RLIMIT_NPROC = 0, **which does not bind root**, and a seccomp filter, which does).

    Landlock, the allow-list of system calls and the network come here, last: they will forbid the calls above.
    """
    with contextlib.suppress(OSError):  # a container may forbid even making oneself the first to go
        Path("/proc/self/oom_score_adj").write_text("1000")
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    _limit(resource.RLIMIT_AS, mapped + memory_bytes)
    used = resource.getrusage(resource.RUSAGE_SELF)
    # The hard limit is a second later: at the soft one comes SIGXCPU, which tells it from other deaths.
    _limit(resource.RLIMIT_CPU, math.ceil(used.ru_utime + used.ru_stime + cpu_seconds), more=1)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NPROC, 0)
    _limit(resource.RLIMIT_NOFILE, 64)
    _prctl(_PR_SET_DUMPABLE, 0)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    with contextlib.suppress(OSError):  # a platform without it is left with RLIMIT_NPROC
        refuse_processes(_libc)


def _limit(which: int, value: int, *, more: int = 0) -> None:
    _, hard = resource.getrlimit(which)
    ceiling = value + more if hard == resource.RLIM_INFINITY else min(value + more, hard)
    resource.setrlimit(which, (min(value, ceiling), ceiling))
