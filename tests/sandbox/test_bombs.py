"""Circuits that are small to write and huge to read, in Python and OpenQASM; and OpenQASM that is none."""

from __future__ import annotations

import io

import pytest

from qtasks.circuits.sandbox import Limits, Source
from tests.sandbox.asking import reasons
from tests.sandbox.users import Attacked

LIMITS = Limits(wall_seconds=1, memory_bytes=256 << 20)
NEVER_READY = {"TooLarge", "SandboxMemory", "ValidationTimeout", "SandboxCrashed"}
UNREADABLE = {"InvalidCircuit", "TooLarge", "SandboxMemory", "SandboxCrashed"}
IMPORTS = "from qiskit import QuantumCircuit\nfrom qiskit.circuit import *\nqc = QuantumCircuit(1, 1)\n"
NESTED = """
gate = None
for n in range(30):
    inner = QuantumCircuit(1)
    if gate is None:
        inner.h(0)
    else:
        inner.append(gate, [0], copy=False)
        inner.append(gate, [0], copy=False)
    gate = Gate(f'g{n}', 1, [])
    gate.definition = inner
qc.append(gate, [0])
qc.measure(0, 0)
"""
ITSELF = """
gate = Gate('gate', 1, [])
inner = QuantumCircuit(1)
inner.append(gate, [0], copy=False)
gate.definition = inner
qc.append(gate, [0], copy=False)
qc.measure(0, 0)
"""
BLOCKS = """
for _ in range(200):
    outer = QuantumCircuit(1, 1)
    outer.if_test((outer.clbits[0], 1), qc, [0], [0])
    qc = outer
qc.measure(0, 0)
"""
GROWING = """
class Growing(Gate):
    def _define(self):
        self.definition = QuantumCircuit(1)
        self.definition.append(Growing(self.name + 'x', 1, []), [0])
qc.append(Growing('g', 1, []), [0])
qc.measure(0, 0)
"""
EVOLUTION = """
from qiskit.circuit.library import PauliEvolutionGate
from qiskit.quantum_info import SparsePauliOp
from qiskit.synthesis import LieTrotter
gate = PauliEvolutionGate(SparsePauliOp(['XX', 'ZI']), time=1, synthesis=LieTrotter(reps=10**8))
qc = QuantumCircuit(2)
qc.append(gate, [0, 1])
qc.measure_all()
"""
PYTHON = {
    "gates one by one": "for _ in range(10**9): qc.h(0)",
    "repeated": "qc.h(0)\nqc = qc.repeat(10**9)",
    "power": "qc.h(0)\nqc = qc.power(10**9)",
    "composed with itself": "qc.h(0)\nfor _ in range(40): qc = qc.compose(qc)\nqc.measure(0, 0)",
    "definitions that double thirty times": NESTED,
    "a gate that is made of itself": ITSELF,
    "a gate that grows": GROWING,
    "blocks in blocks": BLOCKS,
    "a million million steps": EVOLUTION,
    "a register": "qc = QuantumCircuit(QuantumRegister(10**9))",
    "classical bits": "qc.add_register(ClassicalRegister(10**9))",
    "parameters": "names = [Parameter(str(n)) for n in range(10**9)]",
}
GATE = "gate g0 a { t a; h a; }\n"
DOUBLING = GATE + "".join(f"gate g{n} a {{ g{n - 1} a; g{n - 1} a; }}\n" for n in range(1, 60))
TWO = 'OPENQASM 2.0;\ninclude "qelib1.inc";\n'
THREE = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
QASM = {
    "doubling in 2": f"{TWO}{DOUBLING}qreg q[1]; creg c[1]; g59 q[0]; measure q -> c;",
    "doubling in 3": f"{THREE}{DOUBLING}qubit[1] q; bit[1] c; g20 q[0]; c = measure q;",
    "a register in 2": f"{TWO}qreg q[1000000000];",
    "a register in 3": f"{THREE}qubit[1000000000] q;",
    "a huge number in 2": f"{TWO}qreg q[{'9' * 5000}];",
    "gates on a wide register": f"{TWO}qreg q[100000]; creg c[1];\n{'h q;' * 1000}\nmeasure q[0] -> c[0];",
}
SYNTAX = {
    "passwd in 2": 'OPENQASM 2.0;\ninclude "/etc/passwd";\n',
    "passwd in 3": 'OPENQASM 3.0;\ninclude "/etc/passwd";\n',
    "a relative path": 'OPENQASM 2.0;\ninclude "../../../../etc/passwd";\n',
    "a device in 2": 'OPENQASM 2.0;\ninclude "/dev/zero";\n',
    "a device in 3": 'OPENQASM 3.0;\ninclude "/dev/zero";\n',
    "a package's file": f'OPENQASM 2.0;\ninclude "{io.__file__}";\n',
    "parentheses in 2": f"{TWO}qreg q[1];\nrx({'(' * 1_000_000}1{')' * 1_000_000}) q[0];",
    "parentheses in 3": f"{THREE}qubit q;\nrx({'(' * 2_000}1{')' * 2_000}) q;",
    "signs in 2": f"{TWO}qreg q[1];\nrx({'-' * 100_000}1) q[0];",
    "braces in 3": f"{THREE}qubit q;\n{'if (true) {' * 1_000}{'}' * 1_000}",
    "a gate made of itself in 2": f"{TWO}gate g a {{ g a; }}\nqreg q[1]; g q[0];",
    "a gate made of itself in 3": f"{THREE}gate g a {{ g a; }}\nqubit q; g q;",
    "division by zero": f"{TWO}qreg q[1]; creg c[1]; rx(1/0) q[0]; measure q -> c;",
    "no number": f"{TWO}qreg q[1]; creg c[1]; rx(ln(-1)) q[0]; measure q -> c;",
    "an opaque gate": f"{TWO}opaque secret a; qreg q[1]; secret q[0];",
    "another language": 'OPENQASM 3.0;\ndefcalgrammar "openpulse";\ncal { while (true) {} }\n',
    "an external function": "OPENQASM 3.0;\nextern system(int) -> int;\nint a = system(1);\n",
    "a pragma": "OPENQASM 3.0;\npragma import os\nqubit q;\nreset r;\n",
    "letters that look alike": f"{TWO}qreg ԛ[1]; h q[0];",
    "text that runs backwards": f"{TWO}qreg q[1]; // \u202e ;[0]q h\nbang q[0];",
    "nothing at all": f"{TWO}" + "\0" * 1000,
    "a comment without end": "/*" + "*" * 100_000,
    "spaces": "OPENQASM" + " " * 100_000 + "2",
}


