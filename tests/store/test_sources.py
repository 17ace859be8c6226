"""Circuits that come from elsewhere: kept once, by whoever holds the job, before anything is done with them."""

from __future__ import annotations

import threading

import pytest

from qtasks.lifecycle import Phase, Stage
from qtasks.store import jobs, keys
from tests.store.acting import Acting

ABSENT = {"data": None, "object_key": None, "sha256": None, "format": None, "batchable": False}


def test_a_job_waits_for_validation_without_a_circuit(acting: Acting) -> None:
    job_id = acting.submitted(**ABSENT)
    with acting.store.read() as tx:
        (payload,) = jobs.payload(tx, [job_id])
    assert (payload.data, payload.input_key, payload.sha256, payload.origin) == (None, None, None, None)
    assert [head.batchable for head in acting.heads()] == [False]


def test_what_was_fetched_is_kept_with_its_origin(acting: Acting) -> None:
    job_id = acting.submitted(**ABSENT)
    assert acting.keep_input(acting.claim(), git_commit="a" * 40)
    with acting.store.read() as tx:
        (payload,) = jobs.payload(tx, [job_id])
    assert (payload.data, payload.format, payload.sha256) == (b"qc = 1", "python", "e" * 64)
    assert (payload.origin, payload.git_commit) == ("https://circuits.example/qc.py", "a" * 40)
    assert acting.events(job_id) == ["Submitted", "Validating", "CircuitFetched"]


def test_a_source_without_a_commit_leaves_the_one_of_the_submission(acting: Acting) -> None:
    job_id = acting.submitted(**ABSENT, git_commit="f" * 40)
    acting.keep_input(acting.claim(), git_commit=None)
    assert acting.row(job_id).git_commit == "f" * 40


def test_what_was_kept_is_never_replaced(acting: Acting) -> None:
    acting.submitted(**ABSENT)
    claim = acting.claim()
    assert acting.keep_input(claim, data=b"first")
    assert not acting.keep_input(claim, data=b"second")
    with acting.store.read() as tx:
        (payload,) = jobs.payload(tx, claim.ids)
    assert payload.data == b"first"


def test_an_inline_circuit_is_never_replaced(acting: Acting) -> None:
    acting.submitted()
    assert not acting.keep_input(acting.claim())


def test_who_lost_the_job_keeps_nothing(acting: Acting) -> None:
    job_id = acting.submitted(**ABSENT)
    late = acting.claim(lease_seconds=-1.0)
    acting.expire()
    current = acting.claim(owner="worker/2")
    assert not acting.keep_input(late, data=b"late")
    assert acting.keep_input(current, data=b"in time")
    assert not acting.keep_input(late, data=b"late")
    assert acting.events(job_id).count("CircuitFetched") == 1


def test_a_cancelled_job_keeps_nothing(acting: Acting) -> None:
    job_id = acting.submitted(**ABSENT)
    claim = acting.claim()
    acting.cancel(job_id)
    assert not acting.keep_input(claim)


def test_a_failed_fetch_is_tried_again_at_validation_when_its_time_has_come(acting: Acting) -> None:
    job_id = acting.submitted(**ABSENT)
    assert acting.retry(acting.claim(), stage=Stage.VALIDATION, delay_seconds=60)
    row = acting.row(job_id)
    assert (row.phase, row.stage, row.attempt, row.owner) == ("Retrying", "validation", 2, None)
    assert acting.heads() == []
    other = acting.submitted(**ABSENT)
    assert acting.retry(acting.claim(), stage=Stage.VALIDATION)
    assert [head.job_id for head in acting.heads()] == [other]
    assert acting.claim().ids == [other]
    assert acting.phase(other) == Phase.VALIDATING


def test_all_workers_sign_with_the_key_that_the_first_of_them_made(acting: Acting) -> None:
    found: list[bytes] = []
    together = threading.Barrier(4)

    def ask() -> None:
        together.wait()
        with acting.store.begin() as tx:
            found.append(keys.signing_key(tx, "validation-cache"))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == 4
    assert len(set(found)) == 1
    assert len(found[0]) == 32


def test_each_purpose_has_a_key_of_its_own(acting: Acting) -> None:
    with acting.store.begin() as tx:
        assert keys.signing_key(tx, "one") != keys.signing_key(tx, "other")


@pytest.mark.parametrize("phase", [Phase.VALIDATING, Phase.SCHEDULING])
def test_a_circuit_is_fetched_only_while_the_job_is_validated(acting: Acting, phase: Phase) -> None:
    acting.submitted(**ABSENT)
    claim = acting.claim()
    if phase is Phase.SCHEDULING:
        acting.advance(claim, phase, stage=Stage.SCHEDULING)
    assert acting.keep_input(claim) is (phase is Phase.VALIDATING)
