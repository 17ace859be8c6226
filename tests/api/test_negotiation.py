"""Accept headers, and which representation they ask for."""

from __future__ import annotations

import pytest

from qtasks.api.negotiation import choose, media_type
from qtasks.errors import InvalidInput

OFFERS = ["application/json", "text/csv", "application/x-qpy"]


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, "application/json"),
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/*", "text/csv"),
        ("text/csv, application/json;q=0.5", "text/csv"),
        ("application/json;q=0.1, */*;q=0.9", "text/csv"),
        ("application/*;q=0.5, application/json;q=0", "application/x-qpy"),
        ("TEXT/CSV ; q=1.0", "text/csv"),
        ("image/png, application/x-qpy;q=0.2", "application/x-qpy"),
    ],
)
def test_what_is_liked_best_is_given(accept: str | None, chosen: str) -> None:
    assert choose(accept, OFFERS) == chosen


@pytest.mark.parametrize("accept", ["image/png", "application/json;q=0", "text/csv;q=x", "nonsense"])
def test_nothing_is_given_that_is_not_accepted(accept: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        choose(accept, OFFERS)
    assert refused.value.reason == "NotAcceptable"
    assert "text/csv" in refused.value.hint


def test_a_content_type_is_told_without_its_parameters() -> None:
    assert media_type("Text/Plain; charset=utf-8") == "text/plain"
    assert media_type(None) == ""
