"""What a circuit's classical side asks of a backend: features of its conditions, expressions, loops and variables.

- `variable`, `stretch`: declares a variable or input that lives while it runs, or a stretch of time.
- `store`: writes what it computed into bits or variables.
- `add`, `sub`, `mul`, `div`, `shift_left`, `shift_right`, `index`, `negate`: such an operator in an expression.
- `cast_to_bool`: a number becomes a truth value, as in `expr.logic_not(register)`.
- `float`, `duration`: an expression of such a type.
- `wide_register`: an expression reads a register of more than 31 bits.
- `switch_expression`: a `switch` over more than a bit or a register.
- `repeated_index`: a `for` loop meets one index twice.
- `no_qubits`: a block with instructions in it touches no qubit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

WIDEST_REGISTER = 31
"""Bits of a register that Aer's expressions read rightly: it shifts a C++ `int`."""

_LOGIC = frozenset(("BIT_NOT", "LOGIC_NOT", "BIT_AND", "BIT_OR", "BIT_XOR", "LOGIC_AND", "LOGIC_OR"))
_COMPARISONS = frozenset(("EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL"))
_PLAIN_OPERATORS = _LOGIC | _COMPARISONS


def declared(circuit: QuantumCircuit) -> set[str]:
    """Features that the declarations of a circuit or block ask for."""
    found = set()
    if circuit.num_vars:
        found.add("variable")
    if circuit.num_stretches:
        found.add("stretch")
    return found


def of_store(operation: Any) -> set[str]:
    """Features of a `store`."""
    return {"store"} | of_expression(operation.lvalue) | of_expression(operation.rvalue)


def of_control_flow(operation: Any, qubits: list[int]) -> set[str]:
    """Features of one control-flow operation on `qubits`, without those of its blocks' instructions."""
    found: set[str] = set()
    for condition in (getattr(operation, "condition", None), getattr(operation, "target", None)):
        if hasattr(condition, "accept"):
            found |= of_expression(condition)
    if operation.name == "switch_case" and hasattr(operation.target, "accept"):
        if type(operation.target).__name__ != "Var":
            found.add("switch_expression")
    elif operation.name == "for_loop":
        indices = operation.params[0]
        if not isinstance(indices, range) and hasattr(indices, "__len__") and len(set(indices)) < len(indices):
            found.add("repeated_index")
    blocks = getattr(operation, "blocks", ())
    if not qubits and any(block.data for block in blocks):
        found.add("no_qubits")
    for block in blocks:
        found |= declared(block)
    return found


def of_expression(root: Any) -> set[str]:
    """Features of an `expr` tree."""
    found: set[str] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        kind = type(node).__name__
        type_name = type(getattr(node, "type", None)).__name__
        if type_name in ("Float", "Duration"):
            found.add(type_name.lower())
        if kind == "Var":
            if getattr(node, "standalone", False):
                found.add("variable")
            elif getattr(node.type, "width", 0) > WIDEST_REGISTER:
                found.add("wide_register")
        elif kind == "Stretch":
            found.add("stretch")
        elif kind == "Index":
            found.add("index")
        elif kind == "Cast" and type_name == "Bool" and type(node.operand.type).__name__ != "Bool":
            found.add("cast_to_bool")
        elif kind in ("Unary", "Binary") and node.op.name not in _PLAIN_OPERATORS:
            found.add(node.op.name.lower())
        for name in ("operand", "left", "right", "target", "index"):
            child = getattr(node, name, None)
            if hasattr(child, "accept"):
                waiting.append(child)
    return found
