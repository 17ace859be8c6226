"""The fingerprint: what counts, what does not, and that it is the same everywhere."""

from __future__ import annotations

import math
import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit, qasm2, qasm3
from qiskit.circuit import ClassicalRegister, Gate, Parameter, QuantumRegister
from qiskit.circuit.classical import expr
from qiskit.circuit.library import PauliEvolutionGate, PermutationGate, QFTGate
from qiskit.quantum_info import Clifford, SparsePauliOp

from qtasks.circuits import formats
from qtasks.circuits.fingerprint import fingerprint

TWO_PI = 2 * math.pi


def through_qpy(qc: QuantumCircuit) -> QuantumCircuit:
    return formats.load_canonical(formats.dump(qc))


def bell(qubits: str = "q", clbits: str = "c") -> QuantumCircuit:
    qc = QuantumCircuit(QuantumRegister(2, qubits), ClassicalRegister(2, clbits))
    qc.h(0)
    qc.cx(0, 1)
    qc.measure([0, 1], [0, 1])
    return qc


def everything() -> QuantumCircuit:
    """One of each kind of instruction."""
    c, d = ClassicalRegister(3, "c"), ClassicalRegister(2, "d")
    qc = QuantumCircuit(QuantumRegister(4, "q"), c, d, global_phase=1.5)
    qc.h(0)
    qc.measure(0, 0)
    with qc.if_test((c, 1)) as otherwise:
        qc.x(1)
        qc.measure(1, 1)
    with otherwise:
        qc.rz(0.3, 2)
    with qc.while_loop((c[1], 0)):
        qc.measure(1, 1)
    with qc.for_loop(range(3)) as i:
        qc.rx(i * 0.5, 2)
        qc.ry(i, 1)
    with qc.for_loop([1, 5]):
        qc.x(0)
    with qc.switch(d) as case:
        with case(0, 1):
            qc.x(0)
        with case(case.DEFAULT):
            qc.y(0)
    with qc.if_test(expr.logic_or(expr.equal(c, 3), c[0])):
        qc.z(3)
    v = qc.add_var("v", expr.lift(c))
    qc.store(v, expr.bit_and(v, 5))
    with qc.if_test(expr.less(v, 2)):
        qc.x(0)
    inner = QuantumCircuit(2)
    inner.h(0)
    inner.rz(0.1, 1)
    qc.append(inner.to_gate(), [0, 1])
    qc.append(inner.to_gate().control(1), [0, 1, 2])
    qc.append(inner.to_gate().inverse(), [2, 3])
    qc.unitary([[0, 1], [1, 0]], 0)
    qc.initialize([1, 0, 0, 0], [0, 1])
    qc.append(Gate("opaque", 1, [0.5]), [2])
    qc.delay(100, 0)
    qc.barrier()
    qc.mcx([0, 1, 2], 3)
    qc.cx(0, 1, ctrl_state=0)
    qc.rx(Parameter("t"), 0)
    qc.append(QFTGate(3), [0, 1, 2])
    qc.append(PauliEvolutionGate(SparsePauliOp(["XX", "ZI"]), 0.3), [0, 1])
    qc.append(PermutationGate([1, 0]), [0, 1])
    qc.append(Clifford(bell().remove_final_measurements(inplace=False)), [0, 1])
    return qc


def test_the_same_circuit_in_every_format_has_one_fingerprint() -> None:
    qc = bell()
    written = [
        qc,
        through_qpy(qc),
        formats.read(qasm2.dumps(qc).encode(), "qasm2"),
        formats.read(qasm3.dumps(qc).encode(), "qasm3"),
    ]
    assert len({fingerprint(one) for one in written}) == 1


def test_a_standard_gate_that_a_file_defines_is_the_standard_gate() -> None:
    qc, own = QuantumCircuit(2), QuantumCircuit(2)
    qc.rzz(0.3, 0, 1)
    assert fingerprint(formats.read(qasm3.dumps(qc).encode(), "qasm3")) == fingerprint(qc)
    free = QuantumCircuit(2)
    free.rzz(2 * Parameter("phi"), 0, 1)
    assert fingerprint(formats.read(qasm3.dumps(free).encode(), "qasm3")) == fingerprint(free)
    inner = QuantumCircuit(2, name="rzz")
    inner.cx(0, 1)
    own.append(inner.to_gate(), [0, 1])
    assert fingerprint(own) != fingerprint(qc)


def as_python(qc: QuantumCircuit) -> QuantumCircuit:
    """The circuit from Python source that calls one method for each instruction."""
    lines = ["from qiskit import QuantumCircuit", f"qc = QuantumCircuit({qc.num_qubits}, {qc.num_clbits})"]
    for instruction in qc.data:
        bits = [qc.find_bit(bit).index for bit in (*instruction.qubits, *instruction.clbits)]
        values = [repr(float(value)) for value in instruction.params]
        lines.append(f"qc.{instruction.name}({', '.join([*values, *map(str, bits)])})")
    names: dict[str, QuantumCircuit] = {}
    exec("\n".join(lines), names)
    return names["qc"]


WIDTHS = {
    "h": 1,
    "sx": 1,
    "tdg": 1,
    "rx": 1,
    "p": 1,
    "u": 1,
    "cx": 2,
    "cp": 2,
    "rzz": 2,
    "swap": 2,
    "ccx": 3,
    "reset": 1,
}
ANGLES = {"rx": 1, "p": 1, "u": 3, "cp": 1, "rzz": 1}
# Qiskit writes an angle within 1e-9 of a fraction of pi, or of 0, as that fraction: see docs/decisions/fingerprint.md.
WRITTEN_ANGLE = st.integers(-10_000, 10_000).map(lambda n: n / 1000) | st.sampled_from(
    [math.pi / 3, 0.1 + 0.2, -math.pi]
)
WRITTEN = st.lists(
    st.tuples(
        st.sampled_from([*WIDTHS, "barrier", "measure"]),
        st.permutations(range(3)),
        st.lists(WRITTEN_ANGLE, min_size=3, max_size=3),
    ),
    max_size=12,
)


