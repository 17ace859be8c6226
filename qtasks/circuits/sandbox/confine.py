"""What a sandbox child gives up before it reads what a user sent: every layer between it and the machine."""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import resource
import signal
from pathlib import Path

from qtasks.circuits.sandbox import landlock, seccomp

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


def detach(pipe: int, parent: int, ruleset: int | None) -> None:
    """Cuts a fresh child off from the warm process and from the machine's files: session, descriptors (`pipe` becomes
    3), environment, and the Landlock `ruleset`, where the platform has one. In a spare this is done ahead of requests.
    """
    os.setsid()
    die_with_parent(parent)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    with contextlib.suppress(OSError):  # a container may forbid even making oneself the first to go
        Path("/proc/self/oom_score_adj").write_text("1000")
    null = os.open("/dev/null", os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_SET_DUMPABLE, 0)
    if ruleset is not None:
        landlock.restrict(ruleset)
    os.dup2(pipe, PIPE, inheritable=False)  # last: the ruleset may be what was on 3
    os.closerange(PIPE + 1, 2**31 - 1)
    os.environ.clear()


def mapped_bytes() -> int:
    """Memory that this process has mapped; read before `detach`, which closes /proc."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def confine(*, mapped: int, memory_bytes: int, cpu_seconds: float, calls: seccomp.Filter | None) -> None:
    """The limits of one request, and the last door: after this, only the system calls that `calls` allows are left.

    Memory is counted beyond what is `mapped` (RLIMIT_AS). No file is written, no core, no process (RLIMIT_NPROC does
    not bind root; the filter does). Without a filter goes only what a platform's owner allowed to.

    Raises OSError where a layer cannot be had: the child must end then.
    """
    _limit(resource.RLIMIT_AS, mapped + memory_bytes)
    used = resource.getrusage(resource.RUSAGE_SELF)
    # The hard limit is a second later: at the soft one comes SIGXCPU, which tells it from other deaths.
    _limit(resource.RLIMIT_CPU, math.ceil(used.ru_utime + used.ru_stime + cpu_seconds), more=1)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NPROC, 0)
    _limit(resource.RLIMIT_NOFILE, 64)
    if calls is not None:
        calls.confine()


def _limit(which: int, value: int, *, more: int = 0) -> None:
    _, hard = resource.getrlimit(which)
    ceiling = value + more if hard == resource.RLIM_INFINITY else min(value + more, hard)
    resource.setrlimit(which, (min(value, ceiling), ceiling))
