"""What becomes of a job that is held: on, back, again, or to its end; with its attempts, circuit and result."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from qtasks.lifecycle import Phase, Stage
from qtasks.store import jobs, moves, upkeep
from tests.store.acting import Acting, circuit_row, result_row


def test_a_claim_that_is_kept_goes_on_with_the_next_stage(acting: Acting) -> None:
    job_id = acting.submitted()
    claim = acting.claim()
    assert acting.advance(claim, Phase.SCHEDULING, stage=Stage.SCHEDULING, memory=5) == {job_id}
    row = acting.row(job_id)
    assert (row.phase, row.stage, row.owner, row.fence) == ("Scheduling", "scheduling", claim.owner, claim.fence)
    assert row.memory == 5
    assert acting.heads(Stage.SCHEDULING) == []
    assert acting.advance(claim.at(Stage.SCHEDULING), Phase.RUNNING, stage=Stage.EXECUTION) == {job_id}
    assert acting.events(job_id) == ["Submitted", "Validating", "Scheduling", "Running"]


def test_a_job_that_is_handed_over_waits_for_whoever_consumes_its_stage(acting: Acting) -> None:
    job_id = acting.submitted()
    acting.advance(acting.claim(), Phase.SCHEDULING, stage=Stage.SCHEDULING, keep=False)
    row = acting.row(job_id)
    assert (row.owner, row.lease_until) == (None, None)
    assert [head.job_id for head in acting.heads(Stage.SCHEDULING)] == [job_id]


def test_a_completed_job_has_its_result_and_waits_for_aftercare(acting: Acting) -> None:
    claim = acting.running()
    (job_id,) = claim.ids
    acting.begin_attempts(claim)
    assert acting.finish(claim) == {job_id}
    row = acting.row(job_id)
    assert (row.phase, row.stage, row.owner, row.lease_until, row.not_before) == ("Completed", None, None, None, None)
    assert (row.reason, row.aftercare) == ("Completed", True)
    assert row.created_at <= row.started_at <= row.finished_at
    assert (row.result_key, row.result_offset, row.result_length) == (f"completed/{job_id}", 0, 10)
    assert row.counts == {"00": 512, "11": 512}
    assert row.metrics == {"run_seconds": 0.5}
    (attempt,) = acting.attempts(job_id)
    assert (attempt.outcome, attempt.finished_at is not None) == ("Completed", True)


def test_a_second_result_of_a_job_is_refused(acting: Acting) -> None:
    claim = acting.running()
    acting.finish(claim)
    with pytest.raises(IntegrityError), acting.store.begin() as tx:
        moves.keep_results(tx, [result_row(claim.ids[0])])


def test_a_checked_circuit_is_kept_beside_its_job(acting: Acting) -> None:
    job_id = acting.submitted()
    claim = acting.claim()
    with acting.store.begin() as tx:
        moves.keep_circuits(tx, [circuit_row(job_id)])
        moves.keep_circuits(tx, [])
        moves.keep_results(tx, [])
    with acting.store.read() as tx:
        (payload,) = jobs.payload(tx, claim.ids)
    assert (payload.fingerprint, payload.qpy) == ("c" * 64, b"QISKIT")
    assert payload.analysis == {"qubits": 2}
    assert acting.row(job_id).fingerprint == "c" * 64


def test_the_objects_of_a_final_job_move(acting: Acting) -> None:
    job_id = acting.submitted(data=None, object_key="pending/in")
    acting.claim()
    with acting.store.begin() as tx:
        moves.keep_circuits(tx, [circuit_row(job_id, qpy=None, object_key="pending/circuit")])
        upkeep.moved(tx, job_id, input_key="completed/in", circuit_key=None)
    with acting.store.read() as tx:
        (payload,) = jobs.payload(tx, [job_id])
    assert (payload.input_key, payload.circuit_key) == ("completed/in", None)


def test_a_retry_ends_the_attempt_and_plans_the_next(acting: Acting) -> None:
    claim = acting.running()
    (job_id,) = claim.ids
    acting.begin_attempts(claim)
    assert acting.retry(claim, delay_seconds=3600)
    row = acting.row(job_id)
    assert (row.phase, row.stage, row.owner, row.attempt) == ("Retrying", "scheduling", None, 2)
    assert row.not_before - row.started_at > timedelta(seconds=3000)
    assert (row.reason, row.message) == ("Retrying", "It may heal.")
    assert acting.heads(Stage.SCHEDULING) == []
    (attempt,) = acting.attempts(job_id)
    assert (attempt.attempt, attempt.outcome, attempt.reason) == (1, "Failed", "Retrying")


def test_each_attempt_has_a_row(acting: Acting) -> None:
    claim = acting.running()
    (job_id,) = claim.ids
    acting.begin_attempts(claim)
    acting.retry(claim)
    acting.advance(acting.claim(Stage.SCHEDULING), Phase.SCHEDULING, stage=Stage.EXECUTION, keep=False)
    claim = acting.claim(Stage.EXECUTION, owner="worker/2")
    assert claim.jobs[0].attempt == 2
    acting.begin_attempts(claim)
    acting.finish(claim)
    found = [(row.attempt, row.worker, row.backend, row.outcome) for row in acting.attempts(job_id)]
    assert found == [
        (1, "worker/1", "local_simulator", "Failed"),
        (2, "worker/2", "local_simulator", "Completed"),
    ]


def test_a_takeover_is_not_an_attempt(acting: Acting) -> None:
    claim = acting.running(lease_seconds=-1.0)
    acting.begin_attempts(claim)
    acting.expire()
    again = acting.claim(Stage.EXECUTION, owner="worker/2")
    acting.begin_attempts(again)
    assert again.jobs[0].attempt == 1
    (attempt,) = acting.attempts(claim.ids[0])
    assert (attempt.worker, attempt.finished_at) == ("worker/1", None)


def test_a_postponed_job_is_pending_and_is_scheduled_again(acting: Acting) -> None:
    job_id = acting.waiting_at(Stage.SCHEDULING)
    assert acting.postpone(acting.claim(Stage.SCHEDULING), delay_seconds=60)
    assert acting.heads(Stage.SCHEDULING) == []
    assert (acting.phase(job_id), acting.row(job_id).owner) == ("Pending", None)


def test_a_postponed_job_whose_time_has_come_is_scheduled(acting: Acting) -> None:
    job_id = acting.waiting_at(Stage.SCHEDULING)
    acting.postpone(acting.claim(Stage.SCHEDULING))
    assert acting.claim(Stage.SCHEDULING).ids == [job_id]
    assert acting.phase(job_id) == "Scheduling"


def test_what_is_given_back_waits_at_its_stage_and_counts_nothing(acting: Acting) -> None:
    claim = acting.running()
    (job_id,) = claim.ids
    assert acting.give_back(claim) == [job_id]
    row = acting.row(job_id)
    assert (row.phase, row.stage, row.owner, row.takeovers, row.attempt) == ("Running", "execution", None, 0, 1)
    assert (row.batchable, row.alone) == (True, False)
    assert acting.events(job_id)[-1] == "GivenBack"
    assert acting.claim(Stage.EXECUTION).ids == [job_id]


def test_what_is_given_back_for_later_waits_so_long(acting: Acting) -> None:
    claim = acting.running()
    acting.give_back(claim, delay_seconds=60.0)
    assert acting.heads(Stage.EXECUTION) == []


@pytest.mark.parametrize("phase", [p for p in Phase if not p.final])
def test_a_job_is_cancelled_in_every_phase(acting: Acting, phase: Phase) -> None:
    job_id = _in(acting, phase)
    assert acting.phase(job_id) == phase
    assert acting.cancel(job_id) == [job_id]
    row = acting.row(job_id)
    assert (row.phase, row.stage, row.owner, row.reason) == ("Cancelled", None, None, "Cancelled")
    assert row.finished_at is not None
    assert all(attempt.finished_at is not None for attempt in acting.attempts(job_id))
    assert acting.events(job_id)[-1] == "Cancelled"
    assert acting.cancel(job_id) == []
    assert acting.events(job_id).count("Cancelled") == 1


def _in(acting: Acting, phase: Phase) -> str:
    """A job in `phase`."""
    match phase:
        case Phase.PENDING:
            return acting.submitted()
        case Phase.VALIDATING:
            acting.submitted()
            return acting.claim().ids[0]
        case Phase.SCHEDULING:
            return acting.waiting_at(Stage.SCHEDULING)
        case Phase.RUNNING:
            claim = acting.running()
            acting.begin_attempts(claim)
            return claim.ids[0]
        case Phase.RETRYING:
            claim = acting.running()
            acting.begin_attempts(claim)
            acting.retry(claim, delay_seconds=60.0)
            return claim.ids[0]
    raise AssertionError(phase)


@pytest.mark.parametrize("phase", [Phase.COMPLETED, Phase.FAILED])
def test_a_final_job_is_not_cancelled(acting: Acting, phase: Phase) -> None:
    claim = acting.running()
    acting.finish(claim, phase)
    before = acting.whole(claim.ids[0])
    assert acting.cancel(*claim.ids) == []
    assert acting.whole(claim.ids[0]) == before


def test_cancelling_many_names_those_that_were_not_final(acting: Acting) -> None:
    done = acting.running()
    acting.finish(done)
    waiting = acting.submitted()
    assert acting.cancel(done.ids[0], waiting) == [waiting]
    with acting.store.read() as tx:
        assert jobs.phases(tx, [waiting, *done.ids]) == {waiting: Phase.CANCELLED, done.ids[0]: Phase.COMPLETED}
