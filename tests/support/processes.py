"""Looking at the processes of a worker."""

from __future__ import annotations

from pathlib import Path

from tests.support.stack import Process


def pool_processes(worker: Process) -> list[int]:
    """The pids of a worker's pool: the children of its main process that were forked, and so have its command line."""
    children = []
    own = (Path("/proc") / str(worker.popen.pid) / "cmdline").read_text()
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            command = (folder / "cmdline").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == worker.popen.pid and command == own:
            children.append(int(folder.name))
    return children
