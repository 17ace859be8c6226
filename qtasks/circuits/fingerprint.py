"""A circuit's fingerprint: one hash of what it does, not of how it was written down.

Numbers are rounded to 12 significant digits, and that has an edge: 0.1 + 0.2 is 0.3, but two numbers a hair apart may
fall on different sides of it, and 1e-17 is not 0. So one circuit may have two fingerprints, but no two that differ in
the twelfth digit have one. Qiskit's writers of OpenQASM round more coarsely. See docs/decisions/fingerprint.md.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from qtasks.circuits.gates import (
    AER_GATES,
    COMPLETE_LIBRARY_GATES,
    LIBRARY,
    definition_key,
    home_module,
    is_library,
)
from qtasks.circuits.rounding import number, phase
from qtasks.circuits.twins import is_standard_twin

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

VERSION = "qtasks-circuit-1"
"""Part of every hash: raise it when the meaning of the hash changes, and no old one is mistaken for a new one."""


def fingerprint(circuit: QuantumCircuit) -> str:
    """SHA-256 (64 hex digits) over the circuit's instructions in their order.

    Counts: gates by name, qubit and clbit indices, parameters, control flow with its conditions and blocks, the
    definitions of custom gates (not their names, which Qiskit makes up), the global phase, and how clbits form
    registers, since that shapes the counts keys; unbound parameters by name. Does not count: names of circuit and
    registers, quantum registers, labels, metadata, layout. A standard gate that a file defines for itself is the
    standard gate. Two orders of commuting gates are two circuits.

    Numbers are rounded to 12 significant digits (the global phase to 12 decimals, modulo 2π), and -0.0 is 0.0.
    """
    walk = _Walk()
    walk.circuit(circuit)
    return hashlib.sha256("\n".join(walk.out).encode("utf-8", "surrogatepass")).hexdigest()


class _Scope:
    """What bits, registers and variables are called inside one circuit or block: by position, never by name."""

    __slots__ = ("clbits", "qubits", "variables")

    def __init__(self, qubits: dict[Any, int], clbits: dict[Any, int], variables: dict[Any, str]) -> None:
        self.qubits = qubits
        self.clbits = clbits
        self.variables = variables


class _Walk:
    """Writes one line per instruction to `out`; hashes of definitions are kept for the time of the walk."""

    def __init__(self, known: dict[object, tuple[str, Any]] | None = None) -> None:
        self.out: list[str] = [VERSION]
        self._known: dict[object, tuple[str, Any]] = {} if known is None else known
        self._loops = 0

    def circuit(self, circuit: QuantumCircuit) -> None:
        scope = _Scope(
            {bit: i for i, bit in enumerate(circuit.qubits)}, {bit: i for i, bit in enumerate(circuit.clbits)}, {}
        )
        groups = [",".join([str(scope.clbits[bit]) for bit in register]) for register in circuit.cregs]
        self.out.append(f"{circuit.num_qubits} {circuit.num_clbits} {groups} {phase(circuit.global_phase)}")
        self._declare(circuit, scope)
        self._instructions(circuit.data, scope)

    def _declare(self, circuit: QuantumCircuit, scope: _Scope) -> None:
        """Names variables in the order of their declaration; captured ones are known from the outer scope."""
        for kind, declared in (
            ("input", circuit.iter_input_vars),
            ("var", circuit.iter_declared_vars),
            ("stretch", circuit.iter_declared_stretches),
        ):
            for variable in declared():
                if variable not in scope.variables:
                    scope.variables[variable] = f"v{len(scope.variables)}"
                    self.out.append(f"{kind} {getattr(variable, 'type', '')!r}")

    def _instructions(self, data: Any, scope: _Scope) -> None:
        qubit_index, clbit_index, out = scope.qubits, scope.clbits, self.out
        for instruction in data:
            qubits = [qubit_index[q] for q in instruction.qubits]
            if instruction.is_standard_gate():
                out.append(self._standard(instruction, qubits))
                continue
            clbits = [clbit_index[c] for c in instruction.clbits]
            name = instruction.name
            if name in ("measure", "barrier", "reset") and not instruction.params:
                out.append(f"{name} {qubits} {clbits}")
            elif instruction.is_control_flow():
                self._control_flow(instruction, qubits, clbits, scope)
            elif (
                name in AER_GATES and not is_library(instruction.operation) and is_standard_twin(instruction.operation)
            ):
                out.append(self._standard(instruction, qubits))
            else:
                out.append(f"{self._operation(instruction.operation, scope)} {qubits} {clbits}")

    def _standard(self, instruction: Any, qubits: list[int]) -> str:
        name: str = instruction.name
        if params := instruction.params:
            name += f"({','.join([number(p) for p in params])})"
        return f"{name} {qubits}"

    def _operation(self, operation: Any, scope: _Scope) -> str:
        name = operation.name
        if name == "store":
            return f"store {self._expression(operation.lvalue, scope)} {self._expression(operation.rvalue, scope)}"
        if name in COMPLETE_LIBRARY_GATES and home_module(operation).startswith(LIBRARY):
            unit = getattr(operation, "unit", None) if name == "delay" else None
            return f"{name}{'' if unit is None else ' ' + str(unit)}({self._params(operation, scope)})"
        modifiers = getattr(operation, "modifiers", None)
        if modifiers is not None:  # AnnotatedOperation
            return f"annotated {modifiers!r} [{self._operation(operation.base_op, scope)}]"
        return self._defined(operation, scope)

    def _defined(self, operation: Any, scope: _Scope) -> str:
        key = definition_key(operation)
        if key is not None and key in self._known:
            return self._known[key][0]
        definition = getattr(operation, "definition", None)
        if definition is None:
            tableau = getattr(operation, "tableau", None)
            params = self._params(operation, scope) if tableau is None else number(tableau)
            return f"opaque {operation.name!r} {operation.num_qubits} {operation.num_clbits}({params})"
        inner = _Walk(self._known)
        inner.circuit(definition)
        digest = hashlib.sha256("\n".join(inner.out).encode("utf-8", "surrogatepass")).hexdigest()
        result = f"defined {digest}"
        key = definition_key(operation) if key is None else key
        if key is not None:
            self._known[key] = (result, operation)  # the operation is kept: the key may be its definition's id
        return result

    def _control_flow(self, instruction: Any, qubits: list[int], clbits: list[int], scope: _Scope) -> None:
        operation = instruction.operation
        name = instruction.name
        head = [name, str(qubits), str(clbits)]
        for attribute in ("condition", "target"):
            value = getattr(operation, attribute, None)
            if value is not None:
                head.append(self._condition(value, scope))
        if name == "switch_case":
            head.extend(
                ",".join(str(v) if isinstance(v, (bool, int)) else "default" for v in labels)
                for labels, _ in operation.cases_specifier()
            )
        elif name == "for_loop":
            indexset, parameter, _ = operation.params
            if isinstance(indexset, range) or all(isinstance(i, int) for i in indexset):
                head.append(str(list(indexset)) if len(indexset) < 1000 else repr(indexset))
            else:
                head.append(self._expression(indexset, scope))
            if parameter is not None:
                scope = _Scope(scope.qubits, scope.clbits, {**scope.variables, parameter: f"loop{self._loops}"})
                head.append(f"loop{self._loops}")
                self._loops += 1
        elif name == "box":
            head.append(f"{self._value(operation.duration, scope)} {operation.unit}")
        self.out.append(" ".join(head))
        for block in getattr(operation, "blocks", ()):
            self._block(block, qubits, clbits, scope)
        self.out.append("end")

    def _block(self, block: QuantumCircuit, qubits: list[int], clbits: list[int], scope: _Scope) -> None:
        inner = _Scope(
            dict(zip(block.qubits, qubits, strict=True)),
            {**scope.clbits, **dict(zip(block.clbits, clbits, strict=True))},
            dict(scope.variables),
        )
        self.out.append(f"block {phase(block.global_phase)}")
        self._declare(block, inner)
        loops = {parameter: name for parameter, name in scope.variables.items() if name.startswith("loop")}
        if loops:
            block = self._without_loop_names(block, loops)
        self._instructions(block.data, inner)

    @staticmethod
    def _without_loop_names(block: QuantumCircuit, loops: dict[Any, str]) -> QuantumCircuit:
        """Loop parameters carry made-up names (`_loop_i_0`): the position of the loop takes their place."""
        from qiskit.circuit import Parameter

        inside = {p: Parameter(f"\0{loops[p]}") for p in block.parameters if p in loops}
        return block.assign_parameters(inside) if inside else block

    def _condition(self, condition: Any, scope: _Scope) -> str:
        if isinstance(condition, tuple):
            target, value = condition
            return f"{self._classical(target, scope)}=={int(value)}"
        if hasattr(condition, "accept"):
            return self._expression(condition, scope)
        return self._classical(condition, scope)

    @staticmethod
    def _classical(target: Any, scope: _Scope) -> str:
        if target in scope.clbits:
            return f"c{scope.clbits[target]}"
        return f"r{[scope.clbits[bit] for bit in target]}"

    def _expression(self, node: Any, scope: _Scope) -> str:
        """An `expr` tree by its node types, operators and types; variables and bits by position."""
        kind = type(node).__name__
        if kind in ("Var", "Stretch"):
            if node in scope.variables:
                return scope.variables[node]
            return self._classical(node.var, scope)
        parts = [kind, repr(getattr(node, "type", None))]
        for attribute in ("op", "value", "operand", "left", "right", "target", "index", "start", "stop", "step"):
            value = getattr(node, attribute, None)
            if value is None or (attribute in ("start", "stop") and callable(value)):
                continue
            parts.append(f"{attribute}={self._value(value, scope)}")
        return f"<{' '.join(parts)}>"

    def _value(self, value: Any, scope: _Scope) -> str:
        if hasattr(value, "accept"):
            return self._expression(value, scope)
        return str(value.name) if hasattr(value, "name") and hasattr(value, "value") else number(value)

    def _params(self, operation: Any, scope: _Scope) -> str:
        return ",".join([self._value(p, scope) for p in operation.params])
