"""Claiming: which jobs a worker gets, in which order, and that nobody else gets them too."""

from __future__ import annotations

import multiprocessing
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from qtasks.lifecycle import Phase, Queue, Stage
from qtasks.store import Store, claims, jobs
from qtasks.store.claims import Claim
from qtasks.store.tables import fences
from qtasks.store.tables import jobs as jobs_table
from tests.store.acting import GIB, ROOMY, Acting, new_job


def _set(acting: Acting, job_id: str, **values: object) -> None:
    with acting.store.begin() as tx:
        tx.execute(update(jobs_table).where(jobs_table.c.id == job_id).values(**values))


def test_a_claim_names_its_owner_fence_and_lease(acting: Acting) -> None:
    job_id = acting.submitted(priority=3, shots=10, namespace="lab")
    claim = acting.claim(owner="worker/7", lease_seconds=30.0)
    row = acting.row(job_id)
    assert (claim.owner, claim.stage, claim.ids) == ("worker/7", Stage.VALIDATION, [job_id])
    assert (row.phase, row.stage, row.owner, row.fence) == ("Validating", "validation", "worker/7", claim.fence)
    assert timedelta(seconds=29) < row.lease_until - row.created_at < timedelta(seconds=90)
    (job,) = claim.jobs
    assert (job.namespace, job.name, job.priority, job.attempt) == ("lab", row.name, 3, 1)
    assert (job.takeovers, job.shots, job.alone, job.memory) == (0, 10, False, 0)
    assert job.created_at == row.created_at
    assert acting.events(job_id) == ["Submitted", "Validating"]


@pytest.mark.parametrize(
    ("stage", "phase"),
    [(Stage.VALIDATION, "Validating"), (Stage.SCHEDULING, "Scheduling"), (Stage.EXECUTION, "Running")],
)
def test_a_claim_brings_the_job_into_the_phase_of_its_stage(acting: Acting, stage: Stage, phase: str) -> None:
    job_id = acting.waiting_at(stage)
    acting.claim(stage)
    assert acting.phase(job_id) == phase
    assert (acting.row(job_id).started_at is not None) == (stage is Stage.EXECUTION)


def test_the_head_of_a_namespace_and_priority_is_its_oldest_job(acting: Acting) -> None:
    first, *_ = [
        acting.submitted(namespace=namespace, priority=priority)
        for namespace in ("b", "a")
        for priority in (6, 0)
        for _ in range(3)
    ]
    found = acting.heads()
    assert [(head.namespace, head.priority) for head in found] == [("a", 0), ("a", 6), ("b", 0), ("b", 6)]
    assert found[-1].job_id == first
    assert 0 <= found[-1].age < 60
    assert acting.heads(Stage.SCHEDULING) == []


def test_jobs_are_claimed_oldest_first(acting: Acting) -> None:
    ids = [acting.submitted(batchable=number % 2 == 0) for number in range(6)]
    assert [acting.claim().ids for _ in ids] == [[job_id] for job_id in ids]
    assert acting.heads() == []


def test_a_batch_holds_jobs_of_one_namespace_and_priority_only(acting: Acting) -> None:
    mine = [acting.submitted(namespace="a", priority=6) for _ in range(3)]
    for namespace, priority in (("a", 3), ("a", 9), ("b", 6)):
        acting.submitted(namespace=namespace, priority=priority)
    head = next(head for head in acting.heads() if head.job_id == mine[0])
    claim = acting.take(head, limit=100)
    assert claim is not None
    assert claim.ids == mine
    assert {acting.row(job_id).fence for job_id in mine} == {claim.fence}
    assert len(acting.heads()) == 3


def test_a_batch_is_as_large_as_its_limit(acting: Acting) -> None:
    ids = [acting.submitted() for _ in range(5)]
    assert [acting.claim(limit=2).ids for _ in range(3)] == [ids[:2], ids[2:4], ids[4:]]


def test_a_job_that_is_not_batchable_is_claimed_alone(acting: Acting) -> None:
    first, second, third = (acting.submitted(batchable=batchable) for batchable in (False, True, True))
    assert acting.claim(limit=100).ids == [first]
    assert acting.claim(limit=100).ids == [second, third]


def test_a_batch_leaves_out_what_is_not_batchable(acting: Acting) -> None:
    first, second, third = (acting.submitted(batchable=batchable) for batchable in (True, False, True))
    assert acting.claim(limit=100).ids == [first, third]
    assert acting.claim(limit=100).ids == [second]


def test_a_job_that_takes_more_memory_than_there_is_waits_for_another_worker(acting: Acting) -> None:
    large, small = (acting.waiting_at(Stage.EXECUTION) for _ in range(2))
    _set(acting, large, memory=4 * GIB)
    (head,) = acting.heads(Stage.EXECUTION, memory=GIB)
    assert head.job_id == small
    claim = acting.take(head, Stage.EXECUTION, limit=100, memory=GIB)
    assert claim is not None
    assert claim.ids == [small]
    (head,) = acting.heads(Stage.EXECUTION, memory=4 * GIB)
    assert acting.take(head, Stage.EXECUTION, memory=GIB) is None
    assert acting.take(head, Stage.EXECUTION, memory=4 * GIB) is not None


