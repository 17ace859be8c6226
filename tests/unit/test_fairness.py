"""Whose turn it is: by aged priority, then by what a namespace has had, then by age."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtasks.lifecycle import Queue
from qtasks.scheduling.fairness import Turn, aged, turns
from qtasks.store.claims import Head, Share

AGEING = 600.0
LEVELS = (0, 3, 6, 9)


def _head(namespace: str, priority: int = 6, age: float = 0.0, job_id: str = "") -> Head:
    job_id = job_id or f"{namespace}-{priority}"
    return Head(job_id, "job", Queue.SMALL, namespace, priority, age, batchable=True)


def _order(*heads: Head, shares: dict[str, Share] | None = None) -> list[str]:
    return [turn.head.job_id for turn in turns(heads, shares or {}, ageing_seconds=AGEING)]


@pytest.mark.parametrize(
    ("priority", "age", "level"),
    [(9, 0, 9), (9, 599, 9), (9, 600, 6), (9, 1199, 6), (9, 1200, 3), (6, 599, 6), (6, 600, 3), (3, 0, 3), (0, 0, 0)],
)
def test_waiting_lifts_a_job_a_level_per_ageing_time(priority: int, age: float, level: int) -> None:
    assert aged(priority, age, AGEING) == level


@given(priority=st.sampled_from(LEVELS), age=st.floats(0, 1e9))
def test_nothing_ages_into_urgent_and_nothing_sinks(priority: int, age: float) -> None:
    level = aged(priority, age, AGEING)
    assert level in LEVELS
    assert level <= priority
    assert (level == 0) == (priority == 0)


@given(age=st.floats(1200, 1e9))
def test_low_becomes_high_in_the_end(age: float) -> None:
    assert aged(9, age, AGEING) == 3


@given(st.permutations([_head("a", 9), _head("b", 6), _head("c", 3), _head("d", 0)]))
def test_no_lower_level_starts_before_a_higher_one(heads: list[Head]) -> None:
    had = {head.namespace: Share(head.namespace, 0.0, 10.0 - head.priority, 1.0) for head in heads}
    assert _order(*heads, shares=had) == ["d-0", "c-3", "b-6", "a-9"]


def test_what_has_aged_to_a_level_competes_there() -> None:
    assert _order(_head("a", 3), _head("b", 9, age=1200)) == ["b-9", "a-3"]
    assert _order(_head("a", 0), _head("b", 9, age=1e9)) == ["a-0", "b-9"]


def test_at_one_level_it_is_the_turn_of_whoever_has_had_least() -> None:
    shares = {"a": Share("a", 2.0, 3.0, 1.0), "b": Share("b", 1.0, 2.0, 1.0)}
    assert _order(_head("a", age=500), _head("b"), shares=shares) == ["b-6", "a-6"]


def test_at_one_level_and_share_the_oldest_comes_first_and_ties_are_broken_the_same_everywhere() -> None:
    assert _order(_head("a", age=1), _head("b", age=2)) == ["b-6", "a-6"]
    assert _order(_head("b"), _head("a")) == _order(_head("a"), _head("b")) == ["a-6", "b-6"]


def test_nobody_waiting_is_nobodys_turn() -> None:
    assert turns([], {"a": Share("a", 1.0, 2.0, 1.0)}, ageing_seconds=AGEING) == []


def test_a_turn_starts_at_the_later_of_the_finish_and_the_virtual_time() -> None:
    shares = {"away": Share("away", 1.0, 2.0, 1.0), "busy": Share("busy", 50.0, 51.0, 1.0)}
    found = turns([_head("away"), _head("busy"), _head("new")], shares, ageing_seconds=AGEING)
    assert {turn.head.namespace: turn.start_tag for turn in found} == {"away": 50.0, "busy": 51.0, "new": 50.0}


@dataclass
class Backlog:
    """Namespaces with so many jobs each, served by `turns` and charged as `claims.charge` does."""

    waiting: dict[str, int]
    weights: dict[str, float] = field(default_factory=dict)
    shares: dict[str, Share] = field(default_factory=dict)

    def serve(self, claims: int, *, batch: int = 1) -> list[str]:
        """Whose jobs were taken, claim by claim."""
        return [self._serve(batch) for _ in range(claims)]

    def _serve(self, batch: int) -> str:
        heads = [_head(namespace, age=float(count)) for namespace, count in self.waiting.items() if count]
        turn = turns(heads, self.shares, ageing_seconds=AGEING * 1000)[0]
        self._charge(turn, min(batch, self.waiting[turn.head.namespace]))
        return turn.head.namespace

    def _charge(self, turn: Turn, taken: int) -> None:
        namespace = turn.head.namespace
        had = self.shares.get(namespace, Share(namespace, 0.0, 0.0, self.weights.get(namespace, 1.0)))
        start = max(had.start_tag, turn.start_tag)
        finish = max(had.finish_tag, turn.start_tag) + taken / had.weight
        self.shares[namespace] = Share(namespace, start, finish, had.weight)
        self.waiting[namespace] -= taken


@pytest.mark.parametrize("batch", [1, 100])
@pytest.mark.parametrize("served_before", [0, 1, 7, 500])
def test_a_tenants_backlog_does_not_block_another_tenants_next_job(served_before: int, batch: int) -> None:
    backlog = Backlog({"a": 100_000})
    backlog.serve(served_before, batch=batch)
    backlog.waiting["b"] = 1
    assert "b" in backlog.serve(2, batch=batch)


def test_two_backlogged_tenants_share_evenly() -> None:
    backlog = Backlog({"a": 10_000, "b": 10_000})
    served = Counter(backlog.serve(1000))
    assert abs(served["a"] - served["b"]) <= 1


def test_at_every_moment_two_backlogged_tenants_are_within_two_turns_of_each_other() -> None:
    backlog = Backlog({"a": 10_000, "b": 10_000})
    backlog.serve(100)
    lead = 0
    for namespace in backlog.serve(200):
        lead += 1 if namespace == "a" else -1
        assert abs(lead) <= 2


def test_shares_follow_weights() -> None:
    backlog = Backlog({"a": 10_000, "b": 10_000}, weights={"a": 2.0})
    served = Counter(backlog.serve(900))
    assert abs(served["a"] - 2 * served["b"]) <= 3


def test_batches_are_charged_by_their_jobs() -> None:
    backlog = Backlog({"a": 100_000, "b": 100_000})
    for _ in range(50):
        backlog._serve(100)
    before = {namespace: share.finish_tag for namespace, share in backlog.shares.items()}
    assert abs(before["a"] - before["b"]) <= 100


def test_a_tenant_that_was_away_saves_up_no_turns() -> None:
    backlog = Backlog({"a": 10_000, "b": 1})
    backlog.serve(1000)
    backlog.waiting["b"] = 10_000
    served = Counter(backlog.serve(100))
    assert abs(served["a"] - served["b"]) <= 2
