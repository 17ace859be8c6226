"""What is kept for the next time."""

from __future__ import annotations

import pytest

from qtasks.backends.recent import Recent


def test_a_value_is_made_once_while_it_is_used() -> None:
    made: list[str] = []
    recent: Recent[str] = Recent(2)
    for key in ("a", "b", "a", "c", "a", "b"):
        assert recent.get(key, lambda key=key: made.append(key) or key.upper()) == key.upper()  # type: ignore[misc]
    assert made == ["a", "b", "c", "b"], "b was used longest ago when c came"


def test_what_could_not_be_made_is_tried_again() -> None:
    recent: Recent[int] = Recent(2)
    with pytest.raises(ZeroDivisionError):
        recent.get("a", lambda: 1 // 0)
    assert recent.get("a", lambda: 1) == 1
