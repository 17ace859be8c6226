"""What a user sees of a result: json, csv, a histogram."""

from __future__ import annotations

import csv
import io
import json
import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from qiskit import QuantumCircuit, qpy
from qiskit.primitives import PrimitiveResult

from qtasks.circuits.formats import dump
from qtasks.errors import InvalidInput
from qtasks.results import EstimatorPubResult, SamplerPubResult, decode, encode
from qtasks.results.formats import MEDIA_TYPES, render
from qtasks.results.histogram import histogram

from .examples import BELL, PROVENANCE, with_pubs

TWO = SamplerPubResult([("a", 1), ("b", 1)], 2, 3, {"0x2": 2, "0x1": 1})


def test_json_has_counts_metrics_and_provenance() -> None:
    document = json.loads(render(BELL, "json"))
    assert list(document) == ["job_id", "counts", "shots", "metrics", "provenance"]
    assert document["job_id"] == "job-1"
    assert document["counts"] == {"00": 510, "11": 514}
    assert document["shots"] == 1024
    assert document["metrics"]["two_qubit_gates"] == 1
    assert document["metrics"]["total_seconds"] == 0.02
    assert document["provenance"] == PROVENANCE.to_dict()
    assert render(BELL, "json").startswith(b'{\n  "job_id": "job-1",\n')


def test_csv_is_sorted_by_outcome() -> None:
    assert render(BELL, "csv") == b"outcome,count\n00,510\n11,514\n"
    assert render(with_pubs(TWO), "csv") == b"outcome,count\n0 1,1\n1 0,2\n"


def test_several_pubs_are_told_apart() -> None:
    result = with_pubs(TWO, BELL.sampler_pub())
    assert [pub["shots"] for pub in json.loads(render(result, "json"))["pubs"]] == [3, 1024]
    rows = list(csv.DictReader(render(result, "csv").decode().splitlines()))
    assert [(row["pub"], row["outcome"]) for row in rows] == [("0", "0 1"), ("0", "1 0"), ("1", "00"), ("1", "11")]


def test_an_estimators_values_are_written_with_their_places() -> None:
    result = with_pubs(EstimatorPubResult([0.5, math.nan], [0.1, 0.1]), program="estimator")
    document = json.loads(render(result, "json"))
    assert (document["evs"], document["stds"]) == ([0.5, None], [0.1, 0.1])
    assert render(result, "csv") == b"index,ev,std\n0,0.5,0.1\n1,,0.1\n"
    grid = with_pubs(
        EstimatorPubResult(-1.0, 0.0), EstimatorPubResult([[0.5], [1e-9]], [[0.1], [0.2]]), program="estimator"
    )
    assert render(grid, "csv").decode().splitlines() == [
        "pub,index,ev,std",
        "0,,-1.0,0.0",
        "1,0 0,0.5,0.1",
        "1,1 0,1e-09,0.2",
    ]


def test_the_points_of_a_shape_are_told_apart() -> None:
    shaped = SamplerPubResult([("c", 1)], 1, 3, {}, shape=(2, 1), points=({"0x1": 3}, {"0x0": 1, "0x1": 2}))
    document = json.loads(render(with_pubs(shaped), "json"))
    assert (document["shape"], document["shots"]) == ([2, 1], 3)
    assert document["points"] == [{"index": [0, 0], "counts": {"1": 3}}, {"index": [1, 0], "counts": {"0": 1, "1": 2}}]
    assert render(with_pubs(shaped), "csv") == b"index,outcome,count\n0 0,1,3\n1 0,0,1\n1 0,1,2\n"
    assert render(with_pubs(shaped, TWO), "csv").splitlines()[-1] == b"1,,1 0,2"
    assert pickle.loads(render(with_pubs(shaped), "pickle"))["result"][0].data.c.shape == (2, 1)


