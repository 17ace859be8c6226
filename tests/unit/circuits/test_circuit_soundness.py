"""What no backend may be given, and that Aer shows why."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ClassicalRegister, Gate, Instruction, Parameter, QuantumRegister
from qiskit.circuit.classical import types
from qiskit.circuit.library import HGate, UnitaryGate, get_standard_gate_name_mapping
from qiskit.quantum_info import Kraus, SuperOp
from qiskit_aer import AerSimulator

from qtasks.backends.pass_managers import preset_pass_manager
from qtasks.circuits import formats
from qtasks.circuits.errors import CircuitError
from qtasks.circuits.soundness import check_instructions, check_names

BAD_NAMES = {"nul": "a\0b", "long": "x" * 1001}


def reason(check: Callable[[QuantumCircuit], None], circuit: QuantumCircuit) -> str:
    try:
        check(circuit)
    except CircuitError as error:
        assert error.message.isprintable() and error.message.isascii()
        return error.reason
    return "ok"


def with_gate(operation: Any) -> QuantumCircuit:
    circuit = QuantumCircuit(max(1, operation.num_qubits), operation.num_clbits)
    circuit.append(operation, range(operation.num_qubits), range(operation.num_clbits))
    return circuit


def own_gate(name: str, build: Callable[[QuantumCircuit], Any], qubits: int = 1) -> Instruction:
    inner = QuantumCircuit(qubits, name=name)
    build(inner)
    return inner.to_instruction()


NAMED: dict[str, Callable[[str], QuantumCircuit]] = {
    "circuit": lambda name: QuantumCircuit(1, name=name),
    "qubits": lambda name: QuantumCircuit(QuantumRegister(1, name)),
    "clbits": lambda name: QuantumCircuit(ClassicalRegister(1, name)),
    "parameter": lambda name: (circuit := QuantumCircuit(1), circuit.rx(Parameter(name), 0))[0],
    "variable": lambda name: (circuit := QuantumCircuit(1), circuit.add_input(name, types.Bool()))[0],
}


@pytest.mark.parametrize("where", NAMED)
@pytest.mark.parametrize("name", BAD_NAMES.values(), ids=BAD_NAMES)
def test_a_name_that_cannot_be_kept_is_refused(where: str, name: str) -> None:
    assert reason(check_names, NAMED[where](name)) == "InvalidName"


@pytest.mark.parametrize("name", BAD_NAMES.values(), ids=BAD_NAMES)
def test_a_gates_name_counts_too_also_inside_of_another(name: str) -> None:
    inner = own_gate(name, lambda circuit: circuit.h(0))
    outer = own_gate("outer", lambda circuit: circuit.append(inner, [0]))
    for operation in (inner, outer, Gate(name, 1, [])):
        assert reason(check_instructions, with_gate(operation)) == "InvalidName"


def test_half_a_surrogate_pair_is_no_name() -> None:
    """The circuit's is the only one that Qiskit itself lets pass."""
    assert reason(check_names, QuantumCircuit(1, name="a\ud800")) == "InvalidName"


@pytest.mark.parametrize("name", ["q", "θ", "量子 bit-1", "é" * 1000, "a\nb"])
def test_other_names_are_taken(name: str) -> None:
    for named in NAMED.values():
        assert reason(check_names, named(name)) == "ok"


def _nan_in_a_block() -> QuantumCircuit:
    circuit = QuantumCircuit(1, 1)
    with circuit.if_test((0, 1)):
        circuit.rx(math.nan, 0)
    return circuit


@pytest.mark.parametrize(
    "circuit",
    [
        with_gate(get_standard_gate_name_mapping()["rx"].base_class(math.nan)),
        with_gate(get_standard_gate_name_mapping()["cu"].base_class(0.1, 0.2, -math.inf, 0.3)),
        QuantumCircuit(1, global_phase=math.nan),
        with_gate(own_gate("g", lambda circuit: circuit.rz(math.inf, 0))),
        with_gate(Instruction("thing", 1, 0, [np.array([1.0, np.nan])])),
        _nan_in_a_block(),
    ],
)
def test_an_angle_must_be_a_finite_number(circuit: QuantumCircuit) -> None:
    assert reason(check_instructions, circuit) == "InvalidParameter"


def test_an_unbound_angle_is_no_matter() -> None:
    circuit = QuantumCircuit(1)
    circuit.rx(Parameter("t"), 0)
    assert reason(check_instructions, circuit) == "ok"


def counts(circuit: QuantumCircuit) -> dict[str, int]:
    simulator = AerSimulator()
    run = preset_pass_manager(1, backend=simulator).run(circuit)
    found: dict[str, int] = simulator.run(run, shots=10, seed_simulator=1).result().get_counts()
    return found


def test_aer_runs_a_users_gate_by_its_name_alone() -> None:
    """Why such a name is refused. When this fails, Aer has learnt to look, and the refusal may go."""
    circuit = QuantumCircuit(1, 1)
    circuit.append(own_gate("z", lambda inner: inner.x(0)), [0])
    circuit.measure(0, 0)
    assert counts(circuit) == {"0": 10}
    assert reason(check_instructions, circuit) == "ReservedName"