@pytest.mark.parametrize("stage", [Stage.VALIDATION, Stage.SCHEDULING])
def test_only_executing_a_job_takes_its_memory(acting: Acting, stage: Stage) -> None:
    job_id = acting.waiting_at(stage)
    _set(acting, job_id, memory=4 * GIB)
    (head,) = acting.heads(stage, memory=GIB)
    assert acting.take(head, stage, memory=GIB) is not None


def test_the_heads_of_several_stages_are_found_at_once(acting: Acting) -> None:
    executing, scheduling = (acting.waiting_at(stage) for stage in (Stage.EXECUTION, Stage.SCHEDULING))
    validating = [acting.submitted(priority=priority) for priority in (0, 6, 6)]
    with acting.store.read() as tx:
        found = claims.heads(tx, *Queue.of(*Stage), memory=ROOMY)
        both = claims.heads(tx, *Queue.of(Stage.EXECUTION, Stage.SCHEDULING), memory=ROOMY)
    assert {(head.stage, head.priority, head.job_id) for head in found} == {
        (Stage.EXECUTION, 6, executing),
        (Stage.SCHEDULING, 6, scheduling),
        (Stage.VALIDATION, 0, validating[0]),
        (Stage.VALIDATION, 6, validating[1]),
    }
    assert {head.job_id for head in both} == {executing, scheduling}


def test_a_job_waits_until_its_time_has_come(acting: Acting) -> None:
    later, now = acting.submitted(), acting.submitted()
    with acting.store.begin() as tx:
        moment = claims.moment
        tx.execute(update(jobs_table).where(jobs_table.c.id == later).values(not_before=moment(3600)))
        tx.execute(update(jobs_table).where(jobs_table.c.id == now).values(not_before=moment(-1)))
    (head,) = acting.heads()
    assert head.job_id == now
    claim = acting.take(head, limit=100)
    assert claim is not None
    assert claim.ids == [now]
    assert acting.row(now).not_before is None


def test_the_fence_rises_with_every_claim(acting: Acting) -> None:
    seen = [0]
    for _ in range(3):
        acting.submitted()
        claim = acting.claim()
        assert claim.fence > seen[-1]
        seen.append(claim.fence)
        acting.give_back(claim)
        again = acting.claim(owner="worker/2")
        assert again.ids == claim.ids
        assert again.fence > claim.fence
        seen.append(again.fence)
        acting.cancel(*again.ids)
    with acting.store.read() as tx:
        assert tx.execute(select(fences)).all() == []


def test_a_claim_on_a_job_that_does_not_wait_gives_nothing(acting: Acting) -> None:
    job_id = acting.submitted(batchable=False)
    (head,) = acting.heads()
    assert acting.take(head, Stage.EXECUTION) is None
    claim = acting.take(head)
    assert claim is not None
    assert acting.take(head, owner="worker/2") is None
    assert acting.take(head) is None
    acting.advance(claim, Phase.SCHEDULING, stage=Stage.SCHEDULING, keep=False)
    assert acting.take(head) is None
    acting.cancel(job_id)
    assert acting.take(head, Stage.SCHEDULING) is None
    assert acting.events(job_id) == ["Submitted", "Validating", "Scheduling", "Cancelled"]


def test_a_batch_goes_on_without_its_head_when_others_were_faster(acting: Acting) -> None:
    first, second = acting.submitted(), acting.submitted()
    (head,) = acting.heads()
    assert acting.claim(owner="worker/2").ids == [first]
    claim = acting.take(head, limit=10)
    assert claim is not None
    assert claim.ids == [second]


def test_a_claim_of_a_number_lower_than_the_jobs_last_is_none(acting: Acting) -> None:
    job_id = acting.submitted()
    _set(acting, job_id, fence=10**9)
    assert acting.take(acting.heads()[0]) is None
    assert acting.phase(job_id) == "Pending"


def test_part_of_a_claim_is_the_same_claim(acting: Acting) -> None:
    ids = [acting.submitted() for _ in range(3)]
    claim = acting.claim(limit=3)
    part = claim.only({ids[1]})
    assert (part.ids, part.fence, part.owner) == ([ids[1]], claim.fence, claim.owner)
    assert claim.at(Stage.SCHEDULING).stage is Stage.SCHEDULING
    assert acting.finish(part, Phase.FAILED) == {ids[1]}
    assert acting.still_held(claim) == {ids[0], ids[2]}


