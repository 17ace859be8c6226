"""CPU time of every group of processes over a round, from /proc: what a job costs, and where."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.system import System

_TICK = 1000 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Process:
    parent: int
    milliseconds: float
    """User and system time of the process and of its children that have ended."""
    command: str


def processes() -> dict[int, Process]:
    """Every process that can be seen."""
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        found[int(folder.name)] = Process(int(fields[1]), sum(map(int, fields[11:15])) * _TICK, command)
    return found


@dataclass
class Meter:
    """Sums up over the rounds of one side."""

    system: System
    jobs: int = 0
    totals: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    _before: dict[str, float] = field(default_factory=dict)

    def start(self) -> None:
        self._before = self._groups()

    def stop(self, jobs: int) -> None:
        self.jobs += jobs
        for group, milliseconds in self._groups().items():
            self.totals[group] += milliseconds - self._before.get(group, 0.0)

    def per_job(self) -> dict[str, float]:
        """Milliseconds of CPU per job, the dearest group first."""
        shares = {group: total / self.jobs for group, total in self.totals.items()}
        return dict(sorted(shares.items(), key=lambda entry: -entry[1]))

    def _groups(self) -> dict[str, float]:
        table = processes()
        roots = self._roots()
        totals: dict[str, float] = defaultdict(float)
        for pid, process in table.items():
            group = _group(pid, table, roots)
            if group is not None:
                totals[group] += process.milliseconds
        # What the client's own children used is theirs, and is not in the figure of a parent that has not reaped them.
        return totals

    def _roots(self) -> dict[int, str]:
        known = self.system.__dict__
        roots = {os.getpid(): "client"}
        if "redis" in known:
            roots[known["redis"].process.pid] = "redis"
        if "postgres" in known:
            roots[known["postgres"].process.pid] = "postgres"
        if "peer" in known:
            roots[known["peer"].process.pid] = "peer"
        if "qtasks" in known:
            worker, polling, beat = (process.popen.pid for process in known["qtasks"].processes[:3])
            roots |= {worker: "worker", polling: "polling worker", beat: "beat"}
        return roots


def _group(pid: int, table: dict[int, Process], roots: dict[int, str]) -> str | None:
    """The group of a process: that of the nearest root above it, and for a worker what kind of child it is."""
    line: list[int] = []
    while pid not in roots:
        line.append(pid)
        if pid not in table or table[pid].parent == 0:
            return None
        pid = table[pid].parent
    root = roots[pid]
    if root == "client":
        return root if not line else None
    if root not in ("worker", "peer"):
        return root
    if not line:
        return f"{root} main"
    command = table[line[-1]].command
    if "qtasks.stages.keeper" in command:
        return "keeper"
    if "circuits/sandbox" in command:
        return "sandbox"
    return f"{root} pool"
