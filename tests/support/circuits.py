"""Circuits that tests and benchmarks run."""

from __future__ import annotations

import random

from qiskit import QuantumCircuit
from qiskit.circuit.classical import expr, types

BELL_QASM = """OPENQASM 2.0;
include "qelib1.inc";
qreg q[2];
creg c[2];
h q[0];
cx q[0],q[1];
measure q -> c;
"""

BELL_SOURCE = """from qiskit import QuantumCircuit
qc = QuantumCircuit(2, 2)
qc.h(0)
qc.cx(0, 1)
qc.measure([0, 1], [0, 1])
"""


def bell() -> QuantumCircuit:
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    return circuit


def small_qasm(seed: int) -> str:
    """A two-qubit circuit in OpenQASM 2 with angles of its own."""
    angle = random.Random(seed).random() * 6
    return BELL_QASM.replace("cx ", f"rz({angle:.12f}) q[0];\nry({angle / 3:.12f}) q[0];\ncx ")


def heavy(qubits: int, layers: int) -> QuantumCircuit:
    """A circuit that keeps Aer busy: some 0.1 s a layer at 20 qubits on one thread."""
    circuit = QuantumCircuit(qubits)
    for layer in range(layers):
        for qubit in range(qubits):
            circuit.rx(0.1 + layer + qubit, qubit)
        for qubit in range(qubits - 1):
            circuit.cx(qubit, qubit + 1)
    circuit.measure_all()
    return circuit


def crashing() -> QuantumCircuit:
    """A valid circuit on which Aer 0.18 aborts its process ("invalid cbit index"): it compares a runtime variable.

    It does so on several threads only, so the circuit is made long enough to get them.
    """
    circuit = QuantumCircuit(2, 2)
    for step in range(200):
        circuit.rx(0.1 * step, 0)
    number = circuit.add_var("number", expr.lift(5, types.Uint(8)))
    circuit.h(0)
    circuit.measure(0, 0)
    with circuit.if_test(expr.less(number, 6)):
        circuit.x(1)
    circuit.measure(1, 1)
    return circuit


def middling(seed: int) -> QuantumCircuit:
    """A circuit that is small enough for a batch, and takes some ten milliseconds."""
    generator = random.Random(seed)
    circuit = QuantumCircuit(11)
    for _ in range(60):
        for qubit in range(11):
            circuit.rx(generator.random(), qubit)
        for qubit in range(10):
            circuit.cx(qubit, qubit + 1)
    circuit.measure_all()
    return circuit