@pytest.mark.parametrize("name", ["z", "cx_o0", "measure", "kraus", "save_state", "mcphase", "unitary", "initialize"])
def test_a_users_gate_may_not_take_a_known_name(name: str) -> None:
    plain = own_gate(name, lambda circuit: circuit.h(0))
    for operation in (plain, own_gate("outer", lambda circuit: circuit.append(plain, [0]))):
        circuit = with_gate(operation)
        assert reason(check_instructions, circuit) == "ReservedName"
        assert reason(check_instructions, formats.load_canonical(formats.dump(circuit))) == "ReservedName"


@pytest.mark.parametrize(
    "operation",
    [
        Gate("cx", 1, []),
        Gate("diagonal", 3, [1, 1]),
        Instruction("initialize", 2, 0, [1, 0, 0]),
        Instruction("set_statevector", 1, 0, [np.ones(2)]),
        Instruction("jump", 1, 0, ["x"]),
        own_gate("z", lambda circuit: circuit.x(0)).to_mutable(),
        own_gate("x", lambda circuit: circuit.h(0), 2).to_mutable(),
    ],
)  # fmt: skip
def test_an_empty_shell_of_a_known_name_is_refused_or_opaque(operation: Instruction) -> None:
    from qtasks.circuits.analysis import analyse

    circuit = with_gate(operation)
    assert reason(check_instructions, circuit) == "ReservedName" or analyse(circuit).opaque == [operation.name]


def test_a_users_gate_that_is_the_standard_one_is_taken() -> None:
    source = b"""OPENQASM 3.0; qubit[2] q; bit[2] c;
    gate h a { U(pi/2, 0, pi) a; }
    gate rz(t) a { U(0, 0, t) a; }
    gate cz a, b { ctrl @ U(0, 0, pi) a, b; }
    h q[0]; rz(0.3) q[0]; cz q[0], q[1]; c = measure q;"""
    assert reason(check_instructions, formats.read(source, "qasm3")) == "ok"
    wrong = source.replace(b"gate h a { U(pi/2, 0, pi) a; }", b"gate h a { U(pi/3, 0, pi) a; }")
    assert reason(check_instructions, formats.read(wrong, "qasm3")) == "ReservedName"


def _controlled(gate: Gate, controls: int, state: int | None) -> Gate:
    return gate.control(controls, ctrl_state=state, annotated=False)


def test_every_standard_gate_passes_also_controlled_and_through_qpy() -> None:
    checked = 0
    for name, gate in get_standard_gate_name_mapping().items():
        if not isinstance(gate, Gate):
            continue
        if gate.params:
            gate = gate.base_class(*[0.1 * (index + 1) for index in range(len(gate.params))])
        makers = [lambda gate=gate: gate, lambda gate=gate: gate.inverse()]
        if gate.num_qubits and name != "global_phase":
            makers += [lambda gate=gate, k=k, s=s: _controlled(gate, k, s) for k in (1, 2, 4) for s in (None, 0)]
        for make in makers:
            circuit = with_gate(make())
            assert reason(check_instructions, circuit) == "ok", name
            checked += 1
            try:
                again = formats.load_canonical(formats.dump(circuit))
            except TypeError:  # Qiskit 2.6 cannot read what it writes of a controlled cu
                continue
            assert reason(check_instructions, again) == "ok", name
    assert checked > 200


def test_a_channel_has_matrices_of_its_size() -> None:
    half = math.sqrt(0.5)
    damping = Kraus([np.diag([1, half]), np.array([[0, half], [0, 0]])])
    for good in (damping, damping.tensor(damping), SuperOp(damping)):
        assert reason(check_instructions, with_gate(good.to_instruction())) == "ok"
    for bad in (
        Instruction("kraus", 2, 0, [np.eye(2)]),
        Instruction("kraus", 1, 0, [np.eye(8)]),
        Instruction("kraus", 1, 0, [np.zeros((2, 2))]),
        Instruction("kraus", 1, 0, []),
        Instruction("superop", 1, 0, [np.eye(2)]),
        Instruction("superop", 1, 0, [np.eye(4), np.eye(4)]),
    ):
        assert reason(check_instructions, with_gate(bad)) == "InvalidParameter"


@pytest.mark.parametrize("matrix", [np.zeros((2, 2)), np.diag([1.0, 1.001]), np.full((4, 4), 1e200)])
def test_a_unitary_is_unitary(matrix: Any) -> None:
    gate = UnitaryGate(matrix, check_input=False)
    assert reason(check_instructions, with_gate(gate)) == "InvalidParameter"
    again = formats.load_canonical(formats.dump(with_gate(UnitaryGate(np.eye(2) * 1j))))
    assert reason(check_instructions, again) == "ok"


def test_annotated_and_controlled_gates_are_looked_into() -> None:
    wrong = QuantumCircuit(1, name="z")
    wrong.x(0)
    gate = wrong.to_gate()
    assert reason(check_instructions, with_gate(gate.control(2, annotated=True))) == "ReservedName"
    assert reason(check_instructions, with_gate(HGate().control(2, annotated=True))) == "ok"
    assert reason(check_instructions, with_gate(UnitaryGate(np.eye(2)).control(1, annotated=False))) == "ok"


def test_definitions_that_share_are_looked_at_once() -> None:
    gates = ["gate g0 a { t a; h a; }"] + [f"gate g{i} a {{ g{i - 1} a; g{i - 1} a; }}" for i in range(1, 60)]
    source = f'OPENQASM 2.0; include "qelib1.inc"; {" ".join(gates)} qreg q[1]; creg c[1]; g59 q[0]; measure q -> c;'
    assert reason(check_instructions, formats.read(source.encode(), "qasm2")) == "ok"
