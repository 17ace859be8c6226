"""The devices of the loopback Braket: SV1, DM1, a six-qubit QPU after IQM's Garnet, and one that is retired.

`deviceCapabilities` is the JSON of Braket's own schemas, as GetDevice returns it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

SV1 = "arn:aws:braket:::device/quantum-simulator/amazon/sv1"
DM1 = "arn:aws:braket:::device/quantum-simulator/amazon/dm1"
GARNET = "arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet"
RETIRED = "arn:aws:braket:us-west-1::device/qpu/rigetti/Aspen-M-3"

QPU_QUBITS = (1, 2, 3, 4, 5, 6)
"""Labels begin at 1, as Garnet's do: a program that speaks of qubit 0 is wrong."""
QPU_COUPLINGS = ((1, 2), (2, 3), (4, 5), (5, 6), (1, 4), (2, 5), (3, 6))

_SCHEMA = "braket.device_schema"
_GATES = """
    ccnot cnot cphaseshift cphaseshift00 cphaseshift01 cphaseshift10 cswap cv cy cz ecr h i iswap pswap phaseshift rx ry
    rz s si swap t ti unitary v vi x xx xy y yy z zz gpi gpi2 ms prx u gphase
"""


@dataclass
class Device:
    """A device, and whether it takes tasks: `status` is ONLINE, OFFLINE or RETIRED."""

    arn: str
    name: str
    provider: str
    kind: str
    capabilities: dict[str, Any]
    status: str = "ONLINE"
    queue: str = "0"

    @property
    def region(self) -> str:
        """The only region that knows the device; empty for those that every region has."""
        return self.arn.split(":")[3]

    def summary(self) -> dict[str, Any]:
        return {
            "deviceArn": self.arn,
            "deviceName": self.name,
            "deviceStatus": self.status,
            "deviceType": self.kind,
            "providerName": self.provider,
        }

    def answer(self) -> dict[str, Any]:
        """What GetDevice says."""
        waiting = [
            {"queue": "QUANTUM_TASKS_QUEUE", "queueSize": self.queue, "queuePriority": "Normal"},
            {"queue": "QUANTUM_TASKS_QUEUE", "queueSize": "0", "queuePriority": "Priority"},
            {"queue": "JOBS_QUEUE", "queueSize": "0"},
        ]
        return {**self.summary(), "deviceCapabilities": json.dumps(self.capabilities), "deviceQueueInfo": waiting}


def devices() -> list[Device]:
    """A fresh set."""
    retired = _qpu("rigetti", (0, 1), ((0, 1),), {"standardized": None})
    return [
        Device(SV1, "SV1", "Amazon Braket", "SIMULATOR", _simulator(34, 100_000)),
        Device(DM1, "dm1", "Amazon Braket", "SIMULATOR", _simulator(17, 100_000, all_qubits=True)),
        Device(GARNET, "Garnet", "IQM", "QPU", _qpu("iqm", QPU_QUBITS, QPU_COUPLINGS, {"standardized": _fidelities()})),
        Device(RETIRED, "Aspen-M-3", "Rigetti", "QPU", retired, status="RETIRED"),
    ]


def _header(name: str, version: str = "1") -> dict[str, str]:
    return {"name": f"{_SCHEMA}.{name}", "version": version}


def _service(shots: int, price: float, unit: str) -> dict[str, Any]:
    return {
        "braketSchemaHeader": _header("device_service_properties"),
        "executionWindows": [{"executionDay": "Everyday", "windowStartHour": "00:00:00", "windowEndHour": "23:59:59"}],
        "shotsRange": [1, shots],
        "deviceCost": {"price": price, "unit": unit},
        "updatedAt": "2026-01-01T06:00:00",
    }


def _openqasm(pragmas: list[str], *, all_qubits: bool, physical: bool) -> dict[str, Any]:
    return {
        "braket.ir.openqasm.program": {
            "actionType": "braket.ir.openqasm.program",
            "version": ["1"],
            "supportedOperations": _GATES.split(),
            "supportedModifiers": [] if physical else [{"name": "ctrl", "max_qubits": 4}, {"name": "inv"}],
            "supportedPragmas": pragmas,
            "maximumQubitArrays": 1,
            "maximumClassicalArrays": 1,
            "requiresAllQubitsMeasurement": all_qubits,
            "supportPhysicalQubits": physical,
            "requiresContiguousQubitIndices": not physical,
            "disabledQubitRewiringSupported": physical,
            "supportedResultTypes": [{"name": "Probability", "observables": None, "minShots": 1, "maxShots": 100_000}],
        }
    }


def _simulator(qubits: int, shots: int, *, all_qubits: bool = False) -> dict[str, Any]:
    name = "simulators.gate_model_simulator"
    return {
        "braketSchemaHeader": _header(f"{name}_device_capabilities"),
        "service": _service(shots, 0.075, "minute"),
        "action": _openqasm(["braket_unitary_matrix"], all_qubits=all_qubits, physical=False),
        "paradigm": {"braketSchemaHeader": _header(f"{name}_paradigm_properties"), "qubitCount": qubits},
        "deviceParameters": {},
    }


def _qpu(
    maker: str, qubits: tuple[int, ...], edges: tuple[tuple[int, int], ...], more: dict[str, Any]
) -> dict[str, Any]:
    graph: dict[str, list[str]] = {str(qubit): [] for qubit in qubits}
    for one, other in edges:
        graph[str(one)].append(str(other))
        graph[str(other)].append(str(one))
    return {
        "braketSchemaHeader": _header(f"{maker}.{maker}_device_capabilities"),
        "service": _service(20_000, 0.00145, "shot"),
        "action": _openqasm(["verbatim"], all_qubits=False, physical=True),
        "paradigm": {
            "braketSchemaHeader": _header("gate_model_qpu_paradigm_properties"),
            "qubitCount": len(qubits),
            "nativeGateSet": ["cz", "prx"],
            "connectivity": {"fullyConnected": False, "connectivityGraph": graph},
        },
        "deviceParameters": {},
        **more,
    }


def _fidelities() -> dict[str, Any]:
    def fidelity(name: str, value: float) -> dict[str, Any]:
        return {"fidelityType": {"name": name}, "fidelity": value, "standardError": None}

    coherence = {"value": 4.4e-05, "standardError": None, "unit": "S"}
    one = [fidelity("SIMULTANEOUS_RANDOMIZED_BENCHMARKING", 0.999), fidelity("READOUT", 0.97)]
    return {
        "braketSchemaHeader": _header("standardized_gate_model_qpu_device_properties"),
        "oneQubitProperties": {
            str(qubit): {"T1": coherence, "T2": coherence, "oneQubitFidelity": one} for qubit in QPU_QUBITS
        },
        "twoQubitProperties": {
            f"{one}-{other}": {"twoQubitGateFidelity": [{"gateName": "CZ", **fidelity("INTERLEAVED_RANDOMIZED", 0.99)}]}
            for one, other in QPU_COUPLINGS
        },
    }
