"""What compiling for a device takes, as plain JSON that is the same whoever the provider: its gates with the qubits
they act on, errors and durations.

    {"qubits": 7, "gates": {"cx": [[[0, 1], 0.0065, 3.1e-07], ...], "measure": [[[0], 0.012, 7.3e-07], ...], ...},
     "anywhere": ["delay", "reset"], "control_flow": ["if_else"]}

Error and duration (seconds) are null where nobody knows. Nothing here needs a provider's SDK.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from qtasks.backends.compatibility import Capabilities

if TYPE_CHECKING:
    from qiskit.transpiler import Target

Places = dict[str, list[list[Any]]]
"""Gate by gate: [qubits, error, duration]."""

_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9, "ps": 1e-12}
_BRAKET_GATES = {"CZ": "cz", "CNOT": "cx", "ECR": "ecr", "ISWAP": "iswap"}
"""Braket's names of gates on two qubits, in Qiskit's. Any other stands for a CZ: each of them makes one, with gates on
single qubits around it."""
_BROKEN = 1.0
"""The error that IBM gives for what is out of order."""


def target_data(data: Mapping[str, Any], able: Capabilities) -> dict[str, Any] | None:
    """The target of a device with this calibration (`Calibration.data`, IBM's or Braket's) and these capabilities; None
    where the calibration does not tell."""
    if "qubits" in data and "gates" in data:
        return _ibm(data, able)
    if data.get("standardized") or data.get("provider"):
        return _braket(data, able)
    return None


def _ibm(properties: Mapping[str, Any], able: Capabilities) -> dict[str, Any]:
    qubits = [_values(facts) for facts in properties["qubits"]]
    working = {number for number, facts in enumerate(qubits) if facts.get("operational", 1)}
    gates: Places = {}
    for gate in properties["gates"]:
        name, on, facts = gate["gate"], [int(qubit) for qubit in gate["qubits"]], _values(gate["parameters"])
        wanted = able.basis_gates is None or name in able.basis_gates or name == "id"
        if wanted and facts.get("operational", 1) and working.issuperset(on):
            gates.setdefault(name, []).append([on, facts.get("gate_error"), facts.get("gate_length")])
    gates["measure"] = [
        [[number], qubits[number].get("readout_error"), qubits[number].get("readout_length")]
        for number in sorted(working)
    ]
    return _data(len(qubits), gates, able)


def _values(facts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Measured figures by name, times in seconds."""
    return {fact["name"]: fact["value"] * _SECONDS.get(fact.get("unit") or "", 1.0) for fact in facts}


def _braket(data: Mapping[str, Any], able: Capabilities) -> dict[str, Any] | None:
    standard, provider = data.get("standardized") or {}, data.get("provider") or {}
    ones, twos = standard.get("oneQubitProperties") or {}, standard.get("twoQubitProperties") or {}
    if ones and twos:
        return _measured(ones, twos, able)
    means = provider.get("fidelity") or {}
    if "1Q" in means and "2Q" in means and able.qubits:
        return _alike(means, provider.get("timing") or {}, able)
    return None


def _measured(ones: Mapping[str, Any], twos: Mapping[str, Any], able: Capabilities) -> dict[str, Any]:
    labels = {label: place for place, label in enumerate(sorted(ones, key=int))}
    gates: Places = {"u": [], "measure": []}
    for label, place in labels.items():
        told = ones[label].get("oneQubitFidelity") or ()
        gates["u"].append([[place], _error(told, "RANDOMIZED"), None])
        gates["measure"].append([[place], _error(told, "READOUT"), None])
    for pair, facts in twos.items():
        one, other = (labels.get(label) for label in pair.split("-"))
        told = [gate for gate in facts.get("twoQubitGateFidelity") or () if gate.get("fidelity") is not None]
        if one is None or other is None or not told:
            continue
        best = max(told, key=lambda gate: float(gate["fidelity"]))
        name = _BRAKET_GATES.get(str(best.get("gateName", "")).upper(), "cz")
        gates.setdefault(name, []).append([[one, other], 1 - float(best["fidelity"]), None])
    return _data(len(labels), gates, able)


