"""Analysis: what a circuit asks of a backend besides gates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import (
    AnnotatedOperation,
    ClassicalRegister,
    ControlModifier,
    Gate,
    InverseModifier,
    PowerModifier,
    QuantumRegister,
)
from qiskit.circuit.classical import expr, types
from qiskit.circuit.library import HGate, PermutationGate, SwapGate
from qiskit.quantum_info import Clifford, Kraus

from qtasks.circuits.analysis import Analysis, analyse
from tests.support.circuits import bell


def test_what_is_stored_from_before_still_loads() -> None:
    data = analyse(bell()).as_data()
    for name in ("control_flow", "classical", "opaque", "resets"):
        del data[name]
    assert Analysis(**data).gates == analyse(bell()).gates


def test_an_instruction_that_measures_within_is_looked_into() -> None:
    inner = QuantumCircuit(1, 1)
    inner.reset(0)
    inner.measure(0, 0)
    qc = QuantumCircuit(2, 2)
    qc.append(inner.to_instruction(), [1], [1])
    analysis = analyse(qc)
    assert (analysis.measurements, analysis.resets, analysis.active_qubits) == (1, True, 1)


def test_a_loop_widens_as_often_as_it_runs() -> None:
    once, often, endless = QuantumCircuit(8), QuantumCircuit(8), QuantumCircuit(8, 1)
    for i in range(7):
        once.cx(i, i + 1)
    with often.for_loop(range(10)):
        often.compose(once, range(8), inplace=True)
    with endless.while_loop((0, 1)):
        endless.compose(once, range(8), inplace=True)
    flat = QuantumCircuit(8)
    for _ in range(10):
        flat.compose(once, inplace=True)
    assert analyse(often).memory["matrix_product_state"] == analyse(flat).memory["matrix_product_state"]
    assert analyse(endless).memory["matrix_product_state"] == analyse(flat).memory["matrix_product_state"]
    assert analyse(often).expanded_size == analyse(flat).expanded_size + 1


def test_modifiers_are_written_out() -> None:
    qc = QuantumCircuit(3)
    qc.append(AnnotatedOperation(HGate(), [PowerModifier(10**9), InverseModifier()]), [0])
    qc.append(AnnotatedOperation(SwapGate(), [ControlModifier(1), PowerModifier(-2.5)]), [0, 1, 2])
    assert (analyse(qc).expanded_size, analyse(qc).opaque) == (10**9 + 3, [])
    qc.append(AnnotatedOperation(Gate("oracle", 1, []), [PowerModifier(2)]), [0])
    assert analyse(qc).opaque == ["oracle"]


def test_what_has_no_definition_is_named() -> None:
    inner = QuantumCircuit(1, name="inner")
    inner.append(Gate("oracle", 1, []), [0])
    qc = QuantumCircuit(1)
    qc.append(inner.to_gate(), [0])
    qc.append(Kraus([[[1, 0], [0, 0]], [[0, 0], [0, 1]]]).to_instruction(), [0])
    qc.initialize([1, 0], 0)
    qc.append(PermutationGate([0]), [0])
    qc.append(Clifford(QuantumCircuit(1)), [0])
    assert (analyse(qc).opaque, analyse(qc).resets) == (["kraus", "oracle"], True)


def _with(build: Callable[[QuantumCircuit, ClassicalRegister, ClassicalRegister], Any]) -> list[str]:
    small, wide = ClassicalRegister(2, "small"), ClassicalRegister(40, "wide")
    qc = QuantumCircuit(QuantumRegister(2), small, wide)
    build(qc, small, wide)
    return analyse(qc).classical


def _if_on(condition: Callable[[ClassicalRegister, ClassicalRegister], Any]) -> list[str]:
    def build(qc: QuantumCircuit, small: ClassicalRegister, wide: ClassicalRegister) -> None:
        with qc.if_test(condition(small, wide)):
            qc.x(0)

    return _with(build)


@pytest.mark.parametrize(
    ("condition", "features"),
    [
        (lambda small, wide: (small, 1), []),
        (lambda small, wide: (wide, 2**39), []),
        (lambda small, wide: expr.less(expr.bit_not(small), 2), []),
        (lambda small, wide: expr.equal(expr.cast(expr.lift(small[0]), types.Uint(2)), 1), []),
        (lambda small, wide: expr.less(wide, 2), ["wide_register"]),
        (lambda small, wide: expr.logic_not(small), ["cast_to_bool"]),
        (lambda small, wide: expr.less(expr.add(small, 1), 2), ["add"]),
        (lambda small, wide: expr.less(expr.shift_left(small, 1), 2), ["shift_left"]),
        (lambda small, wide: expr.index(small, 0), ["index"]),
        (lambda small, wide: expr.less(expr.lift(1.5), 2.5), ["float"]),
    ],
)
def test_what_a_condition_asks_for_is_named(condition: Callable[..., Any], features: list[str]) -> None:
    assert _if_on(condition) == features


def _variable(qc: QuantumCircuit, *_: ClassicalRegister) -> None:
    with qc.if_test(qc.add_input("ready", types.Bool())):
        qc.x(0)


def _store_in_a_block(qc: QuantumCircuit, small: ClassicalRegister, *_: ClassicalRegister) -> None:
    with qc.if_test((small, 1)):
        qc.store(small[0], expr.lift(True))


def _repeated(qc: QuantumCircuit, *_: ClassicalRegister) -> None:
    with qc.for_loop([1, 2, 1]):
        qc.x(0)


def _switch(qc: QuantumCircuit, small: ClassicalRegister, *_: ClassicalRegister) -> None:
    with qc.switch(expr.bit_not(small)) as case, case(0):
        qc.x(0)


def test_what_its_declarations_and_blocks_ask_for_is_named() -> None:
    assert _with(_variable) == ["variable"]
    assert _with(_store_in_a_block) == ["no_qubits", "store"]
    assert _with(_repeated) == ["repeated_index"]
    assert _with(_switch) == ["switch_expression"]
    assert _with(lambda qc, *_: qc.add_stretch("s")) == ["stretch"]
