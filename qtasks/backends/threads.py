"""How many threads a simulation gets: concurrent ones share the processors, a lone one has them all."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def available() -> int:
    """The processors that this process may run on, at most what the cgroup lets it use."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _cgroup_quota()
    return max(1, min(count, quota)) if quota else count


def _cgroup_quota() -> int | None:
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        return None
    return None if quota == "max" else -(-int(quota) // int(period))


class Cores:
    """The processors of one worker, as lock files that its processes share.

    The kernel drops a lock when its holder dies, so a killed simulation leaks nothing.
    """

    def __init__(self, folder: Path, count: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._paths = [folder / f"core-{number}" for number in range(count)]

    @contextmanager
    def all_free(self, most: int = 0) -> Iterator[int]:
        """Hold every processor that no other simulation holds, at most `most` where it is not 0; yields how many
        threads to use, at least one."""
        held: list[int] = []
        try:
            for path in self._paths:
                if most and len(held) == most:
                    break
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    os.close(descriptor)
                else:
                    held.append(descriptor)
            yield max(1, len(held))
        finally:
            for descriptor in held:
                os.close(descriptor)
