"""Payloads of jobs of several circuits, as anybody may write them, and what exact simulation says of them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qtasks.circuits.formats import dump

Document = dict[str, Any]


def qpy(circuit: QuantumCircuit) -> Document:
    return {"format": "qpy", "code": base64.b64encode(dump(circuit)).decode()}


def turned(qubits: int = 2, *, measured: bool = True) -> QuantumCircuit:
    """A circuit with two parameters, `a` and `b`, whose outcomes depend on both."""
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(qubits)
    circuit.ry(a, 0)
    for qubit in range(1, qubits):
        circuit.cx(qubit - 1, qubit)
        circuit.rx(b, qubit)
    if measured:
        circuit.measure_all()
    return circuit


def fixed(bits: str) -> QuantumCircuit:
    """A circuit that always gives these bits, in register `c`."""
    circuit = QuantumCircuit(len(bits), len(bits))
    for qubit, bit in enumerate(reversed(bits)):
        if bit == "1":
            circuit.x(qubit)
    circuit.measure(range(len(bits)), range(len(bits)))
    return circuit


def pub(circuit: int = 0, values: Any = ((),), names: Sequence[str] = (), **more: Any) -> Document:
    """A PUB; `values` is an array whose last dimension is the parameters'."""
    array = np.asarray(values, dtype=float)
    if len(names) == 0:
        array = np.empty((*array.shape[:-1], 0))
    rows = array.reshape(-1, len(names)).tolist() if len(names) else [[] for _ in range(max(1, array.size))]
    shape = list(array.shape[:-1]) if len(names) else []
    return {"circuit": circuit, "parameters": list(names), "values": rows, "shape": shape, **more}


def observables(*terms: Mapping[str, float], shape: Sequence[int] = ()) -> Document:
    return {"terms": [dict(term) for term in terms], "shape": list(shape)}


def payload(circuits: Sequence[Document], pubs: Sequence[Document]) -> str:
    return json.dumps({"circuits": list(circuits), "pubs": list(pubs)})


def job(program: str, code: str, *, name: str | None = None, backend: Any = None, **execution: Any) -> Document:
    """A QiskitJob of a payload."""
    spec: Document = {
        "program": program,
        "circuit": {"source": "inline", "format": "pubs", "code": code},
        "execution": execution,
    }
    if backend is not None:
        spec["backend"] = backend
    metadata = {} if name is None else {"name": name}
    return {"apiVersion": "quantum.io/v1", "kind": "QiskitJob", "metadata": metadata, "spec": spec}


def exact(circuit: QuantumCircuit, values: Mapping[str, float], terms: Mapping[str, float]) -> float:
    """The expectation value by the statevector."""
    from qiskit.quantum_info import SparsePauliOp, Statevector

    bound = circuit.assign_parameters(dict(values)) if values else circuit
    state = Statevector.from_instruction(bound)
    return float(state.expectation_value(SparsePauliOp.from_list(list(terms.items()))).real)
