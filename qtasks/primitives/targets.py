"""The target that circuits are compiled for, of where a job will run: Aer's, a snapshot's, or the catalogue's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qtasks.backends.protocol import BackendError
from qtasks.errors import InvalidInput, NotFound
from qtasks.resources import BackendType

if TYPE_CHECKING:
    from collections.abc import Callable

    from qiskit.transpiler import Target

    from qtasks.client import Client


def target_for(where: Mapping[str, Any], client: Callable[[], Client], *, method: str | None = None) -> Target:
    """The target of `where`, which is as `spec.backend`; `client` is asked for what only the catalogue knows.

    Of `local_simulator` it is that of Aer on this machine with `method`: as many qubits as this machine's memory
    holds. Raises InvalidInput (`DeviceMissing`, `NoSuchDevice`), NotFound (`BackendNotFound`, `TargetUnknown`).
    """
    kind = BackendType(where.get("type", BackendType.LOCAL_SIMULATOR))
    if kind is BackendType.LOCAL_SIMULATOR:
        from qiskit_aer import AerSimulator

        return AerSimulator(method=method or "automatic").target
    name = where.get("name")
    if not name:
        raise InvalidInput(
            f"A backend of type {kind} is one device, and none is named.",
            reason="DeviceMissing",
            hint='Give {"type": …, "name": …}; `qtasks get backends` lists them.',
        )
    if kind is BackendType.IBM_SIMULATOR:
        known = _shipped(name)
        if known is not None:
            return known
    return catalogued(client().backend(name), where)


def _shipped(name: str) -> Target | None:
    """The target of a snapshot that qiskit-ibm-runtime ships; None for one that it does not."""
    from qtasks.backends.device_model import target_of
    from qtasks.backends.snapshots import Snapshots

    snapshots = Snapshots()
    try:
        snapshot = snapshots.load(snapshots.resolve(name))
    except BackendError:
        return None
    return target_of(snapshot.configuration, snapshot.properties)


def catalogued(devices: Sequence[Mapping[str, Any]], where: Mapping[str, Any]) -> Target:
    """The target of the device that `where` means among the documents of those with its name. Raises NotFound
    (`TargetUnknown`)."""
    from qtasks.backends.target_data import target_of

    meant = [
        device
        for device in devices
        if device["type"] == where["type"] and where.get("account") in (None, device["account"])
    ]
    data = next((device["status"]["target"] for device in meant if device["status"].get("target")), None)
    if data is None:
        raise NotFound(
            f"Nobody has told yet what {where['name']} can be compiled for.",
            reason="TargetUnknown",
            hint="Ask again when its account has been visited; `qtasks get backends` shows when that was.",
        )
    return target_of(data)
