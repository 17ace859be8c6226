"""The four scores and their mean, by the formulas of docs/scheduling.md."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtasks.resources.backend import PRESETS, Preset, Weights
from qtasks.scheduling.scoring import (
    availability_score,
    capability_score,
    cost_score,
    queue_time_score,
    typical_price,
    weighted,
)

DOLLARS = st.decimals(min_value=0, max_value=10**6, places=6)
SCORE = st.floats(0, 1)


def test_what_is_free_costs_nothing_and_the_typical_price_is_half() -> None:
    typical = typical_price([Decimal(0), Decimal(1), Decimal(3), Decimal(9), None])
    assert typical == 3
    assert cost_score(Decimal(0), typical) == 1
    assert cost_score(Decimal(3), typical) == 0.5
    assert cost_score(Decimal(6), typical) == pytest.approx(1 / 3)


def test_an_unknown_price_is_the_worst_price() -> None:
    assert cost_score(None, Decimal(3)) == 0
    assert typical_price([None, Decimal(0)]) is None
    assert cost_score(Decimal(0), None) == 1


@given(prices=st.lists(DOLLARS, min_size=2))
def test_what_is_cheaper_scores_no_less_and_every_score_is_a_share(prices: list[Decimal]) -> None:
    typical = typical_price(prices)
    scores = [cost_score(price, typical) for price in sorted(prices)]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


@pytest.mark.parametrize(("wait", "score"), [(0, 1), (600, 1 / 2), (3600, 1 / 7), (None, 1 / 2)])
def test_ten_minutes_of_waiting_are_half(wait: float | None, score: float) -> None:
    assert queue_time_score(wait) == pytest.approx(score)


def test_capability_is_the_share_of_the_best_fidelity_however_small_that_is() -> None:
    assert capability_score(0.9, 0.9) == 1
    assert capability_score(1e-9, 1e-7) == pytest.approx(0.01)
    assert capability_score(None, 0.9) == 0.5
    assert capability_score(0.0, 0.0) == 0


@pytest.mark.parametrize(
    ("available", "age", "score"),
    [(True, 0, 1), (False, 0, 0), (True, 3600, 0.75), (False, 3600, 0.25), (True, None, 0.5), (False, 1e7, 0.5)],
)
def test_a_figure_of_availability_fades_with_its_age(available: bool, age: float | None, score: float) -> None:
    assert availability_score(available, age) == pytest.approx(score)


@given(cost=SCORE, queue=SCORE, capability=SCORE, availability=SCORE, factor=st.floats(1e-3, 1e3))
def test_only_the_ratios_of_weights_matter(
    cost: float, queue: float, capability: float, availability: float, factor: float
) -> None:
    scores = {"cost": cost, "queue_time": queue, "capability": capability, "availability": availability}
    weights = PRESETS[Preset.PERFORMANCE_OPTIMIZED]
    more = Weights(**{name: value * factor for name, value in weights})
    total = weighted(weights, **scores).total
    assert total == pytest.approx(weighted(more, **scores).total)
    assert min(scores.values()) - 1e-9 <= total <= max(scores.values()) + 1e-9


def test_a_weight_of_one_alone_makes_its_score_the_total() -> None:
    scores = {"cost": 0.1, "queue_time": 0.2, "capability": 0.3, "availability": 0.4}
    for name, score in scores.items():
        assert weighted(Weights(**{name: 2}), **scores).total == pytest.approx(score)
