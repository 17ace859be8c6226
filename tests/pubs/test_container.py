"""The payload of a job of several circuits: what is read of it, and every mistake named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from qtasks.circuits.formats import detect
from qtasks.circuits.pubs import Extent, extent, parse
from qtasks.errors import InvalidInput
from qtasks.resources import QiskitJob
from qtasks.resources import parse as parse_resource

CIRCUIT = {"format": "qasm2", "code": "OPENQASM 2.0;"}
SAMPLED = {"circuit": 0, "parameters": ["a"], "values": [[0.5], [1]], "shape": [2], "shots": 10}
ESTIMATED = {
    "circuit": 0,
    "observables": {"terms": [{"ZZ": 1, "XX": 0.5}, {"IZ": -2.0}], "shape": [2]},
    "parameters": ["a"],
    "values": [[0.0], [1.0], [2.0]],
    "shape": [3, 1],
    "precision": 0.1,
}


def written(program: str = "sampler", *, circuits: Any = (CIRCUIT,), pubs: Any = None, **changes: Any) -> bytes:
    base = SAMPLED if program == "sampler" else ESTIMATED
    entry = {key: value for key, value in {**base, **changes}.items() if value is not ...}
    return json.dumps({"circuits": list(circuits), "pubs": [entry] if pubs is None else pubs}).encode()


def test_a_sampler_s_pub_has_a_row_for_each_point() -> None:
    (pub,) = parse(written(), program="sampler", shots=1024).pubs
    assert (pub.values, pub.shape, pub.shots, pub.parameters) == (((0.5,), (1.0,)), (2,), 10, ("a",))


def test_a_pub_without_shots_has_those_of_the_job() -> None:
    assert parse(written(shots=...), program="sampler", shots=77).pubs[0].shots == 77


def test_a_precision_is_worth_as_many_shots_as_in_qiskit() -> None:
    (pub,) = parse(written("estimator"), program="estimator", shots=1024).pubs
    assert (pub.precision, pub.shots) == (0.1, 100)
    assert parse(written("estimator", precision=...), program="estimator", shots=1000).pubs[0].shots == 1000


def test_every_run_counts_with_its_shots() -> None:
    assert extent(parse(written(), program="sampler", shots=1)) == Extent(2, 20, 10)
    # Three points, and ZZ with IZ, then XX: two bases each.
    assert extent(parse(written("estimator"), program="estimator", shots=1)) == Extent(6, 600, 100)


def test_a_payload_is_no_circuit_that_anybody_detects() -> None:
    assert detect(written()) == "python"


def refused(data: bytes, program: str = "sampler") -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        extent(parse(data, program=program, shots=1024))
    assert len(str(caught.value)) < 400
    return caught.value


HUGE = "1" + "0" * 5000


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "an object; it is a list"),
        (b"{}", "lacks circuits"),
        (b'{"circuits": [], "pubs": []}', "circuits has 0 elements"),
        (written(pubs=[]), "pubs has 0 elements"),
        (written(circuits=[CIRCUIT] * 201), "circuits has 201 elements"),
        (written(circuits=[CIRCUIT, CIRCUIT]), "circuits[1] belongs to no PUB"),
        (written(circuits=[{"format": "qpy", "code": "%%%"}]), "not base64"),
        (written(circuits=[{"format": "qpy", "code": "é"}]), "not base64"),
        (written(circuits=[{**CIRCUIT, "name": "x"}]), "'name'"),
        (written(circuit=1), "pubs[0].circuit is 1"),
        (written(circuit=-1), "pubs[0].circuit is -1"),
        (written(circuit=True), "must be an integer"),
        (written(circuit=0.0), "must be an integer"),
        (written().replace(b'"circuit": 0', f'"circuit": {HUGE[:4000]}'.encode()), "more than 60 digits"),
        (written().replace(b'"circuit": 0', f'"circuit": {HUGE}'.encode()), "not JSON"),
        (written(parameters=["a", "a"], values=[[1, 2]] * 2), "twice"),
        (written(parameters=[1]), "must be a text"),
        (written(values=[[1.0]]), "1 rows; shape [2] has 2 elements"),
        (written(values=[[1.0], [1.0, 2.0]]), "2 numbers for 1 parameters"),
        (written(values=[[1.0], 2.0]), "must be a list"),
        (written(shape=[0]), "it must be 1 to"),
        (written(shape=[1] * 17), "17 elements"),
        (written(shape="2"), "must be a list"),
        (written(shots=0), "it must be 1 to 100,000"),
        (written(shots=None), "must be an integer; it is null"),
        (written(observables={}), "'observables'"),
        (written().replace(b'"shots"', b'"shape": [2], "shots"'), "twice"),
    ],
)
def test_a_mistake_is_said_with_its_place(data: bytes, says: str) -> None:
    error = refused(data)
    assert error.reason == "InvalidPubs"
    assert says in error.message
    assert error.hint


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", '"1"', "null", "true", HUGE[:4000]])
def test_values_are_finite_numbers(number: str) -> None:
    error = refused(written(values=[[123.5], [1]]).replace(b"123.5", number.encode()))
    assert error.reason == "InvalidParameter"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"precision": 0}, "InvalidPrecision"),
        ({"precision": -1.0}, "InvalidPrecision"),
        ({"precision": 1e-300}, "InvalidPrecision"),
        ({"precision": 0.003}, "InvalidPrecision"),
        ({"precision": "0.1"}, "InvalidParameter"),
        ({"observables": ...}, "InvalidPubs"),
        ({"observables": {"terms": [{"ZZ": 1}], "shape": [2]}}, "InvalidPubs"),
        ({"observables": {"terms": [{}, {"Z": 1}], "shape": [2]}}, "InvalidObservable"),
        ({"observables": {"terms": [{"ZA": 1}], "shape": []}}, "InvalidObservable"),
        ({"observables": {"terms": [{"": 1}], "shape": []}}, "InvalidObservable"),
        ({"observables": {"terms": [{"Z": 1, "ZZ": 1}], "shape": []}}, "InvalidObservable"),
        ({"observables": {"terms": [{"Z": "1"}], "shape": []}}, "InvalidParameter"),
        ({"observables": {"terms": [{"Z": 1}] * 6, "shape": [3, 2]}, "shape": [3]}, "ShapesDiffer"),
        ({"shots": 10}, "InvalidPubs"),
    ],
)
def test_mistakes_of_an_estimator_have_reasons(changes: dict[str, Any], reason: str) -> None:
    assert refused(written("estimator", **changes), "estimator").reason == reason


def test_huge_shapes_are_refused_before_anything_is_made_of_them() -> None:
    assert refused(written(shape=[100_000] * 16)).reason == "TooManyRuns"
    assert refused(written(shape=[100, 101], values=[])).reason == "TooManyRuns"
    rows = [[0.0]] * 5001
    assert refused(written(pubs=[{**SAMPLED, "values": rows, "shape": [5001]}] * 2)).reason == "TooManyRuns"
    points = {"values": rows, "shape": [5001, 1]}
    assert refused(written("estimator", **points), "estimator").reason == "TooManyRuns"
    many = {"terms": [{"Z": 1}] * 100, "shape": [100]}
    assert refused(written("estimator", **points, observables=many), "estimator").reason == "TooManyTerms"


def test_python_source_is_no_part_of_a_payload() -> None:
    assert refused(written(circuits=[{"format": "python", "code": "pass"}])).reason == "UnsupportedFormat"


def resource(**spec: Any) -> QiskitJob:
    circuit = {"source": "inline", "format": "pubs", "code": "{}"}
    document = {"apiVersion": "quantum.io/v1", "kind": "QiskitJob", "spec": {"circuit": circuit, **spec}}
    found = parse_resource(document)
    assert isinstance(found, QiskitJob)
    return found


def test_values_of_parameters_stand_in_the_pubs_alone() -> None:
    assert resource().spec.circuit.format == "pubs"
    with pytest.raises(InvalidInput, match="each PUB has its values"):
        resource(execution={"parameters": {"a": 1}})
    with pytest.raises(InvalidInput, match="belongs to source inline"):
        resource(circuit={"source": "url", "url": "https://a.example/b", "format": "pubs"})
