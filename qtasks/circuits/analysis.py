"""What a circuit is made of, and what simulating it would take: one pass over its instructions, plain data out.

Nothing here imports Qiskit, so that a process may hold analyses without it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Ge, Le, Len, Predicate

from qtasks.circuits.classical import declared
from qtasks.circuits.memory import MAX_BYTES, memory_estimates
from qtasks.circuits.walk import Walk

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

NAME_CHARACTERS = 1000
"""Longest name that an analysis holds."""
_Count = Annotated[int, Ge(0), Le(MAX_BYTES)]
_Name = Annotated[str, Len(0, NAME_CHARACTERS), Predicate(lambda name: "\0" not in name)]
_WAITING_FOR_RESULTS = frozenset(("if_else", "while_loop", "switch_case", "store"))


@dataclass(frozen=True, slots=True)
class Analysis:
    """A circuit in numbers, as written, before any transpilation.

    `depth` and `size` are Qiskit's: top level, directives such as barriers left out. `gates`, `two_qubit_gates` and
    `measurements` go into the blocks of control flow, each block once. `expanded_size` counts instructions after
    unrolling every definition to gates that Aer knows, and every `for` loop. `active_qubits` are those that a
    measurement depends on: Aer simulates no others. `memory` is bytes per Aer method (see `circuits.memory`), without
    those that cannot run it.
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
    control_flow: list[_Name] = field(default_factory=list)
    """Names of the control-flow operations in it, sorted: `if_else`, `for_loop`, `break_loop`, ..."""
    classical: list[_Name] = field(default_factory=list)
    """What its classical side asks for beyond comparing a bit or register with a number, sorted: see `classical`."""
    opaque: list[_Name] = field(default_factory=list)
    """Names of instructions without a definition that are not Qiskit's standard ones, sorted: nothing can translate
    them, so a backend must know them by name."""
    resets: bool = False
    """A qubit is reset, by a `reset` or inside of an `initialize`."""

    @property
    def runtime_variables(self) -> bool:
        """Whether it declares variables or inputs that live while it runs."""
        return "variable" in self.classical

    @property
    def dynamic(self) -> bool:
        """Whether results of measurements decide what runs next, or are computed with."""
        return not _WAITING_FOR_RESULTS.isdisjoint(self.control_flow) or "store" in self.gates

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
    walk = Walk(n)
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
        has_control_flow=bool(walk.control_flow),
        mid_circuit_measurement=walk.mid_circuit,
        parameters=sorted(p.name for p in circuit.parameters) if circuit.num_parameters else [],
        clifford=clifford,
        active_qubits=active,
        memory=memory_estimates(n, active, walk.bonds, extent, clifford),
        control_flow=sorted(walk.control_flow),
        classical=sorted(walk.classical | declared(circuit)),
        opaque=sorted(walk.opaque),
        resets=walk.resets,
    )
