"""An account's devices, with what a compilation needs of each kept for a while."""

from __future__ import annotations

import copy
import hashlib
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from qtasks.backends.ibm.connection import Connection
from qtasks.backends.protocol import BackendError, Calibration, Device, ProviderUnavailable, QueueStatus

KEPT_SECONDS = 600.0
"""How long a device's configuration and calibration are taken for current."""


@dataclass(frozen=True, slots=True)
class Known:
    """A device as it was read."""

    backend: Any
    """`qiskit_ibm_runtime.IBMBackend`, which asks nothing any more."""
    calibration: Calibration | None
    read_at: float


class Devices:
    """The devices of one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[tuple[str, str], Known] = {}

    def forget(self) -> None:
        self._known.clear()

    def listed(self) -> list[Device]:
        """One request."""
        answers = self._connection.ask("listing devices", lambda client: client.list_backends())
        return [_device(data) for data in answers]

    def queue(self, name: str) -> QueueStatus:
        """One request."""
        status = self._ask(name, "asking how a device does", lambda client: client.backend_status(name))
        message = str(status.get("status_msg", ""))
        available = bool(status.get("operational")) and message in ("active", "")
        return QueueStatus(available, int(status.get("pending_jobs", 0)), message="" if available else message)

    def known(self, name: str) -> Known:
        """The device as it was read at most ten minutes ago; otherwise two requests."""
        key = (self._connection.crn, name)
        known = self._known.get(key)
        if known is None or time.monotonic() - known.read_at > KEPT_SECONDS:
            known = self._known[key] = self._read(name)
        return known

    def calibration(self, name: str, at: datetime | None) -> Calibration | None:
        """One request."""
        moment = at.astimezone(UTC) if at is not None else None
        data = self._ask(name, "reading a calibration", lambda client: client.backend_properties(name, datetime=moment))
        return _calibration(data)

    def _read(self, name: str) -> Known:
        from qiskit_ibm_runtime import IBMBackend
        from qiskit_ibm_runtime.utils.backend_decoder import configuration_from_server_data, properties_from_server_data

        raw = self._ask(name, "reading a device", lambda client: client.backend_configuration(name, refresh=True))
        crn = self._connection.crn
        configuration = configuration_from_server_data(copy.deepcopy(raw), instance=crn)
        if configuration is None:
            raise ProviderUnavailable(f"IBM Quantum's description of the device {name} cannot be understood.")
        backend = IBMBackend(configuration=configuration, service=None, api_client=_Silent(), instance=crn)
        calibration = None
        if not configuration.simulator:
            calibration = self.calibration(name, None)
        if calibration is not None:
            backend._properties = properties_from_server_data(copy.deepcopy(dict(calibration.data)))
        return Known(backend, calibration, time.monotonic())

    def _ask(self, name: str, doing: str, request: Any) -> Any:
        try:
            return self._connection.ask(doing, request)
        except BackendError as error:
            if error.reason not in ("NotFound", "NoSuchDevice"):
                raise
        raise BackendError(
            f"IBM Quantum has no device called {name} for this account.",
            reason="NoSuchDevice",
            hint="`qtasks get backends` shows those there are.",
        )


class _Silent:
    """What a device without a calibration would ask for one."""

    def backend_properties(self, *_: Any, **__: Any) -> dict[str, Any]:
        return {}


def _device(data: Any) -> Device:
    try:
        status = data.get("status") or {}
        name, message = str(data["name"]), str(status.get("reason") or "")
        available = status.get("name") == "online"
        queue = QueueStatus(available, data.get("queue_length"), message="" if available else message)
        return Device(name, data.get("qubits"), bool(data.get("is_simulator")), queue)
    except (KeyError, TypeError, AttributeError):
        raise ProviderUnavailable("IBM Quantum's list of devices cannot be understood.") from None


def _calibration(data: Any) -> Calibration | None:
    if not data:
        return None
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return Calibration(hashlib.sha256(text.encode()).hexdigest()[:32], data)
