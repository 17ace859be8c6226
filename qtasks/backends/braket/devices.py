"""What GetDevice and SearchDevices say, in this library's words. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from qtasks.backends.compatibility import Capabilities
from qtasks.backends.protocol import BackendError, Calibration, Device, QueueStatus

OPENQASM = "braket.ir.openqasm.program"


@dataclass(frozen=True)
class Snapshot:
    """A device at some moment: `properties` is its `deviceCapabilities`, `text` the same as it came."""

    arn: str
    name: str
    simulator: bool
    status: str
    queue: tuple[Mapping[str, str], ...]
    properties: Mapping[str, Any]
    text: str

    @property
    def openqasm(self) -> Mapping[str, Any]:
        """What it says of OpenQASM programs. Raises BackendError for a device that runs none."""
        found: Mapping[str, Any] | None = self.properties.get("action", {}).get(OPENQASM)
        if found is None:
            raise BackendError(
                f"{self.name} runs no circuits.", reason="NoSuchDevice", hint="Choose a gate-based device."
            )
        return found

    @property
    def qubits(self) -> int | None:
        found = self.properties.get("paradigm", {}).get("qubitCount")
        return None if found is None else int(found)


def snapshot(answer: Mapping[str, Any]) -> Snapshot:
    """The device of an answer of GetDevice. Raises BackendError (`DeviceUnreadable`)."""
    text = str(answer["deviceCapabilities"])
    try:
        properties = json.loads(text)
        if not isinstance(properties, dict):
            raise ValueError("not an object")
    except ValueError:
        raise BackendError(
            f"What Amazon Braket says of {answer['deviceName']} cannot be read.", reason="DeviceUnreadable", heals=True
        ) from None
    return Snapshot(
        answer["deviceArn"],
        answer["deviceName"],
        answer["deviceType"] == "SIMULATOR",
        answer["deviceStatus"],
        tuple(answer.get("deviceQueueInfo", ())),
        properties,
        text,
    )


def listed(summary: Mapping[str, Any]) -> Device:
    """A device of SearchDevices, which says neither its size nor its queue."""
    status = summary["deviceStatus"]
    queue = QueueStatus(status == "ONLINE", message="" if status == "ONLINE" else status.lower())
    return Device(summary["deviceArn"], None, summary["deviceType"] == "SIMULATOR", queue)


def capabilities(device: Snapshot) -> Capabilities:
    """What circuits the device runs. A measured qubit cannot be used again; no circuit of Braket's can be dynamic."""
    gates = device.openqasm["supportedOperations"]
    if not device.simulator:
        gates = device.properties["paradigm"].get("nativeGateSet", gates)
    shots = device.properties.get("service", {}).get("shotsRange")
    return Capabilities(
        device.name,
        qubits=device.qubits,
        basis_gates=frozenset(gate.lower() for gate in gates),
        resets=False,
        max_shots=int(shots[1]) if shots else None,
        max_experiments=1,
    )


def queue_status(device: Snapshot) -> QueueStatus:
    """Tasks that wait, of normal and of raised priority. Braket says `>4000` of more: then it is 4000."""
    waiting = [
        int(entry["queueSize"].lstrip(">"))
        for entry in device.queue
        if entry["queue"] == "QUANTUM_TASKS_QUEUE" and entry["queueSize"].lstrip(">").isdigit()
    ]
    online = device.status == "ONLINE"
    return QueueStatus(online, sum(waiting) if waiting else None, message="" if online else device.status.lower())


def calibration(device: Snapshot, *, at: datetime | None = None) -> Calibration | None:
    """The measured properties; None for a simulator, and for a time before the last update: Braket keeps no history."""
    data = {name: device.properties[name] for name in ("standardized", "provider") if device.properties.get(name)}
    if device.simulator or not data:
        return None
    if at is not None:
        updated = device.properties.get("service", {}).get("updatedAt")
        if not updated or at < _utc(updated):
            return None
    digest = hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    return Calibration(digest, data)


def _utc(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time
