"""Submitting: what is inserted, and what answers when it is there already."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from qtasks.errors import NotFound, Unavailable
from qtasks.store import jobs
from qtasks.store.ids import new_id
from qtasks.store.jobs import Existing
from qtasks.store.tables import events, inputs, labels
from qtasks.store.tables import jobs as jobs_table
from tests.store.acting import Acting, new_job


def test_a_submitted_job_waits_for_validation_with_its_input_labels_and_first_event(acting: Acting) -> None:
    job = new_job(labels={"app": "qtasks", "team": "a"}, idempotency_key="k", total_seconds=60.0, git_commit="f" * 40)
    assert acting.submit(job) == {}
    row = acting.row(job.id)
    assert (row.id, row.namespace, row.name, row.idempotency_key) == (job.id, "default", job.name, "k")
    assert (row.phase, row.stage, row.attempt, row.fence, row.owner) == ("Pending", "validation", 1, 0, None)
    assert (row.resource, row.format, row.input_sha256) == (job.resource, "qasm2", job.sha256)
    assert row.deadline - row.created_at == timedelta(seconds=60)
    assert row.created_at.utcoffset() == timedelta(0)
    assert acting.events(job.id) == ["Submitted"]
    with acting.store.read() as tx:
        found = tx.execute(select(labels.c.key, labels.c.value).where(labels.c.job_id == job.id))
        assert dict(tuple(label) for label in found) == {"app": "qtasks", "team": "a"}
        (payload,) = jobs.payload(tx, [job.id])
        assert (payload.data, payload.input_key, payload.git_commit) == (job.data, None, "f" * 40)


def test_a_job_without_a_total_time_has_no_deadline(acting: Acting) -> None:
    assert acting.row(acting.submitted()).deadline is None


def test_ids_rise_and_are_version_7() -> None:
    made = [new_id() for _ in range(10_000)]
    assert made == sorted(set(made))
    assert {job_id[14] for job_id in made} == {"7"}
    assert {job_id[19] for job_id in made} <= set("89ab")


def test_a_name_is_unique_within_its_namespace(acting: Acting) -> None:
    first, same, elsewhere = new_job(name="bell"), new_job(name="bell"), new_job(name="bell", namespace="lab")
    assert acting.submit(first) == {}
    assert acting.submit(same) == {same.id: Existing(first.id, "bell", first.spec_hash, by_key=False)}
    assert acting.submit(elsewhere) == {}
    with acting.store.read() as tx:
        assert jobs.id_of(tx, "default", "bell") == first.id
        assert jobs.id_of(tx, "lab", "bell") == elsewhere.id
        with pytest.raises(NotFound, match="no job bell in namespace other") as caught:
            jobs.id_of(tx, "other", "bell")
        assert caught.value.reason == "JobNotFound"
        with pytest.raises(NotFound):
            jobs.get(tx, same.id)


def test_an_idempotency_key_is_unique_within_its_namespace(acting: Acting) -> None:
    first, again, elsewhere = (new_job(idempotency_key="k", namespace=n) for n in ("default", "default", "lab"))
    assert acting.submit(first) == {}
    assert acting.submit(again) == {again.id: Existing(first.id, first.name, first.spec_hash, by_key=True)}
    assert acting.submit(elsewhere) == {}
    assert acting.events(first.id) == ["Submitted"]


def test_jobs_without_an_idempotency_key_have_nothing_in_common(acting: Acting) -> None:
    assert acting.submit(*(new_job() for _ in range(3))) == {}


def test_the_key_answers_before_the_name(acting: Acting) -> None:
    by_key, by_name = new_job(idempotency_key="k"), new_job(name="bell")
    acting.submit(by_key, by_name)
    both = new_job(idempotency_key="k", name="bell")
    assert acting.submit(both)[both.id] == Existing(by_key.id, by_key.name, by_key.spec_hash, by_key=True)


def test_a_conflict_does_not_keep_the_rest_of_a_submission_out(acting: Acting) -> None:
    there = new_job(name="bell")
    acting.submit(there)
    fresh, again = new_job(labels={"a": "b"}), new_job(name="bell", labels={"a": "b"})
    assert set(acting.submit(fresh, again)) == {again.id}
    assert acting.row(fresh.id).name == fresh.name
    with acting.store.read() as tx:
        for table in (inputs, labels, events):
            assert tx.execute(select(func.count()).where(table.c.job_id == again.id)).scalar() == 0


def test_two_of_one_name_or_key_in_one_submission_are_one_job(acting: Acting) -> None:
    names = [new_job(name="bell"), new_job(name="bell")]
    answers = acting.submit(*names)
    assert len(answers) == 1
    kept = next(job for job in names if job.id not in answers)
    assert next(iter(answers.values())).id == kept.id
    keys = [new_job(idempotency_key="k"), new_job(idempotency_key="k")]
    answers = acting.submit(*keys)
    assert [answer.by_key for answer in answers.values()] == [True]


def test_a_thousand_jobs_are_submitted_at_once_and_claimed_in_their_order(acting: Acting) -> None:
    new = [new_job(name=f"job-{999 - number}", labels={"n": str(number)}) for number in range(1000)]
    assert acting.submit(*new) == {}
    with acting.store.read() as tx:
        for table in (jobs_table, inputs, labels, events):
            assert tx.execute(select(func.count()).select_from(table)).scalar() == 1000
    assert acting.claim(limit=100).ids == [job.id for job in new[:100]]


def test_a_submission_that_raises_leaves_nothing(acting: Acting) -> None:
    job = new_job()
    with pytest.raises(RuntimeError), acting.store.begin() as tx:
        jobs.submit(tx, [job], source=None)
        raise RuntimeError
    with acting.store.read() as tx:
        assert jobs.phases(tx, [job.id]) == {}


def test_one_key_submitted_by_many_at_once_is_one_job(acting: Acting) -> None:
    answers: list[Existing | None] = []
    together = threading.Barrier(4)

    def submit() -> None:
        job = new_job(idempotency_key="k")
        together.wait()
        answers.append(acting.submit(job).get(job.id))

    _at_once(*[submit] * 4)
    assert len(answers) == 4
    assert answers.count(None) == 1
    assert len({answer.id for answer in answers if answer is not None}) == 1


def test_the_same_jobs_submitted_at_once_in_opposite_orders_do_not_deadlock(acting: Acting) -> None:
    errors: list[Unavailable] = []
    together = threading.Barrier(2)

    def submit(step: int) -> None:
        for turn in range(5):
            names = [f"job-{turn}-{number}" for number in range(200)][::step]
            together.wait()
            try:
                acting.submit(*(new_job(name=name) for name in names))
            except Unavailable as error:
                errors.append(error)

    _at_once(lambda: submit(1), lambda: submit(-1))
    assert errors == []


def _at_once(*what: object) -> None:
    threads = [threading.Thread(target=each) for each in what]  # type: ignore[arg-type]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