@pytest.mark.system
@settings(max_examples=40, deadline=None)
@given(WRITTEN)
def test_how_a_circuit_was_written_down_does_not_count(steps: list[tuple[str, list[int], list[float]]]) -> None:
    qc = QuantumCircuit(3, 3)
    for name, order, angles in steps:
        if name == "barrier":
            qc.barrier(order[:2])
        elif name == "measure":
            qc.measure(order[0], order[1])
        else:
            getattr(qc, name)(*angles[: ANGLES.get(name, 0)], *order[: WIDTHS[name]])
    written = {
        "python": as_python(qc),
        "qpy": through_qpy(qc),
        "qasm2": formats.read(qasm2.dumps(qc).encode(), "qasm2"),
        "qasm3": formats.read(qasm3.dumps(qc).encode(), "qasm3"),
    }
    assert {how: fingerprint(one) for how, one in written.items()} == dict.fromkeys(written, fingerprint(qc))


def test_every_kind_of_instruction_survives_qpy() -> None:
    assert fingerprint(everything()) == fingerprint(everything()) == fingerprint(through_qpy(everything()))


@pytest.mark.system
def test_it_is_the_same_in_every_process() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from test_circuit_fingerprint import *;"
        "print(fingerprint(everything()), fingerprint(bell()))"
    )
    here = os.path.dirname(__file__)  # noqa: PTH120
    found = {
        subprocess.run(
            [sys.executable, "-c", code, here],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert found == {f"{fingerprint(everything())} {fingerprint(bell())}\n"}


def test_it_does_not_change_between_releases_unnoticed() -> None:
    assert fingerprint(bell()) == "9f117786309c8004509331e920bad0cc7d39a0a0f87814c0790dfa3e75912600"


def test_names_labels_and_metadata_do_not_count() -> None:
    other = QuantumCircuit(QuantumRegister(1, "x"), QuantumRegister(1, "y"), ClassicalRegister(2, "z"), name="n")
    other.h(0)
    other.cx(0, 1, label="look")
    other.measure([0, 1], [0, 1])
    other.metadata = {"a": 1}
    assert fingerprint(other) == fingerprint(bell())


def test_how_clbits_form_registers_counts() -> None:
    other = QuantumCircuit(QuantumRegister(2), ClassicalRegister(1, "a"), ClassicalRegister(1, "b"))
    other.h(0)
    other.cx(0, 1)
    other.measure([0, 1], [0, 1])
    assert fingerprint(other) != fingerprint(bell())


def test_two_gates_of_one_name_differ_by_their_definition() -> None:
    def with_gate(angle: float, name: str) -> str:
        inner = QuantumCircuit(1, name=name)
        inner.rz(angle, 0)
        qc = QuantumCircuit(1)
        qc.append(inner.to_gate(), [0])
        return fingerprint(qc)

    assert with_gate(0.1, "g") != with_gate(0.2, "g")
    assert with_gate(0.1, "g") == with_gate(0.1, "h")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (0.0, -0.0, True),
        (0.1 + 0.2, 0.3, True),
        (1, 1.0, True),
        (0.3, 0.3 + 1e-15, True),
        (0.3, 0.3 + 1e-10, False),
        (0.0, 1e-17, False),  # the documented edge: significant digits, not decimals
    ],
)
def test_parameters_are_rounded(one: float, other: float, same: bool) -> None:
    def with_angle(angle: float) -> str:
        qc = QuantumCircuit(1)
        qc.rz(angle, 0)
        return fingerprint(qc)

    assert (with_angle(one) == with_angle(other)) is same


@pytest.mark.parametrize(
    ("one", "other", "same"), [(0, TWO_PI, True), (0.5, 0.5 - TWO_PI, True), (0, 1e-14, True), (0, 1, False)]
)
def test_the_global_phase_counts_modulo_two_pi(one: float, other: float, same: bool) -> None:
    first, second = QuantumCircuit(1, global_phase=one), QuantumCircuit(1, global_phase=other)
    assert (fingerprint(first) == fingerprint(second)) is same


ANGLE = st.floats(-6, 6, allow_nan=False)
STEPS = st.lists(
    st.tuples(st.sampled_from(["rx", "ry", "rz", "h", "cx", "rzz"]), st.integers(0, 2), ANGLE), min_size=1, max_size=8
)


def build(steps: list[tuple[str, int, float]], qubits: str, clbits: str, shift: float = 0.0) -> QuantumCircuit:
    qc = QuantumCircuit(QuantumRegister(3, qubits), ClassicalRegister(3, clbits))
    for name, qubit, angle in steps:
        if name == "h":
            qc.h(qubit)
        elif name == "cx":
            qc.cx(qubit, (qubit + 1) % 3)
        elif name == "rzz":
            qc.rzz(angle + shift, qubit, (qubit + 1) % 3)
        else:
            getattr(qc, name)(angle + shift, qubit)
    qc.measure(range(3), range(3))
    return qc


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_renaming_registers_changes_nothing_and_an_angle_everything(steps: list[tuple[str, int, float]]) -> None:
    original = fingerprint(build(steps, "q", "c"))
    assert fingerprint(build(steps, "a", "b")) == original
    assert fingerprint(through_qpy(build(steps, "q", "c"))) == original
    turned = any(name not in ("h", "cx") for name, _, _ in steps)
    assert (fingerprint(build(steps, "q", "c", shift=1e-3)) != original) is turned
