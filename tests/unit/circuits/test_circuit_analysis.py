"""Analysis: its numbers are Qiskit's, and its prediction is what Aer does."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import ClassicalRegister, Parameter, QuantumRegister
from qiskit.circuit.classical import expr, types
from qiskit_aer import AerSimulator

from qtasks.backends.pass_managers import preset_pass_manager
from qtasks.circuits import formats
from qtasks.circuits.analysis import analyse, automatic_method
from qtasks.circuits.memory import MAX_BYTES

# Neither the one that is no circuit, nor the one that takes Aer so long that it is predicted where it is run anyway.
CIRCUITS = [
    path
    for path in sorted((Path(__file__).parents[2] / "data" / "circuits").glob("*.qasm"))
    if path.stem not in ("vqe_uccsd_n4", "swap_test_n25")
]
SIMULATOR = AerSimulator()
LEVEL_0 = preset_pass_manager(0, backend=SIMULATOR)
LEVEL_1 = preset_pass_manager(1, backend=SIMULATOR)


def aer(qc: QuantumCircuit, **options: Any) -> dict[str, Any]:
    """What Aer says of its run: the method it chose and how many qubits it kept."""
    metadata: dict[str, Any] = SIMULATOR.run(qc, shots=2, **options).result().results[0].metadata
    return metadata


def ghz(qubits: int) -> QuantumCircuit:
    qc = QuantumCircuit(qubits)
    qc.h(0)
    for i in range(qubits - 1):
        qc.cx(i, i + 1)
    qc.measure_all()
    return qc


@pytest.mark.parametrize("path", CIRCUITS, ids=lambda path: path.stem)
def test_the_circuits_are_predicted_as_aer_runs_them(path: Path) -> None:
    qc = formats.read(path.read_bytes(), "qasm2")
    written, plain, optimized = analyse(qc), LEVEL_0.run(qc), LEVEL_1.run(qc)
    assert (written.depth, written.size) == (qc.depth(), qc.size())
    assert written.has_control_flow or written.gates == dict(qc.count_ops())
    for run in (plain, optimized):
        found = aer(run)
        assert automatic_method(analyse(run)) == found["method"]
        assert analyse(run).active_qubits == found["num_qubits"]
    assert automatic_method(written) == automatic_method(analyse(plain))


def test_ghz_100_is_a_stabilizer_circuit_whatever_a_statevector_would_take() -> None:
    analysis = analyse(ghz(100))
    assert automatic_method(analysis) == aer(ghz(100))["method"] == "stabilizer"
    assert analysis.memory["statevector"] == MAX_BYTES
    assert analysis.memory["stabilizer"] < 2**20
    assert analysis.memory["matrix_product_state"] < 2**20  # every bond is at most 2


def test_aer_does_not_look_at_memory_when_it_chooses(capfd: pytest.CaptureFixture[str]) -> None:
    qc = ghz(40)
    qc.data.insert(3, QuantumCircuit(qc.qubits).compose(_t(), [0]).data[0])
    analysis = analyse(qc)
    result = SIMULATOR.run(qc, shots=2, max_memory_mb=64).result()
    assert not result.success
    assert automatic_method(analysis) == result.results[0].metadata["method"] == "statevector"
    assert analysis.memory["statevector"] == 16 * 2**40


def _t() -> QuantumCircuit:
    qc = QuantumCircuit(1)
    qc.t(0)
    return qc


def _mid(qc: QuantumCircuit) -> None:
    qc.measure(0, 0)
    qc.h(0)


def _if(qc: QuantumCircuit) -> None:
    qc.measure(0, 0)
    with qc.if_test((0, 1)):
        qc.x(1)


def _if_t(qc: QuantumCircuit) -> None:
    qc.measure(0, 0)
    with qc.if_test((0, 1)):
        qc.t(1)


def _while(qc: QuantumCircuit) -> None:
    qc.measure(0, 0)
    with qc.while_loop((0, 1)):
        qc.h(0)
        qc.measure(0, 0)


def _store(qc: QuantumCircuit) -> None:
    # Only stored, never read: Aer 0.18 aborts the whole process on a condition over a variable ("invalid cbit index").
    qc.add_var("v", expr.lift(3, types.Uint(2)))


def _sub(qc: QuantumCircuit) -> None:
    inner = ghz(2).remove_final_measurements(inplace=False)
    assert inner is not None
    qc.append(inner.to_gate(), [0, 1])


PIECES: dict[str, Callable[[QuantumCircuit], Any]] = {
    "nothing": lambda qc: None,
    "rz of a quarter": lambda qc: qc.rz(math.pi / 2, 0),
    "rz near a quarter": lambda qc: qc.rz(math.pi / 2 + 1e-9, 0),
    "rz of an endless angle": lambda qc: qc.rz(1e308, 0),
    "rz of many quarters": lambda qc: qc.rz(50 * math.pi + 1e-14, 0),
    "p of pi": lambda qc: qc.p(math.pi, 0),
    "identity u": lambda qc: qc.u(0, 0, 0, 0),
    "delay": lambda qc: qc.delay(10, 0),
    "reset": lambda qc: qc.reset(0),
    "pauli": lambda qc: qc.pauli("XY", [0, 1]),
    "initialize": lambda qc: qc.initialize([1, 0], 0),
    "initialize an integer": lambda qc: qc.initialize(1, 0),
    "unitary": lambda qc: qc.unitary([[1, 0], [0, 1]], 0),
    "iswap": lambda qc: qc.iswap(0, 1),
    "dcx": lambda qc: qc.dcx(0, 1),
    "open control": lambda qc: qc.cx(0, 1, ctrl_state=0),
    "open control on sx": lambda qc: qc.csx(0, 1, ctrl_state=0),
    "toffoli": lambda qc: qc.mcx([0], 1),
    "gate of its own": _sub,
    "mid-circuit": _mid,
    "t on a qubit nobody measures": lambda qc: qc.t(2),
    "t after the measurement": lambda qc: (qc.measure(0, 0), qc.t(0)),
    "if": _if,
    "if with t": _if_t,
    "while": _while,
    "store": _store,
}


@pytest.mark.parametrize("piece", PIECES)
def test_the_method_is_the_one_aer_chooses(piece: str) -> None:
    qc = QuantumCircuit(3, 2)
    qc.h(0)
    PIECES[piece](qc)
    qc.measure(1, 1)
    if piece != "t after the measurement":
        qc.measure(0, 0)
    run = LEVEL_0.run(qc)
    found = aer(run)
    assert automatic_method(analyse(qc)) == automatic_method(analyse(run)) == found["method"]
    assert analyse(run).active_qubits == found["num_qubits"]


def test_idle_and_unmeasured_qubits_take_no_memory() -> None:
    qc = QuantumCircuit(30, 1)
    qc.h(range(30))
    qc.t(29)
    qc.measure(29, 0)
    assert analyse(qc).active_qubits == aer(qc)["num_qubits"] == 1
    assert analyse(qc).memory["statevector"] == 32


def test_control_flow_is_counted_into_its_blocks() -> None:
    q, c, d = QuantumRegister(3), ClassicalRegister(2, "c"), ClassicalRegister(1, "d")
    qc = QuantumCircuit(q, c, d)
    qc.h(0)
    qc.measure(0, 0)
    with qc.if_test((c, 1)) as otherwise:
        qc.cx(1, 2)
    with otherwise, qc.for_loop(range(3)):
        qc.cz(1, 2)
    qc.barrier()
    qc.measure(2, d[0])
    analysis = analyse(qc)
    assert analysis.gates == {"h": 1, "measure": 2, "if_else": 1, "cx": 1, "for_loop": 1, "cz": 1, "barrier": 1}
    assert (analysis.two_qubit_gates, analysis.measurements) == (2, 2)
    assert analysis.has_control_flow and analysis.mid_circuit_measurement
    assert analysis.registers == [("c", 2), ("d", 1)]
    assert (analysis.depth, analysis.size) == (qc.depth(), qc.size())


def test_a_final_measurement_is_not_mid_circuit() -> None:
    assert not analyse(ghz(3)).mid_circuit_measurement


def test_unbound_parameters_are_named() -> None:
    qc = QuantumCircuit(1)
    qc.rx(Parameter("b"), 0)
    qc.rz(Parameter("a") * 2, 0)
    assert analyse(qc).parameters == ["a", "b"]
    assert not analyse(qc).clifford


def test_nested_definitions_are_counted_not_unrolled() -> None:
    gates = ["gate g0 a { t a; h a; }"] + [f"gate g{i} a {{ g{i - 1} a; g{i - 1} a; }}" for i in range(1, 60)]
    source = f'OPENQASM 2.0; include "qelib1.inc"; {" ".join(gates)} qreg q[1]; creg c[1]; g59 q[0]; measure q -> c;'
    qc = formats.read(source.encode(), "qasm2")
    started = time.perf_counter()
    assert analyse(qc).expanded_size == 2**60 + 1
    assert time.perf_counter() - started < 1


def test_bonds_bound_the_matrix_product_state() -> None:
    wide, narrow = QuantumCircuit(8), QuantumCircuit(8)
    for _ in range(10):
        for i in range(7):
            wide.cx(i, i + 1)
    narrow.cx(0, 1)
    assert analyse(narrow).memory["matrix_product_state"] < analyse(wide).memory["matrix_product_state"]
    full = sum(32 * 2 ** min(k, 8 - k) * 2 ** min(k + 1, 7 - k) + 8 * 2 ** min(k + 1, 7 - k) for k in range(8))
    assert analyse(wide).memory["matrix_product_state"] == full


def test_it_is_plain_json_and_needs_no_qiskit() -> None:
    data = analyse(ghz(3)).as_data()
    assert json.loads(json.dumps(data))["gates"] == {"h": 1, "cx": 2, "measure": 3, "barrier": 1}
    code = "import sys, qtasks.circuits.sandbox.client, qtasks.circuits.analysis; sys.exit('qiskit' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_empty_circuit_is_analysed() -> None:
    assert analyse(QuantumCircuit()).depth == 0
    assert analyse(QuantumCircuit(2)).active_qubits == 0


GATES = st.lists(
    st.tuples(
        st.sampled_from(["h", "t", "rx", "cx", "ccx", "swap", "measure", "reset", "barrier", "if", "for", "own"]),
        st.permutations(range(4)),
    ),
    max_size=25,
)


def _random(steps: list[tuple[str, list[int]]]) -> QuantumCircuit:
    own = QuantumCircuit(2, name="own")
    own.h(0)
    own.cx(0, 1)
    qc = QuantumCircuit(4, 4)
    for name, (a, b, c, _) in steps:
        if name == "rx":
            qc.rx(0.1, a)
        elif name in ("cx", "swap"):
            getattr(qc, name)(a, b)
        elif name == "ccx":
            qc.ccx(a, b, c)
        elif name == "measure":
            qc.measure(a, b)
        elif name == "barrier":
            qc.barrier(a, b)
        elif name == "if":
            with qc.if_test((b, 1)):
                qc.x(a)
                qc.cz(a, c)
        elif name == "for":
            with qc.for_loop(range(3)):
                qc.cx(a, b)
        elif name == "own":
            qc.append(own.to_gate(), [a, b])
        else:
            getattr(qc, name)(a)
    return qc


@hypothesis_settings(max_examples=60, deadline=None)
@given(GATES)
def test_its_numbers_are_qiskits_own(steps: list[tuple[str, list[int]]]) -> None:
    qc = _random(steps)
    analysis = analyse(qc)
    names = [name for name, _ in steps]
    blocks = {"x": names.count("if"), "cz": names.count("if"), "cx": names.count("for")}
    counted = {name: qc.count_ops().get(name, 0) + blocks.get(name, 0) for name in {*qc.count_ops(), *blocks}}
    assert analysis.gates == {name: count for name, count in counted.items() if count}
    assert (analysis.qubits, analysis.clbits) == (qc.num_qubits, qc.num_clbits)
    assert (analysis.depth, analysis.size) == (qc.depth(), qc.size())
    two = ("cx", "swap", "own", "cz")
    assert analysis.two_qubit_gates == sum(analysis.gates.get(name, 0) for name in two)
    assert analysis.measurements == names.count("measure")
    assert analysis.control_flow == [name for name in ("for_loop", "if_else") if qc.count_ops().get(name)]
    assert analysis.has_control_flow == bool(analysis.control_flow)
    assert analysis.dynamic == ("if" in names)
    assert analysis.resets == ("reset" in names)
    unrolled = sum({"own": 2, "for": 1 + 3, "if": 1 + 2, "barrier": 0}.get(name, 1) for name in names)
    assert analysis.expanded_size == unrolled