def _error(told: Sequence[Mapping[str, Any]], kind: str) -> float | None:
    """The error of the fidelity of this kind; of several, the one measured on all qubits at a time."""
    named = [(str((one.get("fidelityType") or {}).get("name", "")), one.get("fidelity")) for one in told]
    found = [(name, float(value)) for name, value in named if kind in name and "ERROR" not in name and value]
    if not found:
        return None
    return 1 - max(found, key=lambda each: ("SIMULTANEOUS" in each[0], -len(each[0])))[1]


def _alike(means: Mapping[str, Any], timing: Mapping[str, Any], able: Capabilities) -> dict[str, Any]:
    """A device of which means alone are told, whose qubits are all connected."""
    number = able.qubits or 0
    one, two = 1 - float(means["1Q"]["mean"]), 1 - float(means["2Q"]["mean"])
    readout = 1 - float(means["spam"]["mean"]) if "spam" in means else None
    gates: Places = {
        "u": [[[place], one, timing.get("1Q")] for place in range(number)],
        "measure": [[[place], readout, timing.get("readout")] for place in range(number)],
        "cz": [[[low, high], two, timing.get("2Q")] for high in range(number) for low in range(high)],
    }
    return _data(number, gates, able)


def _data(qubits: int, gates: Places, able: Capabilities) -> dict[str, Any]:
    anywhere = ["delay", "reset"] if able.resets else ["delay"]
    return {
        "qubits": qubits,
        "gates": gates,
        "anywhere": [name for name in anywhere if name not in gates],
        "control_flow": sorted(able.control_flow),
    }


def typical_errors(data: Mapping[str, Any]) -> dict[str, float]:
    """Median errors of what is in order: `one` (gates on one qubit, those that are free left out), `two`,
    `readout`; 1 where nothing of the kind is."""
    return {kind: median([error for error in errors if error > 0] or [0.0]) for kind, errors in _errors(data).items()}


def mean_error(data: Mapping[str, Any]) -> float | None:
    """Mean error of the gates on two qubits that are in order, 1 where none is; None where there are no such gates."""
    errors = _errors(data).get("two")
    return fmean(errors) if errors else None


def _errors(data: Mapping[str, Any]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for name, places in data["gates"].items():
        for qubits, error, _ in places:
            if error is not None and name not in ("id", "reset"):
                kind = "readout" if name == "measure" else "one" if len(qubits) == 1 else "two"
                found.setdefault(kind, []).append(float(error))
    return {kind: [error for error in errors if error < _BROKEN] or [_BROKEN] for kind, errors in found.items()}


def target_of(data: Mapping[str, Any]) -> Target:
    """The Qiskit target; gates that Qiskit has no name for are left out."""
    from qiskit.circuit.controlflow import ForLoopOp, IfElseOp, SwitchCaseOp, WhileLoopOp
    from qiskit.circuit.library import get_standard_gate_name_mapping
    from qiskit.transpiler import InstructionProperties, Target

    standard = get_standard_gate_name_mapping()
    flow = {"if_else": IfElseOp, "for_loop": ForLoopOp, "switch_case": SwitchCaseOp, "while_loop": WhileLoopOp}
    target = Target(num_qubits=data["qubits"])
    for name in sorted(data["gates"].keys() & standard.keys()):
        places = {
            tuple(qubits): InstructionProperties(error=error, duration=duration)
            for qubits, error, duration in data["gates"][name]
        }
        if places:
            target.add_instruction(standard[name], places, name=name)
    for name in data["anywhere"]:
        target.add_instruction(standard[name], {(qubit,): None for qubit in range(data["qubits"])}, name=name)
    for name in data["control_flow"]:
        if name in flow:
            target.add_instruction(flow[name], name=name)
    return target
