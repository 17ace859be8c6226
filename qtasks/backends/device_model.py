"""A device as Qiskit and Aer see it, made from its snapshot: the target to compile for, and the noise.

A noise model of all of a device costs Aer 1.5 s a call (measured, 127 qubits), so circuits get a model of what they
use: 4 ms, and the same counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any

from qiskit.circuit import CONTROL_FLOW_OP_NAMES, QuantumCircuit
from qiskit.circuit.controlflow import ForLoopOp, IfElseOp, SwitchCaseOp, WhileLoopOp
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.transpiler import InstructionProperties, QubitProperties, Target
from qiskit.utils import apply_prefix
from qiskit_aer.noise import NoiseModel

from qtasks.backends.compatibility import Capabilities, of_backend
from qtasks.backends.recent import Recent
from qtasks.backends.snapshots import Snapshot

_CONTROL_FLOW = {"if_else": IfElseOp, "for_loop": ForLoopOp, "switch_case": SwitchCaseOp, "while_loop": WhileLoopOp}
_NOT_UNITARY = ("measure", "reset", "delay")
_NOISE_MODELS = 64

Use = tuple[str, tuple[int, ...]]
"""An instruction on certain qubits."""


class DeviceModel:
    """A device that can be compiled for and simulated."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.name = snapshot.name
        self.calibration = snapshot.calibration
        self.target = target_of(snapshot.configuration, snapshot.properties)
        self.max_circuits = None
        self.max_shots: int | None = snapshot.configuration.get("max_shots")
        self._noise: Recent[NoiseModel] = Recent(_NOISE_MODELS)
        self._always = self._some_noise()

    def capabilities(self) -> Capabilities:
        """What the device can do."""
        return of_backend(self)

    def noise(self, circuits: Iterable[QuantumCircuit]) -> NoiseModel:
        """The noise of what the ISA circuits use, as `NoiseModel.from_backend` makes it for the whole device."""
        used = frozenset().union(*(uses(circuit) for circuit in circuits)) | self._always
        return self._noise.get(used, lambda: self._noise_of(used))

    def _noise_of(self, used: Iterable[Use]) -> NoiseModel:
        target = self.target
        part = Target(num_qubits=target.num_qubits, dt=target.dt, qubit_properties=target.qubit_properties)
        properties: dict[str, dict[tuple[int, ...], Any]] = {}
        for name, qubits in sorted(used):
            if name in target.operation_names and name not in _CONTROL_FLOW and qubits in (target[name] or ()):
                properties.setdefault(name, {})[qubits] = target[name][qubits]
        for name, places in properties.items():
            part.add_instruction(target.operation_from_name(name), places, name=name)
        names = list(target.operation_names)
        return NoiseModel.from_backend(SimpleNamespace(version=2, operation_names=names, target=part, dt=target.dt))

    def _some_noise(self) -> frozenset[Use]:
        """A noisy gate that is in every model: Aer chooses its method by whether there is any, and must choose the same
        for a circuit alone and in company."""
        for name in sorted(set(self.target.operation_names) - set(_NOT_UNITARY) - set(_CONTROL_FLOW)):
            for qubits, properties in sorted((self.target[name] or {}).items()):
                if properties is not None and properties.error and properties.duration:
                    return frozenset([(name, qubits)])
        return frozenset()


def uses(circuit: QuantumCircuit, places: Mapping[Any, int] | None = None) -> frozenset[Use]:
    """Every instruction of `circuit` with its qubits' indices, those inside of control flow included."""
    places = places or {qubit: index for index, qubit in enumerate(circuit.qubits)}
    found: set[Use] = set()
    for instruction in circuit.data:
        qubits = tuple(places[qubit] for qubit in instruction.qubits)
        found.add((instruction.name, qubits))
        if instruction.name in CONTROL_FLOW_OP_NAMES:
            for block in instruction.operation.blocks:
                found |= uses(block, dict(zip(block.qubits, qubits, strict=True)))
    return frozenset(found)


def target_of(configuration: Mapping[str, Any], properties: Mapping[str, Any]) -> Target:
    """The target of a device, as qiskit-ibm-runtime's `convert_to_target` makes it.

    What is out of order is left out. Instructions that Qiskit has no name for are left out too: Aer cannot run them;
    and angles have no bounds, for the same gate on any angle is what the bounds stand for.
    """
    standard = get_standard_gate_name_mapping()
    supported = set(configuration.get("supported_instructions", _NOT_UNITARY))
    names = set(configuration["basis_gates"]) & standard.keys() | supported & set(_NOT_UNITARY)
    qubits = [_values(facts) for facts in properties["qubits"]]
    working = [number for number, facts in enumerate(qubits) if facts.get("operational", 1)]
    places: dict[str, dict[tuple[int, ...], InstructionProperties | None]] = {}
    for gate in configuration["gates"]:
        if gate["name"] in names and gate.get("coupling_map"):
            places[gate["name"]] = {tuple(pair): None for pair in gate["coupling_map"]}
    for gate in properties["gates"]:
        name, on, facts = gate["gate"], tuple(gate["qubits"]), _values(gate["parameters"])
        if name not in names:
            continue
        if facts.get("operational", 1) and set(on) <= set(working):
            known = InstructionProperties(error=facts.get("gate_error"), duration=facts.get("gate_length"))
            places.setdefault(name, {})[on] = known
        else:
            places.setdefault(name, {}).pop(on, None)
    places["measure"] = {
        (number,): InstructionProperties(
            error=qubits[number].get("readout_error"), duration=qubits[number].get("readout_length")
        )
        for number in working
    }
    target = Target(
        num_qubits=configuration["n_qubits"],
        dt=configuration["dt"] * 1e-9 if configuration.get("dt") is not None else None,
        qubit_properties=[
            QubitProperties(t1=facts.get("T1"), t2=facts.get("T2"), frequency=facts.get("frequency"))
            for facts in qubits
        ],
        **(configuration.get("timing_constraints") or {}),
    )
    for name in sorted(names):
        everywhere = {(number,): None for number in working} if name in _NOT_UNITARY else None
        target.add_instruction(standard[name], places.get(name, everywhere), name=name)
    for name in sorted(supported & _CONTROL_FLOW.keys()):
        target.add_instruction(_CONTROL_FLOW[name], name=name)
    return target


def _values(facts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Measured figures by name, in seconds and hertz."""
    return {
        fact["name"]: apply_prefix(fact["value"], fact["unit"]) if fact.get("unit") else fact["value"] for fact in facts
    }
