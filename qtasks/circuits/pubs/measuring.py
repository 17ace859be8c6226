"""A circuit with the measurement of one basis at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtasks.circuits.pubs.observables import measured_qubits

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

REGISTER = "paulis"


def measured(circuit: QuantumCircuit, basis: str) -> QuantumCircuit:
    """The circuit, which has no clbits, followed by rotations into `basis` (a label, qubit 0 last) and a measurement of
    the qubits that it has letters for, in ascending order. It is not changed itself.

    This is done before compiling: whatever layout the compiler chooses, a clbit stays what it is.
    """
    from qiskit import ClassicalRegister

    qubits = measured_qubits(basis)
    whole = circuit.copy()
    whole.add_register(ClassicalRegister(len(qubits), REGISTER))
    for clbit, qubit in enumerate(qubits):
        letter = basis[-1 - qubit]
        if letter == "Y":
            whole.sdg(qubit)
        if letter != "Z":
            whole.h(qubit)
        whole.measure(qubit, clbit)
    return whole
