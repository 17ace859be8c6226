"""The device that a job runs on at its provider: the one it names, or the least busy of those that can run it."""

from __future__ import annotations

from qtasks.backends.compatibility import Capabilities, Problem, problems, together
from qtasks.backends.protocol import BackendError, Device, ProviderUnavailable, RemoteBackend
from qtasks.circuits.analysis import Analysis
from qtasks.stages.batch import Item

_ASKED = 5
"""Devices whose capabilities are asked for before it is said that none will do."""


def choose(backend: RemoteBackend, item: Item, named: str | None) -> str:
    """The name of the device. Raises BackendError with the reasons why none can run the job, and ProviderUnavailable
    (`NoDeviceAvailable`) when it is only that none is in service."""
    analysis = item.facts
    if named is not None:
        if why := _problems(analysis, item, backend.capabilities(named)):
            raise _refusal(why)
        return named
    known = backend.devices()
    wide = [device for device in known if device.qubits is None or device.qubits >= analysis.qubits]
    ready = sorted((device for device in wide if device.queue.available), key=_waits)
    refused: list[Problem] = []
    for device in ready[:_ASKED]:
        why = _problems(analysis, item, backend.capabilities(device.name))
        if not why:
            return device.name
        refused += why
    if refused:
        raise _refusal(refused)
    if wide:
        names = ", ".join(device.name for device in wide)
        raise ProviderUnavailable(f"None of {names} is in service.", reason="NoDeviceAvailable")
    largest = max((device.qubits or 0 for device in known), default=0)
    raise BackendError(
        f"The circuit has {analysis.qubits:,} qubits; the largest device of the account has {largest:,}.",
        reason="TooManyQubits",
        hint="Use fewer qubits, or another account.",
    )


def _waits(device: Device) -> tuple[bool, float, int]:
    """Simulators first, for nobody is to be billed for a device that nobody named; then the shortest queue, then the
    smallest device."""
    pending = device.queue.pending_jobs
    return not device.simulator, float("inf") if pending is None else float(pending), device.qubits or 0


def _problems(analysis: Analysis, item: Item, capabilities: Capabilities) -> list[Problem]:
    extent = item.extent
    return [
        *problems(analysis, extent.most_shots, capabilities),
        *together(extent.runs, capabilities, alike=extent.alike),
    ]


def _refusal(why: list[Problem]) -> BackendError:
    messages = list(dict.fromkeys(problem.message for problem in why))
    hints = list(dict.fromkeys(problem.hint for problem in why))
    return BackendError(" ".join(messages[:3]), reason=why[0].reason, hint=" ".join(hints[:2]))
