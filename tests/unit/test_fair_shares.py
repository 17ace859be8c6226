"""A thousand waiting jobs of ten namespaces: each gets its share by weight, from the moment it has work."""

from __future__ import annotations

from collections import Counter
from xml.etree import ElementTree

from bench.fair_shares import JOBS, LATE, LATE_AT, WEIGHTS, served, stretches, svg


def test_everybody_is_served_and_nobody_is_more_than_a_turn_away_from_its_share() -> None:
    order = served()
    assert Counter(order) == dict.fromkeys(WEIGHTS, JOBS)
    cut = stretches(order)
    assert cut[0].end == LATE_AT
    assert LATE not in cut[0].had
    assert all(stretch.most_off <= 1.0 + 1e-9 for stretch in cut)


def test_in_every_forty_turns_each_has_had_what_its_weight_says() -> None:
    order = served()
    total = sum(weight for name, weight in WEIGHTS.items() if name != LATE)
    for start in range(LATE_AT - 40):
        had = Counter(order[start : start + 40])
        for name, weight in WEIGHTS.items():
            if name != LATE:
                assert abs(had[name] - 40 * weight / total) <= 2


def test_one_that_comes_late_gets_its_share_and_nothing_for_having_been_away() -> None:
    after = Counter(served()[LATE_AT : LATE_AT + 64])
    assert abs(after[LATE] - 64 / sum(WEIGHTS.values())) <= 1


def test_the_drawing_has_a_line_for_each_namespace() -> None:
    drawing = ElementTree.fromstring(svg(served()))
    lines = [one for one in drawing if one.tag.endswith("polyline")]
    assert len(lines) == len(WEIGHTS)
    assert {one.get("points", "").split()[-1].split(",")[1] for one in lines} == {"34.0"}
