"""A user's own gate with the name of a standard one: whether it is that one."""

from __future__ import annotations

from typing import Any


def is_standard_twin(operation: Any) -> bool:
    """Whether a gate with a definition of its own does what the standard gate of its name does, up to a global phase.

    OpenQASM files define standard gates that their include does not have: Qiskit's writer of OpenQASM 3 does it for
    `rzz`. Compares matrices, where parameters are unbound at one point: 0.2 ms for two qubits.
    """
    from qiskit.circuit.library import get_standard_gate_name_mapping
    from qiskit.quantum_info import Operator

    standard = get_standard_gate_name_mapping().get(operation.name)
    definition = getattr(operation, "definition", None)
    if standard is None or definition is None or standard.num_qubits != operation.num_qubits or operation.num_clbits:
        return False
    try:
        point = {parameter: 0.3 + 0.37 * index for index, parameter in enumerate(definition.parameters)}
        angles = [_at(value, point) for value in operation.params]
        own = definition.assign_parameters(point) if point else definition
        return bool(Operator(own).equiv(Operator(standard.base_class(*angles))))
    except Exception:  # a wrong number of parameters, or a definition that is no gate
        return False


def _at(value: Any, point: dict[Any, float]) -> float:
    """The value of an angle with numbers for its parameters."""
    free = getattr(value, "parameters", ())
    return float(value.bind({parameter: point[parameter] for parameter in free})) if free else float(value)
