"""How far this process is confined, beside what a job's `spec.securityContext` asks for: workers are shared, so a job
cannot change it, and is told what does not hold."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from qtasks.resources import SecurityContext

_FILTERED = 2
"""`Seccomp:` of a process that has a filter of system calls."""


def unmet(context: SecurityContext) -> Iterator[str]:
    """The fields of `context` that do not hold for this process, as paths in the spec. Where the platform does not say,
    they do not."""
    status = _status()
    if context.run_as_non_root and os.geteuid() == 0:
        yield "securityContext.runAsNonRoot"
    if context.run_as_user is not None and context.run_as_user != os.geteuid():
        yield "securityContext.runAsUser"
    if context.fs_group is not None and context.fs_group not in {os.getegid(), *os.getgroups()}:
        yield "securityContext.fsGroup"
    if context.seccomp_profile is not None and int(status.get("Seccomp", "0")) != _FILTERED:
        yield "securityContext.seccompProfile"
    if context.capabilities is not None and context.capabilities.drop and int(status.get("CapEff", "1"), 16):
        # Which one a bit stands for matters only to a worker that keeps some.
        yield "securityContext.capabilities.drop"


def _status() -> dict[str, str]:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return {}
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}
