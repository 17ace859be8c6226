"""Leases: renewed while the process lives, free when it died, and what its death counts."""

from __future__ import annotations

import pytest

from qtasks.lifecycle import Phase, Stage
from qtasks.store import claims, upkeep
from qtasks.store.claims import Claim
from qtasks.store.tables import jobs as jobs_table
from tests.store.acting import Acting

OVER = -1.0
"""Seconds of a lease that has run out when it begins."""


def test_a_renewed_lease_does_not_run_out(acting: Acting) -> None:
    claim = acting.running(lease_seconds=OVER)
    assert acting.renew(claim) == {(claim.ids[0], claim.fence)}
    assert acting.expire() == []
    assert acting.row(claim.ids[0]).owner == claim.owner


def test_a_renewal_names_what_is_still_held(acting: Acting) -> None:
    ids = [acting.submitted() for _ in range(3)]
    claim = acting.claim(limit=3)
    acting.cancel(ids[0])
    acting.give_back(claim.only({ids[1]}))
    again = acting.claim(owner=claim.owner)
    assert again.ids == [ids[1]]
    lease = acting.row(ids[1]).lease_until
    assert acting.renew(claim, lease_seconds=600.0) == {(ids[2], claim.fence)}
    assert acting.row(ids[1]).lease_until == lease
    assert acting.still_held(claim) == {ids[2]}


def test_several_claims_are_renewed_together(acting: Acting) -> None:
    acting.submitted(priority=0)
    acting.submitted(priority=6)
    held = [(claim.ids[0], claim.fence) for claim in (acting.claim(), acting.claim())]
    with acting.store.begin() as tx:
        assert claims.renew(tx, "worker/1", held, lease_seconds=30.0) == set(held)
        assert claims.renew(tx, "worker/2", held, lease_seconds=30.0) == set()
        assert claims.still_held(tx, "worker/1", [*held, (held[0][0], 10**6)]) == set(held)
        assert claims.renew(tx, "worker/1", [], lease_seconds=30.0) == set()


def test_a_lease_that_has_time_left_is_let_be(acting: Acting) -> None:
    acting.running(lease_seconds=30.0)
    assert acting.expire() == []


def test_a_job_whose_process_died_alone_with_it_counts_the_death(acting: Acting) -> None:
    claim = acting.running(lease_seconds=OVER)
    (job_id,) = claim.ids
    assert acting.expire() == [job_id]
    row = acting.row(job_id)
    assert (row.phase, row.stage, row.owner, row.lease_until) == ("Running", "execution", None, None)
    assert (row.takeovers, row.batchable, row.alone, row.attempt) == (1, False, False, 1)
    assert acting.events(job_id)[-1] == "WorkerLost"
    again = acting.claim(Stage.EXECUTION, limit=100)
    assert (again.ids, again.jobs[0].takeovers) == ([job_id], 1)


def _batch(acting: Acting, size: int, **options: object) -> Claim:
    ids = [acting.submitted() for _ in range(size)]
    claim = acting.claim(limit=size, **options)
    assert claim.ids == ids
    return claim


def _fates(acting: Acting, claim: Claim) -> set[tuple[int, bool, bool, str | None]]:
    rows = [acting.row(job_id) for job_id in claim.ids]
    return {(row.takeovers, row.alone, row.batchable, row.owner) for row in rows}


def test_what_was_in_a_batch_that_died_runs_again_alone_and_counts_nothing(acting: Acting) -> None:
    claim = _batch(acting, 3, lease_seconds=OVER)
    acting.submitted()
    assert set(acting.expire()) == set(claim.ids)
    assert _fates(acting, claim) == {(0, True, False, None)}
    again = [acting.claim(limit=100) for _ in claim.ids]
    assert [job.ids for job in again] == [[job_id] for job_id in claim.ids]
    assert all(job.jobs[0].alone for job in again)


def test_a_batch_that_is_larger_than_one_look_is_still_a_batch(acting: Acting) -> None:
    claim = _batch(acting, 5, lease_seconds=OVER)
    freed = acting.expire(limit=4)
    freed += acting.expire(limit=4)
    assert sorted(freed) == claim.ids
    assert _fates(acting, claim) == {(0, True, False, None)}


def test_the_last_of_a_batch_whose_neighbours_are_done_died_alone(acting: Acting) -> None:
    claim = _batch(acting, 3, lease_seconds=OVER)
    acting.finish(claim, Phase.FAILED, ids=claim.ids[:2])
    assert acting.expire() == [claim.ids[2]]
    assert acting.row(claim.ids[2]).takeovers == 1


def test_claims_of_one_process_are_counted_each_for_itself(acting: Acting) -> None:
    one, batch = _batch(acting, 1, lease_seconds=OVER), _batch(acting, 2, lease_seconds=OVER)
    assert len(acting.expire()) == 3
    assert _fates(acting, one) == {(1, False, False, None)}
    assert _fates(acting, batch) == {(0, True, False, None)}


def test_a_look_frees_as_many_as_its_limit_the_longest_dead_first(acting: Acting) -> None:
    ids = [acting.submitted() for _ in range(3)]
    for seconds in (-3.0, -2.0, -1.0):
        acting.claim(lease_seconds=seconds)
    assert [acting.expire(limit=1) for _ in range(4)] == [[ids[0]], [ids[1]], [ids[2]], []]


@pytest.mark.parametrize(("size", "fate"), [(1, (1, False, False, None)), (2, (0, True, False, None))])
def test_a_process_that_is_seen_to_die_frees_its_claim_at_once(
    acting: Acting, size: int, fate: tuple[int, bool, bool, None]
) -> None:
    claim = _batch(acting, size)
    assert sorted(acting.lose(claim)) == claim.ids
    assert _fates(acting, claim) == {fate}
    assert acting.lose(claim) == []


def test_a_job_that_killed_its_process_too_often_fails(acting: Acting) -> None:
    job_id = acting.waiting_at(Stage.EXECUTION)

    def hopeless() -> list[str]:
        with acting.store.begin() as tx:
            return upkeep.end_hopeless(tx, max_takeovers=1, where=jobs_table.c.id.in_([job_id]))

    acting.begin_attempts(acting.claim(Stage.EXECUTION, lease_seconds=OVER))
    acting.expire()
    assert hopeless() == []
    claim = acting.claim(Stage.EXECUTION, lease_seconds=OVER)
    acting.expire()
    assert hopeless() == [job_id]
    row = acting.row(job_id)
    assert (row.phase, row.reason, row.takeovers) == ("Failed", "WorkerLost", 2)
    assert "died 2 times" in row.message
    assert [attempt.outcome for attempt in acting.attempts(job_id)] == ["Failed"]
    assert hopeless() == []
    assert acting.finish(claim) == set()


def test_a_job_that_somebody_holds_is_not_hopeless(acting: Acting) -> None:
    job_id = acting.waiting_at(Stage.EXECUTION)
    acting.claim(Stage.EXECUTION, lease_seconds=OVER)
    acting.expire()
    acting.claim(Stage.EXECUTION)
    with acting.store.begin() as tx:
        assert upkeep.end_hopeless(tx, max_takeovers=0, where=jobs_table.c.id == job_id) == []


@pytest.mark.system
def test_a_claim_that_is_being_finished_does_not_expire_meanwhile(postgres_acting: Acting) -> None:
    acting = postgres_acting
    claim = acting.running(lease_seconds=OVER)
    with acting.store.begin() as tx:
        assert claims.renew(tx, claim.owner, [(claim.ids[0], claim.fence)], lease_seconds=30.0)
        assert acting.expire() == []
    assert acting.still_held(claim) == set(claim.ids)
