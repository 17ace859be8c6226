"""What a circuit is made of, and what simulating it would take: one pass over its instructions, plain data out.

Nothing here imports Qiskit, so that a process may hold analyses without it.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from annotated_types import Ge, Le, Len

from qtasks.circuits.gates import (
    AER_GATES,
    EXTENDED_STABILIZER_EXTENTS,
    EXTENDED_STABILIZER_GATES,
    RANK_2_GATES,
    STABILIZER_GATES,
    base_name,
    definition_key,
    is_clifford_angle,
    u1_extent,
)
from qtasks.circuits.memory import MAX_BYTES, memory_estimates

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

_Count = Annotated[int, Ge(0), Le(MAX_BYTES)]
_Name = Annotated[str, Len(0, 1000)]


@dataclass(frozen=True, slots=True)
class Analysis:
    """A circuit in numbers, as written, before any transpilation.

    `depth` and `size` are Qiskit's: top level, directives such as barriers left out. `gates`, `two_qubit_gates` and
    `measurements` go into the blocks of control flow, each block once. `expanded_size` counts instructions after
    unrolling every definition to gates that Aer knows. `active_qubits` are those that a measurement depends on: Aer
    simulates no others. `memory` is bytes per Aer method (see `circuits.memory`), without those that cannot run it.
    """

    qubits: _Count
    clbits: _Count
    registers: list[tuple[_Name, _Count]]
    """Classical registers as (name, size) in the circuit's order; counts keys show the last one first."""
    depth: _Count
    size: _Count
    expanded_size: _Count
    gates: dict[_Name, _Count]
    two_qubit_gates: _Count
    measurements: _Count
    has_control_flow: bool
    mid_circuit_measurement: bool
    """A measured qubit is used again, a result may decide what runs next, or a block of control flow measures."""
    parameters: list[_Name]
    """Names of unbound parameters, sorted."""
    clifford: bool
    """Aer's automatic method runs it as a stabilizer circuit: decided by gate names, as Aer does, not by matrices."""
    active_qubits: _Count
    memory: dict[_Name, _Count]

    def as_data(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {name: getattr(self, name) for name in _FIELDS}


_FIELDS = tuple(field.name for field in fields(Analysis))


def automatic_method(analysis: Analysis) -> str:
    """The method that Aer 0.18's `automatic` runs this circuit with: `stabilizer` or `statevector`.

    Memory plays no part: Aer does not look at it when it chooses (its controller validates with a fresh executor that
    has no limit yet), and then fails with "Insufficient memory". Compare `memory[method]` with the limit first.
    Analyse what really runs: optimization may merge `h·s` into `u2`, which Aer does not take for Clifford.
    """
    return "stabilizer" if analysis.clifford else "statevector"


def analyse(circuit: QuantumCircuit) -> Analysis:
    """Walks the circuit once and counts; it is not changed. 15 µs for a Bell pair, 3 µs for each further gate."""
    n, m = circuit.num_qubits, circuit.num_clbits
    qubit_index = {bit: i for i, bit in enumerate(circuit.qubits)}
    clbit_index = {bit: i for i, bit in enumerate(circuit.clbits, n)}
    walk = _Walk(n)
    levels = [0] * (n + m)
    size = 0
    for instruction in circuit.data:
        qubits = [qubit_index[q] for q in instruction.qubits]
        walk.step(instruction, qubits, top=True)
        counts = 0 if instruction.is_directive() else 1  # a barrier adds no depth, yet lines its qubits up
        size += counts
        if clbits := instruction.clbits:
            qubits = qubits + [clbit_index[c] for c in clbits]
        if len(qubits) == 1:
            levels[qubits[0]] += counts
        elif qubits:
            level = max([levels[i] for i in qubits]) + counts
            for i in qubits:
                levels[i] = level
    active, clifford = walk.what_aer_keeps()
    extent = walk.extent if circuit.num_qubits else None
    return Analysis(
        qubits=n,
        clbits=m,
        registers=[(register.name, register.size) for register in circuit.cregs],
        # Expressions of a store reach bits and variables that it does not list: Qiskit's slower way knows them.
        depth=circuit.depth() if walk.gates["store"] else max(levels, default=0),
        size=size,
        expanded_size=min(walk.expanded, MAX_BYTES),
        gates=dict(walk.gates),
        two_qubit_gates=walk.two_qubit_gates,
        measurements=walk.measurements,
        has_control_flow=walk.control_flow,
        mid_circuit_measurement=walk.mid_circuit,
        parameters=sorted(p.name for p in circuit.parameters) if circuit.num_parameters else [],
        clifford=clifford,
        active_qubits=active,
        memory=memory_estimates(n, active, walk.bonds, extent, clifford),
    )


class _Gate(NamedTuple):
    """What one gate is to Aer after unrolling: `extent` is log2, None where extended_stabilizer cannot run it."""

    clifford: bool
    size: int
    extent: float | None


_ANGLED = frozenset(("rz", "u1", "p"))
_FIXED = {
    name: _Gate(
        name in STABILIZER_GATES,
        1,
        EXTENDED_STABILIZER_EXTENTS.get(name, 0.0) if name in EXTENDED_STABILIZER_GATES else None,
    )
    for name in AER_GATES - _ANGLED
}


class _Walk:
    """The sums of one walk; `bonds[k]` gains log2 of the factor by which gates may widen the cut between k-1 and k."""

    def __init__(self, qubits: int) -> None:
        self.gates: Counter[str] = Counter()
        self.two_qubit_gates = 0
        self.measurements = 0
        self.expanded = 0
        self.extent: float | None = 0.0
        self.control_flow = False
        self.mid_circuit = False
        self.bonds = [0] * (qubits + 1)
        self._used: set[int] = set()
        self._measured: set[int] = set()
        self._after_measurement = False
        self._steps: list[tuple[list[int], bool, bool]] = []
        self._clifford = True
        self._known: dict[object, tuple[_Gate, Any]] = {}

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
            self.expanded += 1
            self._measured.update(qubits)
            self._steps.append((qubits, True, True))
            if not top:
                self._after_measurement = self.mid_circuit = True
            return
        if instruction.is_control_flow():
            self._control_flow(instruction, qubits)
            return
        gate = self._gate(instruction, name)
        self.expanded += gate.size
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
            self.bonds[min(qubits) + 1] += rank
            self.bonds[max(qubits) + 1] -= rank

    def _control_flow(self, instruction: Any, qubits: list[int]) -> None:
        self.control_flow = True
        if instruction.clbits and self.measurements:
            self.mid_circuit = True
        self._after_measurement = True
        self.expanded += 1
        # Aer makes jumps and marks of it, which hold all its qubits together.
        self._steps.append((qubits, False, True))
        for block in getattr(instruction.operation, "blocks", ()):
            index = dict(zip(block.qubits, qubits, strict=True))
            for inner in block.data:
                self.step(inner, [index[q] for q in inner.qubits], top=False)
        self._steps.append((qubits, False, True))

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
            return _Gate(False, 1, None)  # Aer's statevector takes the amplitudes as they are
        key = definition_key(operation)
        if key is not None and key in self._known:
            return self._known[key][0]
        definition = getattr(operation, "definition", None)
        if definition is None:
            return _Gate(False, 1, None)
        clifford, size, extent = True, 0, 0.0
        supported = True
        for inner in definition.data:
            if inner.name == "barrier":
                continue
            gate = _Gate(False, 1, None) if inner.is_control_flow() else self._gate(inner, inner.name)
            clifford = clifford and gate.clifford
            size += gate.size
            if gate.extent is None:
                supported = False
            else:
                extent += gate.extent
        result = _Gate(clifford, size, extent if supported else None)
        key = definition_key(operation) if key is None else key  # building the definition may have given it one
        if key is not None:
            self._known[key] = (result, operation)
        return result

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
