"""Snapshots of IBM devices: configuration and calibration, as files of plain JSON.

Those that qiskit-ibm-runtime ships are read as files: importing it takes seconds and 80 MB.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from qtasks.backends.protocol import BackendError, Calibration
from qtasks.config import SimulatedDevice

_PREFIX = re.compile(r"^(fake|ibmq|ibm)_?")
_CURRENT = ("Heron", "Eagle")
"""Families of which one is taken when no device is named: devices of a hundred qubits and more that run dynamic
circuits and reset qubits."""


@dataclass(frozen=True)
class Snapshot:
    """A device at some time: `configuration` and `properties` as qiskit-ibm-runtime's `to_dict()` gives them."""

    name: str
    configuration: Mapping[str, Any]
    properties: Mapping[str, Any]

    @property
    def qubits(self) -> int:
        return int(self.configuration["n_qubits"])

    @cached_property
    def calibration(self) -> Calibration:
        text = json.dumps(self.properties, sort_keys=True, separators=(",", ":"))
        return Calibration(hashlib.sha256(text.encode()).hexdigest(), self.properties)


@dataclass(frozen=True, slots=True)
class _Shipped:
    name: str
    configuration: Path
    properties: Path


class Snapshots:
    """The snapshots that are known: an operator's own, by their names, and the shipped ones.

    A shipped one is called as qiskit-ibm-runtime calls it, `fake_brisbane`; `ibm_brisbane` and `brisbane` mean it too,
    unless an operator has one of that name.
    """

    def __init__(self, own: Sequence[SimulatedDevice] = ()) -> None:
        self._own = {device.name: device for device in own}

    def resolve(self, name: str) -> str:
        """The name of the snapshot that `name` means. Raises BackendError (`NoSuchDevice`) that names the nearest."""
        if name in self._own:
            return name
        stem = _PREFIX.sub("", name.lower())
        if stem in _shipped():
            return _shipped()[stem].name
        known = self.names()
        near = [*get_close_matches(name, self._own, 3), *get_close_matches(f"fake_{stem}", known, 3)]
        raise BackendError(
            f"There is no snapshot of a device called {name}.",
            reason="NoSuchDevice",
            hint=f"Nearest: {', '.join(dict.fromkeys(near))}." if near else "`qtasks get backends` lists them.",
            details={"nearest": near},
        )

    def names(self) -> list[str]:
        return [*self._own, *(shipped.name for shipped in _shipped().values())]

    def load(self, name: str) -> Snapshot:
        """The snapshot of a resolved name. Raises BackendError (`InvalidSnapshot`) for files that are none."""
        files: SimulatedDevice | _Shipped = (
            self._own[name] if name in self._own else _shipped()[name.removeprefix("fake_")]
        )
        snapshot = Snapshot(name, _json(files.configuration), _json(files.properties))
        if not {"n_qubits", "gates"} <= snapshot.configuration.keys() or "qubits" not in snapshot.properties:
            raise _invalid(name, "it lacks n_qubits and gates, or the properties of its qubits")
        return snapshot

    def qubits(self, name: str) -> int:
        """How many qubits the device of a resolved name has."""
        return self.load(name).qubits if name in self._own else _sizes()[name]

    def choose(self, qubits: int) -> str:
        """The device for a circuit of so many qubits that names none.

        The first of the operator's own with enough of them; otherwise the smallest shipped Heron or Eagle, and of
        several the one calibrated last. Raises BackendError (`TooManyQubits`).
        """
        for name in self._own:
            if self.qubits(name) >= qubits:
                return name
        enough = [(size, -calibrated, name) for size, calibrated, name in _current() if size >= qubits]
        if not enough:
            largest = max((size for size, _, _ in _current()), default=0)
            raise BackendError(
                f"The circuit has {qubits:,} qubits; the largest device that can be modelled has {largest:,}.",
                reason="TooManyQubits",
                hint="Use fewer qubits, or local_simulator.",
            )
        return min(enough)[2]


@cache
def _shipped() -> dict[str, _Shipped]:
    """The snapshots that qiskit-ibm-runtime ships, by name without `fake_`."""
    package = find_spec("qiskit_ibm_runtime")
    if package is None or package.origin is None:
        return {}
    folder = Path(package.origin).parent / "fake_provider" / "backends"
    return {
        file.parent.name: _Shipped(
            f"fake_{file.parent.name}", file, file.with_name(file.name.replace("conf_", "props_", 1))
        )
        for file in sorted(folder.glob("*/conf_*.json"))
    }


@cache
def _sizes() -> dict[str, int]:
    return {shipped.name: int(_json(shipped.configuration)["n_qubits"]) for shipped in _shipped().values()}


@cache
def _current() -> list[tuple[int, float, str]]:
    """The devices to choose from: qubits, time of calibration (seconds since 1970), and name."""
    found = []
    for shipped in _shipped().values():
        configuration = _json(shipped.configuration)
        able = set(configuration.get("supported_instructions") or ())
        family = (configuration.get("processor_type") or {}).get("family")
        if family in _CURRENT and {"if_else", "reset"} <= able:
            updated = datetime.fromisoformat(_json(shipped.properties)["last_update_date"])
            found.append((int(configuration["n_qubits"]), updated.astimezone(UTC).timestamp(), shipped.name))
    return found


def _json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise _invalid(str(path), error.strerror or "it cannot be read") from None
    except ValueError as error:
        raise _invalid(str(path), f"it is not JSON ({error})") from None
    if not isinstance(data, dict):
        raise _invalid(str(path), "it is not a JSON object")
    return data


def _invalid(what: str, why: str) -> BackendError:
    return BackendError(
        f"The snapshot {what} cannot be used: {why}.",
        reason="InvalidSnapshot",
        hint="Write it with json.dump(backend.configuration().to_dict(), …, default=str), properties likewise.",
    )
