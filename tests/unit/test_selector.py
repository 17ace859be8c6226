"""Label selectors, as kubectl writes them."""

from __future__ import annotations

import pytest

from qtasks.client.selector import parse_selector
from qtasks.errors import InvalidInput
from qtasks.store.jobs import Requirement

WRITTEN = {
    "app=qtasks": [Requirement("app", ("qtasks",))],
    "app==qtasks": [Requirement("app", ("qtasks",))],
    "app = qtasks": [Requirement("app", ("qtasks",))],
    "app=": [Requirement("app", ("",))],
    "team!=ops": [Requirement("team", ("ops",), negated=True)],
    "algorithm in (vqe, qaoa)": [Requirement("algorithm", ("vqe", "qaoa"))],
    "algorithm in(vqe)": [Requirement("algorithm", ("vqe",))],
    "algorithm notin (vqe,qaoa)": [Requirement("algorithm", ("vqe", "qaoa"), negated=True)],
    "gpu": [Requirement("gpu", None)],
    "!gpu": [Requirement("gpu", None, negated=True)],
    "in": [Requirement("in", None)],
    "in in (a)": [Requirement("in", ("a",))],
    "app.kubernetes.io/name=qtasks": [Requirement("app.kubernetes.io/name", ("qtasks",))],
    "app=qtasks,team!=ops , algorithm in (vqe, qaoa),gpu,!old": [
        Requirement("app", ("qtasks",)),
        Requirement("team", ("ops",), negated=True),
        Requirement("algorithm", ("vqe", "qaoa")),
        Requirement("gpu", None),
        Requirement("old", None, negated=True),
    ],
}


@pytest.mark.parametrize("selector", WRITTEN)
def test_a_selector_is_a_list_of_requirements(selector: str) -> None:
    assert list(parse_selector(selector)) == WRITTEN[selector]


@pytest.mark.parametrize("nothing", [None, "", {}])
def test_no_selector_requires_nothing(nothing: object) -> None:
    assert parse_selector(nothing) == ()  # type: ignore[arg-type]


def test_a_mapping_requires_each_of_its_values() -> None:
    assert parse_selector({"app": "a", "team": "b"}) == (Requirement("app", ("a",)), Requirement("team", ("b",)))


@pytest.mark.parametrize(
    ("selector", "place"),
    [
        ("=a", "=a"),
        ("app=a,=b", "=b"),
        ("app=a team=b", "app=a team=b"),
        ("app in vqe", "app in vqe"),
        ("app in (a", "app in (a"),
        ("!app=a", "!app=a"),
        ("app=a,!team in (b)", "!team in (b)"),
        ("app>3", "app>3"),
        ("-app=a", "-app=a"),
        ("app=ä", "app=ä"),
    ],
)
def test_a_selector_that_makes_no_sense_is_refused_with_the_place(selector: str, place: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_selector(selector)
    assert caught.value.reason == "InvalidSelector"
    assert f'makes no sense from "{place}"' in caught.value.message
    assert "key in (a, b)" in caught.value.hint
