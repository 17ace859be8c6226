"""The guard: whoever's claim was taken over, given back, ended or never his changes nothing, with any write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from qtasks.lifecycle import Phase, Stage
from qtasks.store import upkeep
from qtasks.store.claims import Claim
from tests.store.acting import Acting

Write = Callable[[Acting, Claim], object]

WRITES: dict[str, Write] = {
    "advance": lambda acting, claim: acting.advance(claim, Phase.RUNNING, stage=Stage.EXECUTION),
    "hand over": lambda acting, claim: acting.advance(claim, Phase.RUNNING, stage=Stage.EXECUTION, keep=False),
    "complete": lambda acting, claim: acting.finish(claim, Phase.COMPLETED),
    "fail": lambda acting, claim: acting.finish(claim, Phase.FAILED),
    "retry": lambda acting, claim: acting.retry(claim),
    "postpone": lambda acting, claim: acting.postpone(claim),
    "give back": lambda acting, claim: acting.give_back(claim),
    "give back for later": lambda acting, claim: acting.give_back(claim, delay_seconds=60.0),
    "die": lambda acting, claim: acting.lose(claim),
    "renew": lambda acting, claim: acting.renew(claim),
    "begin an attempt": lambda acting, claim: acting.begin_attempts(claim),
}


def _given_back(acting: Acting, claim: Claim) -> None:
    acting.give_back(claim)


def _taken_over(acting: Acting, claim: Claim) -> None:
    acting.give_back(claim)
    taken = acting.claim(Stage.EXECUTION, owner="worker/2")
    acting.begin_attempts(taken)


def _claimed_again(acting: Acting, claim: Claim) -> None:
    acting.give_back(claim)
    acting.begin_attempts(acting.claim(Stage.EXECUTION, owner=claim.owner))


def _retried(acting: Acting, claim: Claim) -> None:
    acting.begin_attempts(claim)
    assert acting.retry(claim)
    acting.claim(Stage.SCHEDULING, owner="worker/2")


def _completed(acting: Acting, claim: Claim) -> None:
    assert acting.finish(claim)


def _cancelled(acting: Acting, claim: Claim) -> None:
    assert acting.cancel(*claim.ids)


LOST: dict[str, Callable[[Acting, Claim], None]] = {
    "given back": _given_back,
    "taken over": _taken_over,
    "claimed again by the same process": _claimed_again,
    "retried and claimed by another": _retried,
    "completed": _completed,
    "cancelled": _cancelled,
}


def _no_write_changes_anything(acting: Acting, claim: Claim) -> None:
    before = acting.whole(claim.ids[0])
    for name, write in WRITES.items():
        assert not write(acting, claim), name
        assert acting.whole(claim.ids[0]) == before, name


@pytest.mark.parametrize("lost", LOST)
def test_no_write_under_a_claim_that_was_lost_changes_anything(acting: Acting, lost: str) -> None:
    claim = acting.running()
    LOST[lost](acting, claim)
    _no_write_changes_anything(acting, claim)


def test_no_write_under_another_owners_name_changes_anything(acting: Acting) -> None:
    _no_write_changes_anything(acting, replace(acting.running(), owner="worker/2"))


def test_no_write_under_an_older_fence_changes_anything(acting: Acting) -> None:
    claim = acting.running()
    acting.begin_attempts(claim)
    _no_write_changes_anything(acting, replace(claim, fence=claim.fence - 1))


def test_those_of_a_batch_that_are_still_held_are_written_and_the_others_let_be(acting: Acting) -> None:
    first, second, third = (acting.submitted() for _ in range(3))
    claim = acting.claim(limit=3)
    acting.cancel(second)
    assert acting.still_held(claim) == {first, third}
    assert acting.advance(claim, Phase.SCHEDULING, stage=Stage.SCHEDULING) == {first, third}
    assert [acting.phase(job_id) for job_id in (first, second, third)] == ["Scheduling", "Cancelled", "Scheduling"]
    assert acting.events(second)[-1] == "Cancelled"


def test_a_phase_that_the_table_does_not_lead_to_is_not_written(acting: Acting) -> None:
    job_id = acting.submitted()
    claim = acting.claim()
    assert acting.finish(claim, Phase.COMPLETED) == set()
    assert acting.advance(claim, Phase.RUNNING, stage=Stage.EXECUTION) == set()
    assert not acting.postpone(claim)
    assert acting.phase(job_id) == "Validating"
    assert acting.still_held(claim) == {job_id}


def test_a_final_phase_is_not_advanced_to(acting: Acting) -> None:
    claim = acting.running()
    with pytest.raises(ValueError, match="finish"):
        acting.advance(claim, Phase.COMPLETED, stage=Stage.EXECUTION)


def test_a_write_for_no_jobs_is_none(acting: Acting) -> None:
    claim = acting.running()
    assert acting.finish(claim, Phase.COMPLETED, ids=[]) == set()
    assert acting.advance(claim.only([]), Phase.RUNNING, stage=Stage.EXECUTION) == set()
    assert acting.still_held(claim) == set(claim.ids)
    with acting.store.begin() as tx:
        upkeep.tied_up(tx, [])
