"""How fast: no more is handed to a provider than it takes, and nobody is asked more often than helps."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtasks.scheduling.pace import Bucket, Waiting, jittered, next_poll_seconds, retry_seconds

SHORTEST, LONGEST = 5.0, 300.0

buckets = st.builds(Bucket, st.floats(0.01, 6000), st.integers(1, 50))
# Pauses in seconds, and how many jobs are waiting to be handed over after each.
arrivals = st.lists(st.tuples(st.floats(0, 600), st.integers(0, 100)), max_size=30)
waiting = st.builds(Waiting, st.booleans(), st.floats(0, 1e6))


def poll_seconds(*jobs: Waiting) -> float | None:
    return next_poll_seconds(jobs, shortest=SHORTEST, longest=LONGEST)


@given(bucket=buckets, arrivals=arrivals)
def test_in_no_stretch_of_time_more_is_handed_over_than_burst_and_pace_allow(
    bucket: Bucket, arrivals: list[tuple[float, int]]
) -> None:
    tokens: float | None = None
    given_at: list[tuple[float, int]] = []
    now = 0.0
    for pause, wanted in arrivals:
        now += pause
        filled = bucket.filled(tokens, pause)
        assert 0 <= filled <= bucket.burst
        handed = min(wanted, int(filled))
        tokens = filled - handed
        given_at.append((now, handed))
    for first in range(len(given_at)):
        for last in range(first, len(given_at)):
            handed = sum(number for _, number in given_at[first : last + 1])
            stretch = given_at[last][0] - given_at[first][0]
            assert handed <= bucket.burst + stretch * bucket.per_minute / 60 + 1e-6


@given(bucket=buckets, looks=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=50))
def test_what_is_always_wanted_is_handed_over_at_the_pace(bucket: Bucket, looks: list[float]) -> None:
    tokens = float(bucket.burst)
    handed = 0
    seconds = 0.0
    for part in looks:
        # Looks that come before the bucket is full, however seldom, lose nothing.
        pause = part * (bucket.burst - tokens) * 60 / bucket.per_minute
        tokens = bucket.filled(tokens, pause)
        seconds += pause
        handed += int(tokens)
        tokens -= int(tokens)
    assert handed + tokens == pytest.approx(bucket.burst + seconds * bucket.per_minute / 60)


@given(bucket=buckets, tokens=st.floats(0, 50), seconds=st.floats(-1e6, 0))
def test_a_clock_that_goes_back_takes_nothing_away(bucket: Bucket, tokens: float, seconds: float) -> None:
    assert bucket.filled(tokens, seconds) == min(tokens, bucket.burst)


@given(bucket=buckets, tokens=st.floats(0, 1))
def test_after_the_wait_there_is_a_token(bucket: Bucket, tokens: float) -> None:
    assert bucket.filled(tokens, bucket.wait_seconds(tokens)) == pytest.approx(1)
    assert bucket.wait_seconds(1.5) == 0


def test_a_new_bucket_is_full() -> None:
    assert Bucket(5, 7).filled(None, 0) == 7
    assert Bucket(5, 7).filled(None, -3) == 7


def test_an_account_without_jobs_is_not_looked_at() -> None:
    assert poll_seconds() is None


@given(jobs=st.lists(waiting, min_size=1, max_size=50))
def test_the_next_look_is_never_sooner_than_the_shortest_nor_later_than_the_longest(jobs: list[Waiting]) -> None:
    found = poll_seconds(*jobs)
    assert found is not None and SHORTEST <= found <= LONGEST


@given(jobs=st.lists(waiting, min_size=1, max_size=50), one_more=waiting)
def test_the_youngest_job_decides(jobs: list[Waiting], one_more: Waiting) -> None:
    found, with_one_more = poll_seconds(*jobs), poll_seconds(*jobs, one_more)
    alone = poll_seconds(one_more)
    assert found is not None and with_one_more is not None and alone is not None
    assert with_one_more == min(found, alone)


@pytest.mark.parametrize(
    ("job", "seconds"),
    [
        (Waiting(False, 0.0), 5.0),
        (Waiting(False, 60.0), 6.0),
        (Waiting(False, 600.0), 60.0),
        (Waiting(False, 86_400.0), 300.0),
        (Waiting(True, 10.0), 5.0),
        (Waiting(True, 60.0), 12.0),
        (Waiting(True, 86_400.0), 30.0),
    ],
)
def test_who_has_waited_for_long_is_looked_at_seldom_and_who_runs_sooner(job: Waiting, seconds: float) -> None:
    assert poll_seconds(job) == seconds


@pytest.mark.parametrize(
    ("number", "seconds"), [(1, 5.0), (200, 5.0), (1_001, 6.0), (10_000, 50.0), (10_001, 51.0), (100_000, 300.0)]
)
def test_many_jobs_cost_no_more_than_about_a_request_a_second(number: int, seconds: float) -> None:
    assert poll_seconds(*[Waiting(True, 1.0)] * number) == seconds


def test_a_provider_that_does_not_answer_is_asked_ever_more_seldom() -> None:
    waits = [retry_seconds(failures, shortest=SHORTEST, longest=LONGEST) for failures in range(1, 10)]
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300, 300]


@given(failures=st.integers(1, 10**9), shortest=st.floats(0.01, 10), longest=st.floats(10, 1e4))
def test_the_wait_for_a_provider_is_bounded(failures: int, shortest: float, longest: float) -> None:
    found = retry_seconds(failures, shortest=shortest, longest=longest)
    assert shortest <= found <= longest
    assert found <= retry_seconds(failures + 1, shortest=shortest, longest=longest)


def test_looks_are_spread_by_a_fifth_to_either_side() -> None:
    found = [jittered(100.0) for _ in range(1000)]
    assert 80 <= min(found) < 90 and 110 < max(found) <= 120
    assert any(abs(one - other) > 1 for one, other in pairwise(found))
