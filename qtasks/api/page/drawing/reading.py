"""From Qiskit's circuit to the plain data of a picture: wires, and what stands on them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from qtasks.api.page.drawing.layout import Kind, Mark, Picture, Wire, lay_out

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

MOST_BYTES = 128 * 2**10
"""QPY that is larger is not read for a picture: it would take long, and be too large to be looked at."""
MOST_WIRES = 48
MOST_MARKS = 240
_LONGEST_LABEL = 14
_MOST_PARAMETERS = 3
_BLOCKS = {"if_else": "if", "while_loop": "while", "for_loop": "for", "switch_case": "switch", "box": "box"}


@lru_cache(maxsize=32)
def picture(canonical: bytes) -> Picture | None:
    """The picture of a circuit in canonical QPY, of its first operations where there are many; None for one that has
    too many wires.

    `canonical` must be what the sandbox's second child wrote, never bytes from outside: see `circuits.formats`.
    """
    from qtasks.circuits.formats import load_canonical

    return picture_of(load_canonical(canonical))


def picture_of(circuit: QuantumCircuit) -> Picture | None:
    wires = [*_quantum(circuit), *_classical(circuit)]
    if not wires or len(wires) > MOST_WIRES:
        return None
    shown = circuit.data[:MOST_MARKS]
    place = _Places(circuit)
    marks = [mark for instruction in shown for mark in [_mark(instruction, place)] if mark is not None]
    return lay_out(wires, marks, len(circuit.data) - len(shown))


class _Places:
    """On which wire each bit is: every qubit has one of its own, every classical register one together."""

    def __init__(self, circuit: QuantumCircuit) -> None:
        self.qubit = {bit: number for number, bit in enumerate(circuit.qubits)}
        self.clbit: dict[Any, tuple[int, int | None]] = {}
        wire = circuit.num_qubits
        for register in circuit.cregs:
            for index, bit in enumerate(register):
                self.clbit.setdefault(bit, (wire, index))
            wire += 1
        for bit in circuit.clbits:
            if bit not in self.clbit:
                self.clbit[bit] = (wire, None)
                wire += 1


def _quantum(circuit: QuantumCircuit) -> Iterator[Wire]:
    for number, bit in enumerate(circuit.qubits):
        where = circuit.find_bit(bit).registers
        yield Wire(f"{_cut(where[0][0].name)}{_index(where[0])}" if where else f"q{number}", quantum=True)


def _classical(circuit: QuantumCircuit) -> Iterator[Wire]:
    yield from (Wire(_cut(register.name), quantum=False, size=len(register)) for register in circuit.cregs)
    named = {bit for register in circuit.cregs for bit in register}
    loose = [number for number, bit in enumerate(circuit.clbits) if bit not in named]
    yield from (Wire(f"clbit {number}", quantum=False, size=1) for number in loose)


def _index(where: tuple[Any, int]) -> str:
    register, index = where
    return f"[{index}]" if len(register) > 1 else ""


def _mark(instruction: Any, place: _Places) -> Mark | None:
    operation = instruction.operation
    qubits = tuple(place.qubit[bit] for bit in instruction.qubits)
    bits = [place.clbit[bit] for bit in instruction.clbits]
    if not qubits and not bits:
        return None
    classical = tuple(dict.fromkeys(wire for wire, _ in bits))
    if operation.name == "measure" and len(bits) == 1:
        index = bits[0][1]
        return Mark("measure", "M", "", qubits, classical=classical, note="" if index is None else str(index))
    if operation.name == "barrier":
        return Mark("barrier", "", "", qubits)
    if operation.name == "reset":
        return Mark("gate", "|0⟩", "", qubits)
    controls = int(getattr(operation, "num_ctrl_qubits", 0) or 0)
    base = getattr(operation, "base_gate", None)
    if controls and base is not None:
        state = int(operation.ctrl_state)
        held = tuple((qubit, bool(state >> number & 1)) for number, qubit in enumerate(qubits[:controls]))
        kind, label = _look(base)
        return Mark(kind, label, _parameters(operation), qubits[controls:], held)
    if operation.name in _BLOCKS:
        return Mark("gate", _BLOCKS[operation.name], _condition(operation), qubits, classical=classical)
    kind, label = _look(operation)
    return Mark(kind, label, _parameters(operation), qubits, classical=classical)


def _condition(operation: Any) -> str:
    """What a block depends on, where that is a bit or a register having a value."""
    condition = getattr(operation, "condition", None)
    if not isinstance(condition, tuple):
        return ""
    what, value = condition
    return _cut(f"{getattr(what, 'name', 'bit')} = {int(value)}", 2 * _LONGEST_LABEL)


def _look(operation: Any) -> tuple[Kind, str]:
    name = operation.label or operation.name
    signs: dict[str, Kind] = {"x": "x", "swap": "swap", "z": "z"}
    if operation.label is None and name in signs:
        return signs[name], name.upper()
    return "gate", _cut(name if operation.label or len(name) > 4 else name.upper())


def _parameters(operation: Any) -> str:
    from qiskit.circuit import ParameterExpression
    from qiskit.circuit.tools.pi_check import pi_check

    shown = []
    for parameter in operation.params[:_MOST_PARAMETERS]:
        if not isinstance(parameter, (int, float, complex, ParameterExpression)):
            return ""  # a matrix, or the body of a loop
        shown.append(str(pi_check(parameter, output="text", ndigits=3)))
    more = "…" if len(operation.params) > _MOST_PARAMETERS else ""
    return _cut(", ".join(shown) + more, 2 * _LONGEST_LABEL)


def _cut(text: str, longest: int = _LONGEST_LABEL) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
