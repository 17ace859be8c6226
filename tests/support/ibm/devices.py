"""Devices of the server, from snapshots that qiskit-ibm-runtime ships, with calibrations that can change."""

from __future__ import annotations

import copy
import importlib.util
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any


def _snapshots() -> Path:
    package = importlib.util.find_spec("qiskit_ibm_runtime")  # importing it takes seconds
    assert package is not None and package.origin is not None
    return Path(package.origin).parent / "fake_provider" / "backends"


def text(time: datetime) -> str:
    """A time as IBM writes it."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


@dataclass
class Device:
    """`ibm_<snapshot>`: its configuration, its calibrations over time, and how it does."""

    snapshot: str
    """Folder of the snapshot: `lagos` (7 qubits) or `fez` (156)."""
    online: bool = True
    message: str = "active"
    changes: list[tuple[datetime, dict[str, Any]]] = field(default_factory=list)
    """Calibrations after the first one, the oldest first."""

    @property
    def name(self) -> str:
        return f"ibm_{self.snapshot}"

    @cached_property
    def configuration(self) -> dict[str, Any]:
        return {**self._read("conf"), "backend_name": self.name}

    @cached_property
    def _first(self) -> dict[str, Any]:
        return {**self._read("props"), "backend_name": self.name}

    def _read(self, what: str) -> dict[str, Any]:
        data: dict[str, Any] = json.loads((_snapshots() / self.snapshot / f"{what}_{self.snapshot}.json").read_text())
        return data

    def properties(self, before: datetime | None = None) -> dict[str, Any]:
        """The calibration at some time; now when not given."""
        for time, properties in reversed(self.changes):
            if before is None or time <= before:
                return properties
        return self._first

    def recalibrate(self, at: datetime | None = None) -> None:
        """A new calibration from `at` on: every T1 a tenth longer."""
        time = at or datetime.now(UTC)
        new = copy.deepcopy(self.properties())
        new["last_update_date"] = text(time)
        for qubit in new["qubits"]:
            for value in qubit:
                if value["name"] == "T1":
                    value["value"] *= 1.1
                    value["date"] = text(time - timedelta(minutes=1))
        self.changes.append((time, new))