def test_memory_in_use_is_that_of_the_workers_own_claims(acting: Acting) -> None:
    for owner in ("worker-1/10", "worker-1/11", "worker-10/1", "worker_1/1"):
        job_id = acting.submitted()
        _set(acting, job_id, memory=GIB)
        acting.claim(owner=owner)
    _set(acting, acting.submitted(), memory=GIB)
    with acting.store.read() as tx:
        assert claims.memory_in_use(tx, "worker-1") == 2 * GIB
        assert claims.memory_in_use(tx, "worker_1") == GIB
        assert claims.memory_in_use(tx, "nobody") == 0


@pytest.mark.parametrize("batchable", [True, False], ids=["batches", "single"])
def test_claimers_in_threads_never_get_the_same_job(acting: Acting, batchable: bool) -> None:
    new = [new_job(batchable=batchable) for _ in range(60)]
    acting.submit(*new)

    def drain(number: int) -> list[Claim]:
        return _drain(acting, f"worker/{number}")

    with ThreadPoolExecutor(6) as pool:
        taken = [claim for claims_ in pool.map(drain, range(6)) for claim in claims_]
    _each_job_once(taken, [job.id for job in new])


def _drain(acting: Acting, owner: str) -> list[Claim]:
    """Claim until nothing is left."""
    taken = []
    while found := acting.heads():
        claim = acting.take(found[0], owner=owner, limit=4)
        if claim is not None:
            taken.append(claim)
    return taken


def _each_job_once(taken: list[Claim], ids: list[str]) -> None:
    assert sorted(job_id for claim in taken for job_id in claim.ids) == sorted(ids)
    assert len({claim.fence for claim in taken}) == len(taken)


def _drain_in_a_process(url: str, owner: str, results: object) -> None:
    store = Store(url)
    taken = _drain(Acting(store), owner)
    store.close()
    results.put([(claim.fence, claim.ids) for claim in taken])  # type: ignore[attr-defined]


@pytest.mark.system
def test_claimers_in_processes_never_get_the_same_job(migrated_file: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{shutil.copy(migrated_file, tmp_path)}"
    store = Store(url)
    new = [new_job() for _ in range(120)]
    Acting(store).submit(*new)
    context = multiprocessing.get_context("spawn")
    results = context.SimpleQueue()
    processes = [
        context.Process(target=_drain_in_a_process, args=(url, f"worker/{number}", results)) for number in range(3)
    ]
    for process in processes:
        process.start()
    taken = [entry for _ in processes for entry in results.get()]
    for process in processes:
        process.join(30)
        assert process.exitcode == 0
        process.close()
    results.close()
    store.close()
    assert sorted(job_id for _, ids in taken for job_id in ids) == sorted(job.id for job in new)
    assert len({fence for fence, _ in taken}) == len(taken)


@pytest.mark.system
def test_a_claim_that_is_not_committed_yet_is_passed_over(postgres_acting: Acting) -> None:
    acting = postgres_acting
    ids = [acting.submitted() for _ in range(3)]
    (head,) = acting.heads()
    options = {"limit": 2, "memory": ROOMY, "lease_seconds": 30.0}
    with acting.store.begin() as one:
        first = claims.take(one, head, owner="worker/1", **options)  # type: ignore[arg-type]
        assert first is not None
        with acting.store.begin() as two:
            second = claims.take(two, head, owner="worker/2", **options)  # type: ignore[arg-type]
        with acting.store.begin() as three:
            assert claims.take(three, head, owner="worker/3", **options) is None  # type: ignore[arg-type]
    assert second is not None
    assert (first.ids, second.ids) == (ids[:2], ids[2:])
    assert [acting.row(job_id).owner for job_id in ids] == ["worker/1", "worker/1", "worker/2"]


@pytest.mark.system
def test_a_claim_that_is_rolled_back_was_none(postgres_acting: Acting) -> None:
    acting = postgres_acting
    job_id = acting.submitted()
    (head,) = acting.heads()
    with pytest.raises(RuntimeError), acting.store.begin() as tx:
        claims.take(tx, head, limit=1, memory=ROOMY, owner="worker/1", lease_seconds=30.0)
        raise RuntimeError
    assert acting.events(job_id) == ["Submitted"]
    assert acting.claim(owner="worker/2").ids == [job_id]


@pytest.mark.system
def test_a_cancellation_and_a_claim_at_once_leave_the_job_cancelled(postgres_acting: Acting) -> None:
    acting = postgres_acting
    job_id = acting.submitted()
    (head,) = acting.heads()
    cancelled: list[list[str]] = []
    canceller = threading.Thread(target=lambda: cancelled.append(acting.cancel(job_id)))
    with acting.store.begin() as tx:
        claim = claims.take(tx, head, limit=1, memory=ROOMY, owner="w/1", lease_seconds=30.0)
        canceller.start()
        canceller.join(0.05)
    canceller.join(30)
    assert claim is not None
    assert cancelled == [[job_id]]
    assert acting.phase(job_id) == "Cancelled"
    assert acting.finish(claim, Phase.FAILED) == set()
    with acting.store.read() as tx:
        assert jobs.phases(tx, [job_id])[job_id].final
