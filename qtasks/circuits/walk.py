"""One pass over a circuit's instructions, into its blocks and through its definitions: the sums of an analysis."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any, NamedTuple

from qtasks.circuits import classical
from qtasks.circuits.gates import (
    AER_GATES,
    CHANNELS,
    EXTENDED_STABILIZER_EXTENTS,
    EXTENDED_STABILIZER_GATES,
    RANK_2_GATES,
    STABILIZER_GATES,
    base_name,
    definition_key,
    home_module,
    is_clifford_angle,
    u1_extent,
)


class _Gate(NamedTuple):
    """What one gate is to Aer after unrolling: `extent` is log2, None where extended_stabilizer cannot run it."""

    clifford: bool
    size: int
    extent: float | None
    resets: bool = False
    opaque: frozenset[str] = frozenset()


_SYNTHESISED = ("qiskit.circuit.library.", "qiskit.quantum_info.")
"""Where the compiler knows how to make a gate without being given its definition: permutations, Cliffords."""
_ANGLED = frozenset(("rz", "u1", "p"))
_FIXED = {
    name: _Gate(
        name in STABILIZER_GATES,
        1,
        EXTENDED_STABILIZER_EXTENTS.get(name, 0.0) if name in EXTENDED_STABILIZER_GATES else None,
    )
    for name in AER_GATES - _ANGLED
}
_FIXED["reset"] = _FIXED["reset"]._replace(resets=True)
_CHANNELS = {name: _Gate(False, 1, None, opaque=frozenset((name,))) for name in CHANNELS}
_FIXED |= _CHANNELS


class Walk:
    """The sums of one walk; `bonds[k]` gains log2 of the factor by which gates may widen the cut between k-1 and k."""

    def __init__(self, qubits: int) -> None:
        self.gates: Counter[str] = Counter()
        self.two_qubit_gates = 0
        self.measurements = 0
        self.expanded = 0
        self.extent: float | None = 0.0
        self.control_flow: set[str] = set()
        self.classical: set[str] = set()
        self.opaque: set[str] = set()
        self.resets = False
        self.mid_circuit = False
        self.bonds = [0] * (qubits + 1)
        self._used: set[int] = set()
        self._measured: set[int] = set()
        self._after_measurement = False
        self._steps: list[tuple[list[int], bool, bool]] = []
        self._clifford = True
        self._known: dict[object, tuple[_Gate, Any]] = {}
        self._qubits = qubits
        self._times = 1
        self._widenings = 1

    def step(self, instruction: Any, qubits: list[int], *, top: bool) -> None:
        """Takes up one instruction; `qubits` are indices in the outermost circuit."""
        name = instruction.name
        self.gates[name] += 1
        if name == "barrier":
            return
        if self._measured and not self._measured.isdisjoint(qubits):
            self._after_measurement = self.mid_circuit = True
        self._used.update(qubits)
        if name == "measure":
            self.measurements += 1
            self.expanded += self._times
            self._measured.update(qubits)
            self._steps.append((qubits, True, True))
            if not top:
                self._after_measurement = self.mid_circuit = True
            return
        if instruction.is_control_flow():
            self._control_flow(instruction, qubits)
            return
        if name == "store":
            self.classical |= classical.of_store(instruction.operation)
        if instruction.clbits and getattr(instruction.operation, "definition", None) is not None:
            self._block(instruction.operation.definition, qubits, top=top)
            return
        gate = self._gate(instruction, name)
        self.expanded += gate.size * self._times
        self.resets = self.resets or gate.resets
        if gate.opaque:
            self.opaque |= gate.opaque
        self._steps.append((qubits, False, gate.clifford))
        self._clifford = self._clifford and gate.clifford
        if self.extent is not None:
            self.extent = None if gate.extent is None else self.extent + gate.extent
        width = len(qubits)
        if width > 1 and not instruction.is_directive():
            if width == 2:
                self.two_qubit_gates += 1
            if name in RANK_2_GATES or (instruction.is_controlled_gate() and base_name(name) != "cswap"):
                rank = 1
            else:
                rank = 2 * (width // 2)
            rank *= self._widenings
            self.bonds[min(qubits) + 1] += rank
            self.bonds[max(qubits) + 1] -= rank

    def _control_flow(self, instruction: Any, qubits: list[int]) -> None:
        name, operation = instruction.name, instruction.operation
        self.control_flow.add(name)
        self.classical |= classical.of_control_flow(operation, qubits)
        if instruction.clbits and self.measurements:
            self.mid_circuit = True
        self._after_measurement = True
        self.expanded += self._times
        outside = self._times, self._widenings
        if name == "for_loop" and hasattr(operation.params[0], "__len__"):
            self._times *= len(operation.params[0])
            self._widenings *= len(operation.params[0])
        elif name == "while_loop":
            self._widenings *= self._qubits  # nobody knows how often: as wide as it can get
        # Aer makes jumps and marks of it, which hold all its qubits together.
        self._steps.append((qubits, False, True))
        for block in getattr(operation, "blocks", ()):
            self._block(block, qubits, top=False)
        self._times, self._widenings = outside
        self._steps.append((qubits, False, True))

    def _block(self, block: Any, qubits: list[int], *, top: bool) -> None:
        """The instructions of a block of control flow, or of an instruction that measures within."""
        index = dict(zip(block.qubits, qubits, strict=True))
        for inner in block.data:
            self.step(inner, [index[q] for q in inner.qubits], top=top)

    def _gate(self, instruction: Any, name: str) -> _Gate:
        known = _FIXED.get(name)
        if known is not None:
            return known
        if name in _ANGLED:
            angle = _number(instruction.params[0])
            if name == "rz":
                clifford = angle is not None and is_clifford_angle(angle)
                return _Gate(clifford, 1, 0.0 if clifford else None)
            return _Gate(False, 1, None if angle is None else u1_extent(angle))
        if (base := base_name(name)) != name and base in _FIXED and instruction.is_controlled_gate():
            return _FIXED[base]
        return self._defined(instruction.operation)

    def _defined(self, operation: Any) -> _Gate:
        if operation.name == "initialize" and isinstance(operation.params[0], complex) and len(operation.params) > 1:
            return _Gate(False, 1, None, resets=True)  # Aer's statevector takes the amplitudes as they are
        if (base := getattr(operation, "base_op", None)) is not None:
            return self._annotated(base, operation.modifiers)
        key = definition_key(operation)
        if key is not None and key in self._known:
            return self._known[key][0]
        definition = getattr(operation, "definition", None)
        if definition is None:
            made = home_module(operation).startswith(_SYNTHESISED)
            return _Gate(False, 1, None, opaque=frozenset() if made else frozenset((operation.name,)))
        clifford, size, extent, resets = True, 0, 0.0, False
        opaque: set[str] = set()
        supported = True
        for inner in definition.data:
            if inner.name == "barrier":
                continue
            if inner.is_control_flow():  # Qiskit makes no such definitions; a file may hold one all the same
                gate = _Gate(False, 1, None, opaque=frozenset((operation.name,)))
            else:
                gate = self._gate(inner, inner.name)
            clifford = clifford and gate.clifford
            size += gate.size
            resets = resets or gate.resets
            opaque |= gate.opaque
            if gate.extent is None:
                supported = False
            else:
                extent += gate.extent
        result = _Gate(clifford, size, extent if supported else None, resets, frozenset(opaque))
        key = definition_key(operation) if key is None else key  # building the definition may have given it one
        if key is not None:
            self._known[key] = (result, operation)
        return result

    def _annotated(self, base: Any, modifiers: Any) -> _Gate:
        """Modifiers are written out by the compiler: a power as often as it says."""
        inside = _FIXED.get(base.name) or (_Gate(False, 1, None) if base.name in _ANGLED else self._defined(base))
        times = 1
        for modifier in modifiers:
            times *= max(1, math.ceil(abs(getattr(modifier, "power", 1))))
        return _Gate(False, inside.size * times, None, inside.resets, inside.opaque)

    def what_aer_keeps(self) -> tuple[int, bool]:
        """Active qubits, and whether all that acts on them is Clifford.

        Aer drops what no measurement depends on (Circuit::set_params in its framework/circuit.hpp).
        """
        if not self.measurements or (not self._after_measurement and len(self._measured) == len(self._used)):
            return len(self._used), self._clifford
        active: set[int] = set()
        clifford = True
        for qubits, is_measurement, is_clifford in reversed(self._steps):
            if is_measurement or not active.isdisjoint(qubits):
                active.update(qubits)
                clifford = clifford and is_clifford
        return len(active), clifford


def _number(value: Any) -> float | None:
    """A parameter's value; None while it is unbound."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
