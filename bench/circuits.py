"""The circuits: OpenQASM 2 text with random angles, so that no two are the same and nothing can be cached whole."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi
from random import Random
from typing import Any

SHOTS = 1024
_HEAD = 'OPENQASM 2.0;\ninclude "qelib1.inc";\n'


def small(count: int, seed: int) -> Sequence[str]:
    """Circuits of 2 to 4 qubits: three layers of random rotations with a chain of CX between them."""
    random = Random(seed)
    return [_layers(random, random.randint(2, 4)) for _ in range(count)]


def _layers(random: Random, qubits: int) -> str:
    lines = [f"qreg q[{qubits}];", f"creg c[{qubits}];"]
    for _ in range(3):
        for qubit in range(qubits):
            lines += [f"ry({_angle(random)}) q[{qubit}];", f"rz({_angle(random)}) q[{qubit}];"]
        lines += [f"cx q[{qubit}],q[{qubit + 1}];" for qubit in range(qubits - 1)]
    return _HEAD + "\n".join(lines) + "\nmeasure q -> c;\n"


def pairs(count: int, seed: int) -> Sequence[str]:
    """Two-qubit circuits: a Bell pair whose angles are random."""
    random = Random(seed)
    return [
        f"{_HEAD}qreg q[2];\ncreg c[2];\nry({_angle(random)}) q[0];\ncx q[0],q[1];\n"
        f"rz({_angle(random)}) q[1];\nmeasure q -> c;\n"
        for _ in range(count)
    ]


def _angle(random: Random) -> float:
    return round(random.uniform(0, 2 * pi), 9)


def fourier(qubits: int) -> Any:
    """The quantum Fourier transform in elementary gates, measured."""
    from qiskit import QuantumCircuit
    from qiskit.synthesis.qft import synth_qft_full

    circuit = QuantumCircuit(qubits, qubits, name="qft")
    circuit.compose(synth_qft_full(qubits).decompose(), inplace=True)
    circuit.measure(range(qubits), range(qubits))
    return circuit
