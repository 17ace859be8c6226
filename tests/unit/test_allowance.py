"""What is left of an account's quantum time: a window that rolls, and the provider's own word."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtasks.scheduling.allowance import Standing, Told, standing

NOW = datetime(2026, 11, 20, 9, 41, tzinfo=UTC)
DAYS = 28
WINDOW = timedelta(days=DAYS)

Uses = list[tuple[datetime, float]]

# Whole seconds and minutes: sums are exact, and times coincide now and then, as they do in life.
seconds = st.integers(0, 700).map(float)
moments = st.integers(0, 40 * 24 * 60).map(lambda minutes: NOW - timedelta(minutes=minutes))
some_uses = st.lists(st.tuples(moments, st.integers(1, 400).map(float)), max_size=12).map(sorted)


def stands(
    uses: Uses,
    *,
    reserved: float = 0.0,
    limit: float | None = 600.0,
    told: Told | None = None,
    now: datetime = NOW,
) -> Standing:
    return standing(uses, reserved, limit_seconds=limit, days=DAYS, told=told, now=now)


def ago(*, days: float, used: float) -> tuple[datetime, float]:
    return NOW - timedelta(days=days), used


@given(uses=some_uses, limit=seconds, reserved=seconds)
def test_what_is_left_is_the_limit_less_what_was_used_in_the_window_and_never_negative(
    uses: Uses, limit: float, reserved: float
) -> None:
    found = stands(uses, limit=limit, reserved=reserved)
    used = sum(seconds for at, seconds in uses if NOW - at < WINDOW)
    assert (found.limit_seconds, found.used_seconds, found.reserved_seconds) == (limit, used, reserved)
    assert found.remaining_seconds == max(0.0, limit - used - reserved)
    assert found.exhausted == (found.remaining_seconds == 0)


@given(uses=some_uses, one_more=st.tuples(moments, seconds), remaining=seconds, spoke=moments)
def test_using_more_never_leaves_more(
    uses: Uses, one_more: tuple[datetime, float], remaining: float, spoke: datetime
) -> None:
    told = Told(spoke, remaining, NOW + timedelta(days=3))
    less, more = (stands(sorted(given), told=told).remaining_seconds for given in ([*uses, one_more], uses))
    assert less is not None and more is not None
    assert 0 <= less <= more


@given(uses=some_uses, limit=st.integers(1, 700).map(float))
def test_an_exhausted_account_has_something_again_at_the_time_that_is_said_and_not_before(
    uses: Uses, limit: float
) -> None:
    found = stands(uses, limit=limit)
    # Something can free only when a use leaves the window.
    leaving = sorted({at + WINDOW for at, _ in uses if at + WINDOW > NOW})
    free = (moment for moment in leaving if not stands(uses, limit=limit, now=moment).exhausted)
    assert found.frees_at == (next(free) if found.exhausted else None)
    if found.frees_at is not None:
        assert stands(uses, limit=limit, now=found.frees_at - timedelta(microseconds=1)).exhausted


@given(uses=some_uses, limit=seconds)
def test_time_alone_never_takes_anything_away(uses: Uses, limit: float) -> None:
    later = [stands(uses, limit=limit, now=NOW + timedelta(days=days)).remaining_seconds for days in range(0, 31, 3)]
    assert all(earlier is not None and after is not None and earlier <= after for earlier, after in pairwise(later))
    assert later[-1] == limit


def test_ten_minutes_in_twenty_eight_days() -> None:
    uses = [ago(days=27, used=200), ago(days=20, used=300), ago(days=1, used=100)]
    found = stands(uses)
    assert found.exhausted and found.frees_at == NOW + timedelta(days=1)
    assert stands(uses, now=NOW + timedelta(days=1)).remaining_seconds == 200
    assert stands([*uses, ago(days=0, used=250)]).frees_at == NOW + timedelta(days=8)


def test_jobs_on_their_way_take_their_share_of_what_is_left() -> None:
    found = stands([ago(days=3, used=400)], reserved=150)
    assert (found.remaining_seconds, found.exhausted, found.frees_at) == (50, False, None)
    # When they have run, something may be left of it: nobody knows, and certainly not in weeks.
    waits = stands([ago(days=3, used=400)], reserved=200)
    assert waits.exhausted and waits.frees_at is None


def test_an_account_without_a_limit_is_never_exhausted() -> None:
    found = stands([ago(days=1, used=1e6)], reserved=1e6, limit=None)
    assert (found.limit_seconds, found.remaining_seconds, found.frees_at) == (None, None, None)
    assert not found.exhausted
    assert found.used_seconds == 1e6


def test_a_limit_of_nothing_is_used_up_and_nobody_knows_until_when() -> None:
    assert stands([], limit=0.0).exhausted
    assert stands([], limit=0.0).frees_at is None


@pytest.mark.parametrize(
    ("remaining", "used_since", "left"),
    [(500.0, 0.0, 500.0), (500.0, 120.0, 380.0), (900.0, 0.0, 600.0), (10.0, 60.0, 0.0)],
)
def test_the_provider_s_word_counts_where_it_says_less_and_what_was_used_since_is_taken_off(
    remaining: float, used_since: float, left: float
) -> None:
    uses = [ago(days=0.001, used=used_since)] if used_since else []
    told = Told(NOW - timedelta(hours=1), remaining, NOW + timedelta(days=9))
    found = stands(uses, told=told)
    assert found.remaining_seconds == left
    assert found.frees_at == (told.until if left == 0 else None)


def test_an_account_that_is_exhausted_by_both_figures_frees_when_it_does_by_both() -> None:
    uses = [ago(days=20, used=700)]
    for days, frees in ((3, 8), (13, 13)):
        told = Told(NOW - timedelta(hours=1), 0.0, NOW + timedelta(days=days))
        assert stands(uses, told=told).frees_at == NOW + timedelta(days=frees)
    assert stands(uses, told=Told(NOW - timedelta(hours=1), 0.0, None)).frees_at is None


def test_the_provider_s_word_limits_an_account_without_an_allowance_of_its_own() -> None:
    told = Told(NOW, 42.0, None)
    assert stands([], limit=None, told=told).remaining_seconds == 42
    nothing = stands([], limit=None, told=Told(NOW, 0.0, None))
    assert nothing.exhausted and nothing.frees_at is None


def test_the_provider_s_word_on_a_period_that_is_over_counts_no_more() -> None:
    told = Told(NOW - timedelta(days=2), 0.0, NOW)
    assert stands([ago(days=1, used=100)], told=told).remaining_seconds == 500
    assert stands([], limit=None, told=told).remaining_seconds is None
