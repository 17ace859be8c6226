"""PUBs as the payload of one job: each distinct circuit once, values as rows of numbers. Pure."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qtasks.circuits.pubs.container import MAX_SHOTS
from qtasks.client.submission import read_circuit
from qtasks.errors import InvalidInput

if TYPE_CHECKING:
    from qiskit import QuantumCircuit
    from qiskit.primitives.containers.bindings_array import BindingsArray
    from qiskit.primitives.containers.estimator_pub import EstimatorPub
    from qiskit.primitives.containers.sampler_pub import SamplerPub

_PAULIS = frozenset("IXYZ")


@dataclass(frozen=True, slots=True)
class Payload:
    """What a job of these PUBs runs: `circuit` is `{format, code}` as in `spec.circuit`, `shots` the most of a PUB,
    `circuits` `{name, metadata}` of each PUB's circuit, metadata as far as JSON holds it."""

    circuit: Mapping[str, Any]
    shots: int
    circuits: Sequence[Mapping[str, Any]]


@dataclass(slots=True)
class _Circuits:
    """Circuits by their bytes; one that comes again, as the object or as its bytes, has the same number."""

    written: list[str] = field(default_factory=list)
    _by_object: dict[int, int] = field(default_factory=dict)
    _by_bytes: dict[bytes, int] = field(default_factory=dict)

    def number(self, circuit: QuantumCircuit) -> int:
        known = self._by_object.get(id(circuit))
        if known is None:
            _, data = read_circuit(circuit)
            known = self._by_bytes.setdefault(data, len(self.written))
            if known == len(self.written):
                self.written.append(base64.b64encode(data).decode())
            self._by_object[id(circuit)] = known
        return known

    def documents(self) -> list[dict[str, str]]:
        return [{"format": "qpy", "code": code} for code in self.written]


def sampler_payload(pubs: Sequence[SamplerPub]) -> Payload:
    """The payload of coerced PUBs, each with its shots. One circuit without parameters is a job as `Client.submit`
    makes it. Raises InvalidInput (`InvalidParameter`)."""
    shots = max(pub.shots for pub in pubs)
    said = [_said(pub.circuit) for pub in pubs]
    circuits = _Circuits()
    entries = [
        {"circuit": circuits.number(pub.circuit), **_rows(pub.circuit, pub.parameter_values), "shots": pub.shots}
        for pub in pubs
    ]
    if len(pubs) == 1 and not pubs[0].shape and not pubs[0].circuit.num_parameters:
        return Payload(circuits.documents()[0], shots, said)
    return Payload(_written(circuits, entries), shots, said)


def estimator_payload(pubs: Sequence[EstimatorPub]) -> Payload:
    """The payload of coerced PUBs, each with its precision. Raises InvalidInput (`InvalidPrecision`, `NotHermitian`,
    `InvalidParameter`)."""
    said = [_said(pub.circuit) for pub in pubs]
    circuits = _Circuits()
    entries = []
    for number, pub in enumerate(pubs):
        if not pub.precision > 0 or shots_of(pub.precision) > MAX_SHOTS:
            raise InvalidInput(
                f"PUB {number} asks for a precision of {pub.precision:g}; the most shots, {MAX_SHOTS:,}, "
                f"give {MAX_SHOTS**-0.5:.6f}.",
                reason="InvalidPrecision",
                hint="Give a larger standard error, such as 0.01.",
            )
        entries.append(
            {
                "circuit": circuits.number(pub.circuit),
                "observables": _observables(number, pub),
                **_rows(pub.circuit, pub.parameter_values),
                "precision": float(pub.precision),
            }
        )
    shots = max(shots_of(pub.precision) for pub in pubs)
    return Payload(_written(circuits, entries), shots, said)


def shots_of(precision: float) -> int:
    """Shots per measured basis for a standard error, as Qiskit's BackendEstimatorV2 counts them."""
    return math.ceil(1.0 / precision**2)


def _written(circuits: _Circuits, pubs: list[dict[str, Any]]) -> dict[str, Any]:
    container = {"circuits": circuits.documents(), "pubs": pubs}
    return {"format": "pubs", "code": json.dumps(container, separators=(",", ":"), allow_nan=False)}


def _rows(circuit: QuantumCircuit, values: BindingsArray) -> dict[str, Any]:
    """`parameters, values, shape`: the values of an array of shape `shape`, a row for each element in C order, and in
    each row a value for each of the parameters."""
    import numpy as np

    names = [parameter.name for parameter in circuit.parameters]
    rows = values.as_array(circuit.parameters).reshape(-1, len(names)) if names else np.empty((values.size, 0))
    if not np.isfinite(rows).all():
        raise InvalidInput(
            "A parameter's value is infinite or not a number.", reason="InvalidParameter", hint="Correct the values."
        )
    return {"parameters": names, "values": rows.tolist(), "shape": list(values.shape)}


def _observables(number: int, pub: EstimatorPub) -> dict[str, Any]:
    array = pub.observables
    terms = []
    for observable in array.ravel().tolist() if array.shape else [array[()]]:
        if any(abs(complex(weight).imag) > 1e-12 for weight in observable.values()):
            raise InvalidInput(
                f"An observable of PUB {number} has a complex weight.",
                reason="NotHermitian",
                hint="Give real weights: an expectation value is real.",
            )
        weights = {pauli: complex(weight).real for pauli, weight in _paulis(observable).items()}
        terms.append(weights or {"I" * pub.circuit.num_qubits: 0.0})
    return {"terms": terms, "shape": list(array.shape)}


def _paulis(observable: Mapping[str, Any]) -> Mapping[str, Any]:
    """Qiskit also writes projectors (`0`, `1`, `+`, `-`, `r`, `l`), each of which is a sum of Paulis."""
    if all(_PAULIS.issuperset(term) for term in observable):
        return observable
    from qiskit.quantum_info import SparseObservable, SparsePauliOp

    sparse = SparsePauliOp.from_sparse_observable(SparseObservable.from_list(list(observable.items()))).simplify()
    return {pauli: weight.real for pauli, weight in sparse.to_list()}


def _said(circuit: QuantumCircuit) -> dict[str, Any]:
    metadata = _plain(circuit.metadata)
    return {"name": circuit.name, "metadata": metadata} if metadata else {"name": circuit.name}


def _plain(metadata: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """A circuit's metadata as JSON keeps it; what JSON cannot hold is left out, entry by entry."""
    kept = {}
    for key, value in (metadata or {}).items():
        try:
            kept[str(key)] = json.loads(json.dumps(value, default=_number, allow_nan=False))
        except (TypeError, ValueError):
            continue
    return kept


def _number(value: Any) -> Any:
    """NumPy's numbers and arrays as Python's."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError
