"""Entries of the catalogue for what this process simulates itself: Aer, and the models of IBM's devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from qtasks.backends.catalogue import as_data, figures_of
from qtasks.backends.compatibility import Capabilities, local_simulator, on_aer
from qtasks.backends.protocol import LOCAL_SIMULATOR
from qtasks.backends.snapshots import Snapshot, Snapshots
from qtasks.backends.target_data import target_data
from qtasks.config import SimulatedDevice
from qtasks.resources.backend import BackendType
from qtasks.store.catalogue import Entry

_FLOW = frozenset(("if_else", "while_loop", "for_loop", "switch_case"))


def simulator_entry(*, method: str, memory: int | None) -> Entry:
    """Aer with this method, where one simulation may take `memory` bytes (None: nobody knows)."""
    able = local_simulator(method, memory=memory)
    return Entry(
        account="",
        name=LOCAL_SIMULATOR,
        type=LOCAL_SIMULATOR,
        simulator=True,
        capabilities=as_data(able),
        mean_error=0.0,
    )


def model_entries(devices: Sequence[SimulatedDevice] = ()) -> list[Entry]:
    """The devices that can be modelled: the operator's own, and those that qiskit-ibm-runtime ships. Reading these
    takes 0.6 s, once a process."""
    own = [_entry(Snapshots(devices), device.name) for device in devices]
    names = {entry.name for entry in own}
    return own + [entry for entry in _shipped() if entry.name not in names]


def model_target(snapshots: Snapshots, name: str) -> Mapping[str, Any] | None:
    """What compiling for a model takes: see `target_data`."""
    snapshot = snapshots.load(name)
    return target_data(snapshot.properties, capabilities_of(snapshot))


def capabilities_of(snapshot: Snapshot) -> Capabilities:
    """What the model of a device can do; as `IBMSimulatorBackend.capabilities` says, without Qiskit."""
    configuration = snapshot.configuration
    supported = frozenset(configuration.get("supported_instructions", ("measure", "reset", "delay")))
    flow = supported & _FLOW
    basis = frozenset(configuration["basis_gates"]) - {"measure", "reset", "delay"}
    return on_aer(
        Capabilities(
            snapshot.name,
            qubits=snapshot.qubits,
            basis_gates=basis,
            instructions=basis | flow | supported & {"measure", "reset", "delay"},
            control_flow=flow,
            dynamic_circuits=not flow.isdisjoint(("if_else", "while_loop", "switch_case")),
            not_classical=frozenset(("stretch",)),
            resets="reset" in supported,
            max_shots=configuration.get("max_shots"),
        )
    )


@cache
def _shipped() -> tuple[Entry, ...]:
    snapshots = Snapshots()
    return tuple(_entry(snapshots, name) for name in snapshots.names())


def _entry(snapshots: Snapshots, name: str) -> Entry:
    snapshot = snapshots.load(name)
    figures = figures_of(name, capabilities_of(snapshot), snapshot.calibration)
    return Entry(
        account="",
        name=name,
        type=BackendType.IBM_SIMULATOR.value,
        simulator=True,
        qubits=snapshot.qubits,
        capabilities=figures.capabilities,
        mean_error=figures.mean_error,
        errors=figures.errors,
        calibration=figures.calibration,
    )
