"""What a run of the primitives hands over: each circuit once, values as rows, observables as sums of Paulis."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.sampler_pub import SamplerPub
from qiskit.quantum_info import SparsePauliOp

from qtasks.circuits.formats import load_canonical
from qtasks.circuits.pubs.container import parse
from qtasks.errors import InvalidInput
from qtasks.primitives.container import Payload, estimator_payload, sampler_payload


def rotation(*, measured: bool = True) -> QuantumCircuit:
    circuit = QuantumCircuit(2, name="rotation")
    theta = ParameterVector("theta", 2)
    circuit.rx(theta[1], 0)
    circuit.ry(theta[0], 1)
    if measured:
        circuit.measure_all()
    return circuit


def sampler(*pubs: Any, shots: int = 100) -> Payload:
    return sampler_payload([SamplerPub.coerce(pub, shots) for pub in pubs])


def estimator(*pubs: Any, precision: float = 0.1) -> Payload:
    return estimator_payload([EstimatorPub.coerce(pub, precision) for pub in pubs])


def written(payload: Payload) -> dict[str, Any]:
    assert payload.circuit["format"] == "pubs"
    found: dict[str, Any] = json.loads(payload.circuit["code"])
    return found


def test_values_are_rows_in_the_order_of_the_parameters() -> None:
    values = np.arange(12.0).reshape(2, 3, 2)
    (pub,) = written(sampler((rotation(), values)))["pubs"]
    assert pub["parameters"] == ["theta[0]", "theta[1]"]
    assert pub["shape"] == [2, 3]
    assert pub["values"] == np.arange(12.0).reshape(6, 2).tolist()


def test_parameters_bound_by_name_land_in_their_own_columns() -> None:
    circuit = QuantumCircuit(1)
    zeta, alpha = Parameter("zeta"), Parameter("alpha")
    circuit.rx(zeta, 0)
    circuit.ry(alpha, 0)
    circuit.measure_all()
    (pub,) = written(sampler((circuit, {zeta: [1.0, 2.0], alpha: [3.0, 4.0]})))["pubs"]
    columns = dict(zip(pub["parameters"], zip(*pub["values"], strict=True), strict=True))
    assert columns == {"zeta": (1.0, 2.0), "alpha": (3.0, 4.0)}


def test_a_circuit_that_comes_again_is_written_once() -> None:
    circuit = rotation()
    container = written(sampler((circuit, [0, 1]), (circuit.copy(), [2, 3], 7), (rotation(measured=True), [4, 5])))
    assert [pub["circuit"] for pub in container["pubs"]][:2] == [0, 0]
    assert [pub["shots"] for pub in container["pubs"]] == [100, 7, 100]


def test_circuits_are_written_as_they_are() -> None:
    circuit = rotation()
    (given,) = written(sampler((circuit, [0, 1])))["circuits"]
    again = load_canonical(base64.b64decode(given["code"]))
    assert again == circuit
    assert again.name == "rotation"


def test_one_circuit_without_parameters_is_a_job_as_the_client_submits_it() -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    payload = sampler(circuit, shots=50)
    assert payload.circuit["format"] == "qpy"
    assert payload.shots == 50


def test_observables_keep_their_shape_and_their_weights() -> None:
    hamiltonian = SparsePauliOp(["ZZ", "XI"], [1.0, -0.5])
    container = written(estimator((rotation(measured=False), [[hamiltonian], ["IY"]], [[0.1, 0.2], [0.3, 0.4]])))
    (pub,) = container["pubs"]
    assert pub["observables"] == {"terms": [{"ZZ": 1.0, "XI": -0.5}, {"IY": 1.0}], "shape": [2, 1]}
    assert pub["shape"] == [2]
    assert pub["precision"] == 0.1


def test_a_projector_is_the_sum_of_paulis_that_it_is() -> None:
    (pub,) = written(estimator((QuantumCircuit(1), "+")))["pubs"]
    assert pub["observables"]["terms"] == [{"I": 0.5, "X": 0.5}]


def test_what_is_written_is_what_the_queue_reads() -> None:
    given = sampler((rotation(), [[0, 1], [2, 3]]), (rotation(), [4, 5], 9))
    read = parse(str(given.circuit["code"]).encode(), program="sampler", shots=given.shots)
    assert [(pub.shape, pub.shots) for pub in read.pubs] == [((2,), 100), ((), 9)]
    given = estimator((rotation(measured=False), "ZZ", [[0, 1], [2, 3]]), (QuantumCircuit(2), ["XX", "YY"], None, 0.05))
    read = parse(str(given.circuit["code"]).encode(), program="estimator", shots=given.shots)
    assert [(pub.shape, pub.shots) for pub in read.pubs] == [((2,), 100), ((), 400)]


def test_the_jobs_shots_are_the_most_of_a_pub() -> None:
    assert sampler((rotation(), [0, 1], 30), (rotation(), [0, 1], 70)).shots == 70
    assert estimator((QuantumCircuit(1), "Z", None, 0.02), (QuantumCircuit(1), "Z", None, 0.1)).shots == 2500


@pytest.mark.parametrize("precision", [0.0, 0.001])
def test_a_precision_that_no_count_of_shots_has_is_refused(precision: float) -> None:
    with pytest.raises(InvalidInput) as refused:
        estimator((QuantumCircuit(1), "Z"), precision=precision)
    assert refused.value.reason == "InvalidPrecision"


def test_a_value_that_is_no_number_is_refused() -> None:
    with pytest.raises(InvalidInput) as refused:
        sampler((rotation(), [0.0, float("nan")]))
    assert refused.value.reason == "InvalidParameter"


def test_metadata_goes_along_as_far_as_json_holds_it() -> None:
    circuit = QuantumCircuit(1, 1, name="delay-3", metadata={"xval": np.float64(2e-5), "tags": ["a"], "odd": object()})
    circuit.measure(0, 0)
    assert sampler(circuit).circuits == [{"name": "delay-3", "metadata": {"xval": 2e-5, "tags": ["a"]}}]