@pytest.mark.system
def test_a_circuit_that_explodes_is_never_ready(attacked: Attacked) -> None:
    found = attacked.reasons({name: IMPORTS + source for name, source in PYTHON.items()}, LIMITS)
    assert {name: reason for name, reason in found.items() if reason not in NEVER_READY} == {}


def test_doubling_gates_are_counted_and_not_unrolled(attacked: Attacked) -> None:
    assert attacked.reason(QASM["doubling in 2"], LIMITS, format="qasm2") == "TooLarge"


@pytest.mark.system
def test_openqasm_that_explodes_is_never_ready(attacked: Attacked) -> None:
    found = attacked.reasons(QASM, LIMITS)
    assert {name: reason for name, reason in found.items() if reason not in NEVER_READY | UNREADABLE} == {}


@pytest.mark.system
def test_malformed_openqasm_is_refused_and_reads_no_file(attacked: Attacked) -> None:
    expected = UNREADABLE | {"InvalidSyntax", "NothingMeasured", "ValidationTimeout"}
    for name, source in SYNTAX.items():
        (answer,) = attacked.sandbox.check([Source(name, None, source.encode())], LIMITS)
        assert reasons([answer])[0] in expected, (name, answer)
        assert "root:" not in repr(answer), name


def test_a_password_file_cannot_be_included(attacked: Attacked) -> None:
    assert attacked.reason(SYNTAX["passwd in 2"], LIMITS, format="qasm2") == "InvalidCircuit"


@pytest.mark.system
def test_what_a_loop_repeats_is_counted_as_often(attacked: Attacked) -> None:
    assert attacked.reason(f"{IMPORTS}with qc.for_loop(range(10**9)): qc.h(0)\nqc.measure(0, 0)", LIMITS) == "TooLarge"


@pytest.mark.system
def test_what_a_power_repeats_is_counted_as_often(attacked: Attacked) -> None:
    power = "qc.append(AnnotatedOperation(library.HGate(), [PowerModifier(10**9)]), [0])"
    source = f"{IMPORTS}from qiskit.circuit import library\n{power}\nqc.measure(0, 0)"
    assert attacked.reason(source, LIMITS) == "TooLarge"