@pytest.mark.parametrize("name", ["xml", "parquet", ""])
def test_a_format_that_there_is_not_is_refused_with_what_to_use(name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        render(BELL, name)
    assert caught.value.reason == "FormatUnsupported"
    assert "json, csv, qpy, pickle" in str(caught.value)


def test_qpy_is_the_circuit_with_its_counts() -> None:
    circuit = QuantumCircuit(2, name="bell", metadata={"of": "mine"})
    circuit.measure_all()
    [found] = qpy.load(io.BytesIO(render(BELL, "qpy", dump(circuit))))
    assert found == circuit
    assert found.name == "bell"
    about = found.metadata["qtasks"]
    assert (about["job_id"], about["pub"], about["shots"]) == ("job-1", 0, 1024)
    assert about["counts"] == BELL.get_counts()
    assert about["provenance"] == json.loads(render(BELL, "json"))["provenance"]


def test_pubs_that_share_a_circuit_have_one_each_in_qpy() -> None:
    circuit = QuantumCircuit(2)
    circuit.measure_all()
    result = with_pubs(TWO, BELL.sampler_pub())
    found = qpy.load(io.BytesIO(render(result, "qpy", dump(circuit))))
    assert [one.metadata["qtasks"]["counts"] for one in found] == [TWO.get_counts(), BELL.get_counts()]


def test_without_its_circuit_a_result_is_no_qpy() -> None:
    with pytest.raises(InvalidInput) as caught:
        render(BELL, "qpy")
    assert caught.value.reason == "CircuitNotKept"


def test_a_pickle_is_qiskits_own_result_with_counts_and_provenance() -> None:
    found = pickle.loads(render(BELL, "pickle"))
    assert list(found) == ["job_id", "result", "counts", "shots", "provenance"]
    assert isinstance(found["result"], PrimitiveResult)
    assert found["result"][0].data.meas.get_counts() == found["counts"] == BELL.get_counts()
    assert found["provenance"]["backend"] == "local_simulator"
    estimated = with_pubs(EstimatorPubResult([0.5], [0.1]), program="estimator")
    assert list(pickle.loads(render(estimated, "pickle"))["result"][0].data.evs) == [0.5]


@pytest.mark.parametrize("name", MEDIA_TYPES)
def test_equal_results_have_equal_bytes_before_they_were_stored_and_after(name: str) -> None:
    circuit = QuantumCircuit(2)
    circuit.measure_all()
    assert render(BELL, name, dump(circuit)) == render(decode(encode(BELL)), name, dump(circuit))


def test_a_histogram_shows_bar_count_and_percent() -> None:
    assert histogram({"11": 514, "00": 510, "01": 1}, width=40).splitlines() == [
        f"00  {'█' * 23}▉  510  49.8%",
        f"01  ▏{' ' * 23}    1   0.1%",
        f"11  {'█' * 24}  514  50.1%",
    ]


def test_a_long_outcome_is_cut_in_its_middle() -> None:
    lines = histogram({"0" * 100: 1, "1" * 100: 3}, width=40).splitlines()
    assert [line.split()[0] for line in lines] == ["000000000…0000000000", "111111111…1111111111"]
    assert all(len(line) == 40 for line in lines)


def test_many_outcomes_are_sorted_by_count_and_the_rest_is_told() -> None:
    lines = histogram({format(number, "05b"): number + 1 for number in range(32)}, rows=4).splitlines()
    assert [line.split()[0] for line in lines] == ["11111", "11110", "11101", "11100", "…"]
    assert lines[-1] == "… 28 more"


def test_no_counts_are_said_in_words() -> None:
    assert "no counts" in histogram({})


@given(
    st.dictionaries(st.text("01 ", min_size=1, max_size=120), st.integers(0, 10**6), max_size=40),
    st.integers(20, 200),
    st.integers(1, 20),
)
def test_a_histogram_keeps_to_its_width_and_rows(counts: dict[str, int], width: int, rows: int) -> None:
    lines = histogram(counts, width, rows).splitlines()
    assert len(lines) <= rows + 1
    assert all(len(line) <= max(width, 40) for line in lines)
