"""Results with a shape: their points, what is stored of them, and what Qiskit's classes make of them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from qtasks.errors import InvalidInput, QTasksError
from qtasks.results import EstimatorPubResult, JobResult, SamplerPubResult, decode, encode
from tests.unit.results.examples import BELL, with_pubs

POINTS = ({"0x0": 3}, {"0x1": 1, "0x2": 2}, {"0x7": 3}, {"0x4": 3}, {"0x5": 3}, {"0x6": 3})
SHAPED = SamplerPubResult([("c", 2), ("d", 1)], 3, 3, {}, shape=(2, 3), points=POINTS)


def test_a_point_has_counts_under_qiskit_s_keys() -> None:
    assert SHAPED.get_counts((0, 1)) == {"0 01": 1, "0 10": 2}
    assert SHAPED.get_counts([1, -1]) == {"1 10": 3}
    assert dict(SHAPED.each())[1, 0] == {"1 00": 3}
    assert with_pubs(SHAPED).get_probabilities(point=(0, 1)) == {"0 01": 1 / 3, "0 10": 2 / 3}


def test_a_pub_without_a_shape_has_one_point() -> None:
    assert list(BELL.sampler_pub().each()) == [((), BELL.get_counts())]
    assert BELL.get_counts(point=()) == BELL.get_counts()
    assert BELL.summary() == BELL.get_counts()
    assert with_pubs(SHAPED).summary() is None


@pytest.mark.parametrize("point", [(2, 0), (0,), 0, (0, 0, 0), (0, -4), ()])
def test_a_point_that_is_not_there_is_said(point: int | tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput) as caught:
        SHAPED.get_counts(point)
    assert caught.value.reason == "NoSuchPoint"


def test_counts_of_no_point_in_particular_are_refused_with_what_to_do() -> None:
    with pytest.raises(InvalidInput) as caught:
        with_pubs(SHAPED).get_counts()
    assert caught.value.reason == "SeveralPoints"
    assert "point=(0, 0)" in caught.value.hint


def test_shaped_results_are_stored_exactly_and_not_mistaken_by_older_readers() -> None:
    result = with_pubs(SHAPED, BELL.pubs[0])
    assert decode(encode(result)) == result
    assert json.loads(encode(result))["schema"] == 2
    assert json.loads(encode(BELL))["schema"] == 1
    assert "shape" not in json.loads(encode(BELL))["pubs"][0]


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [2, 2]},
        {"shape": [6, 0]},
        {"shape": []},
        {"points": []},
        {"points": [{"0x0": 2}] * 6},
        {"points": [{"0x8": 3}] * 6},
        {"points": None},
    ],
)
def test_points_that_do_not_fill_their_shape_are_corrupt(change: dict[str, object]) -> None:
    document = json.loads(encode(with_pubs(SHAPED)))
    document["pubs"][0] |= change
    with pytest.raises(QTasksError) as caught:
        decode(json.dumps(document).encode())
    assert caught.value.reason == "ResultCorrupt"


def test_bit_arrays_have_the_shape_and_correlated_registers() -> None:
    (entry,) = with_pubs(SHAPED).to_primitive_result()
    assert (entry.data.c.shape, entry.data.d.shape) == ((2, 3), (2, 3))
    assert entry.data.c.get_counts((0, 1)) == {"01": 1, "10": 2}
    assert entry.data.d.get_counts((1, 2)) == {"1": 3}
    assert entry.join_data().get_counts((1, 1)) == {"101": 3}


def test_expectation_values_keep_their_shape() -> None:
    pub = EstimatorPubResult([[0.5, -1.0]], [[0.1, 0.0]], {"shots": 100})
    result: JobResult = replace(with_pubs(pub, program="estimator"))
    assert decode(encode(result)) == result
    assert result.to_primitive_result()[0].data.evs.shape == (1, 2)
    assert result.summary() is None
