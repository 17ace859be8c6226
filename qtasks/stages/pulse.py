"""How a worker is: what its main process and its lease keeper note of themselves, and what probes are told of it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qtasks.settings import Settings
from qtasks.stages import answering
from qtasks.telemetry import exposition, metrics, probes
from qtasks.telemetry.probes import OK, Answer, Progress

HEART_SECONDS = 2.0
"""Between two notes of a worker's main process."""
_FROZEN_SECONDS = 40.0
"""How long the keeper may wait for a database that does not answer, before its own loop is taken for hung."""


def note_heart(runtime: Path, *, processes: Collection[int], wanted: int, stopping: bool) -> None:
    """Say, in the worker's folder, that the main process turns, and which pool processes it has."""
    note = {"at": time.monotonic(), "processes": sorted(processes), "wanted": wanted, "stopping": stopping}
    fresh = runtime / "heart.new"
    fresh.write_text(json.dumps(note))
    fresh.replace(runtime / "heart")


@dataclass(frozen=True, slots=True)
class _Heart:
    at: float
    processes: list[int]
    wanted: int
    stopping: bool


class Pulse:
    """Noted by the keeper's loop, read by the threads that answer probes. `sandbox`: the socket of the worker's, where
    it validates."""

    def __init__(self, config: Settings, runtime: Path, sandbox: Path | None) -> None:
        self._runtime = runtime
        self._patience = config.probe_seconds
        self._heartbeat = config.heartbeat_seconds
        self._heart, self._pool = Progress(), Progress()
        self.turned = Progress()
        """The keeper's loop."""
        self.renewed = Progress()
        """The worker was reported to be alive, and its leases were renewed."""
        self.held = 0
        """Jobs that the worker's processes hold."""
        self.overdue = 0.0
        """Seconds by which the time limit of what is held was overrun."""
        self._database = answering.database(config.database)
        self._broker = answering.broker(config.broker)
        self._sandbox = None if sandbox is None else answering.sandbox(sandbox)

    def healthz(self) -> Answer:
        """Whether the worker makes progress. A database or a broker that is away is no reason to start it again: what
        cannot move for it is excused while it is."""
        heart = self._look()
        checks = {"main": self._main(heart), "pool": self._whole(heart), **self._keeping()}
        return probes.told(checks)

    def readyz(self) -> Answer:
        """Whether the worker can work: what it needs answers."""
        heart = self._look()
        checks = {"database": self._database(), "broker": self._broker()}
        alive = _alive(heart)
        checks["pool"] = OK if heart is not None and 0 < heart.wanted <= alive else f"{alive} processes"
        if heart is not None and heart.stopping:
            checks["pool"] = "stopping"
        if self._sandbox is not None:
            checks["sandbox"] = self._sandbox()
        return probes.told(checks)

    def readings(self) -> list[exposition.Reading]:
        """The gauges of this moment."""
        heart = self._look()
        processes = {"wanted": heart.wanted if heart else 0, "alive": _alive(heart)}
        return [
            (metrics.POOL_PROCESSES, [({"state": state}, float(number)) for state, number in processes.items()]),
            (metrics.HELD_JOBS, [({}, float(self.held))]),
            (metrics.HEART_AGE, [({}, self._heart.age)]),
            (metrics.RENEWAL_AGE, [({}, self.renewed.age)]),
        ]

    def _look(self) -> _Heart | None:
        try:
            found: dict[str, Any] = json.loads((self._runtime / "heart").read_text())
        except FileNotFoundError:
            return None
        heart = _Heart(**found)
        self._heart.moved_at(heart.at)
        return heart

    def _main(self, heart: _Heart | None) -> str:
        """A worker that has no broker looks for one, and does nothing else."""
        if (heart is not None and heart.stopping) or not self._heart.late(self._patience):
            return OK
        if self._broker() != OK:
            self._heart.excuse()
            self._pool.excuse()
            return OK
        return f"its event loop has not turned for {self._heart.age:.0f} s"

    def _whole(self, heart: _Heart | None) -> str:
        """Celery puts another process in the place of one that died; where it cannot, the worker is of little use."""
        alive = _alive(heart)
        if heart is None or heart.stopping or alive >= heart.wanted:
            self._pool.move()
        if heart is None or not self._pool.late(self._patience):
            return OK
        return f"{alive} of {heart.wanted} processes are alive"

    def _keeping(self) -> dict[str, str]:
        late = {
            "keeper": self.turned.late(self._patience + _FROZEN_SECONDS),
            "leases": self.renewed.late(self._patience + self._heartbeat),
            "limits": self.overdue > self._patience,
        }
        if any(late.values()) and self._database() != OK:
            self.turned.excuse()
            self.renewed.excuse()
            return dict.fromkeys(late, OK)
        said = {
            "keeper": f"its loop has not turned for {self.turned.age:.0f} s",
            "leases": f"not renewed for {self.renewed.age:.0f} s",
            "limits": f"a process is {self.overdue:.0f} s over its job's time limit",
        }
        return {name: said[name] if is_late else OK for name, is_late in late.items()}


def _alive(heart: _Heart | None) -> int:
    return 0 if heart is None else sum(map(_runs, heart.processes))


def _runs(process: int) -> bool:
    """Whether a process lives; one that nobody has reaped yet does not."""
    with suppress(FileNotFoundError, ProcessLookupError):
        stat = Path(f"/proc/{process}/stat")
        if stat.parent.parent.is_dir() and Path("/proc/self").exists():
            return stat.read_text().rpartition(")")[2].split()[0] not in "ZX"
        os.kill(process, 0)
        return True
    return False
