"""Queues: classes of work are found apart, a worker's memory is not given twice, and autoscalers see all of it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text, update

from qtasks.lifecycle import Phase, Queue, Stage
from qtasks.store import claims, moves, tables
from qtasks.store.records import Event
from qtasks.store.types import moment
from tests.store.acting import GIB, ROOMY, Acting


def put(acting: Acting, job_id: str, **values: Any) -> None:
    with acting.store.begin() as tx:
        tx.execute(update(tables.jobs).where(tables.jobs.c.id == job_id).values(**values))


def executable(acting: Acting, queue: Queue, **changes: Any) -> str:
    """A job that waits in a queue of the execution stage."""
    job_id = acting.submitted()
    values = {"phase": Phase.SCHEDULING.value, "stage": Stage.EXECUTION.value, "queue": queue.value, **changes}
    put(acting, job_id, **values)
    return job_id


def heads(acting: Acting, *queues: Queue, **options: Any) -> dict[str, Queue]:
    with acting.store.read() as tx:
        return {head.job_id: head.queue for head in claims.heads(tx, *queues, **{"memory": ROOMY, **options})}


def test_a_source_that_is_yet_to_be_fetched_waits_where_there_is_a_way_out(acting: Acting) -> None:
    inline, fetched = acting.submitted(), acting.submitted(sha256=None, format=None, data=None)
    assert heads(acting, Queue.VALIDATION) == {inline: Queue.VALIDATION}
    assert heads(acting, Queue.FETCH) == {fetched: Queue.FETCH}


def test_a_worker_sees_the_classes_that_it_consumes_and_no_others(acting: Acting) -> None:
    small, large, handed = (executable(acting, queue) for queue in (Queue.SMALL, Queue.LARGE, Queue.PROVIDER))
    assert heads(acting, Queue.SMALL) == {small: Queue.SMALL}
    assert heads(acting, Queue.LARGE, Queue.HUGE) == {large: Queue.LARGE}
    assert heads(acting, *Queue.of(Stage.EXECUTION)).keys() == {small, large, handed}


def test_a_batch_is_of_one_queue(acting: Acting) -> None:
    small = {executable(acting, Queue.SMALL) for _ in range(2)}
    executable(acting, Queue.LARGE)
    with acting.store.read() as tx:
        (head,) = claims.heads(tx, Queue.SMALL, memory=ROOMY)
    claim = acting.take(head, limit=100)
    assert claim is not None and set(claim.ids) == small


def test_memory_that_the_workers_processes_use_is_not_offered_again(acting: Acting) -> None:
    running = executable(acting, Queue.LARGE, memory=3 * GIB)
    with acting.store.read() as tx:
        (head,) = claims.heads(tx, Queue.LARGE, memory=4 * GIB, worker="w")
    assert acting.take(head, owner="w/1", memory=4 * GIB) is not None
    large = executable(acting, Queue.LARGE, memory=2 * GIB)
    assert heads(acting, Queue.LARGE, memory=4 * GIB, worker="w") == {}
    assert heads(acting, Queue.LARGE, memory=4 * GIB, worker="w2") == {large: Queue.LARGE}
    tiny = executable(acting, Queue.MEDIUM, memory=claims.NEGLIGIBLE)
    assert heads(acting, Queue.MEDIUM, memory=4 * GIB, worker="w") == {tiny: Queue.MEDIUM}
    acting.cancel(running)
    assert large in heads(acting, Queue.LARGE, memory=4 * GIB, worker="w")


def test_of_two_processes_that_claimed_at_once_the_later_one_knows(acting: Acting) -> None:
    found = []
    for owner in ("w/1", "w/2"):
        executable(acting, Queue.LARGE, memory=3 * GIB)
        with acting.store.read() as tx:
            (head,) = claims.heads(tx, Queue.LARGE, memory=ROOMY)
        found.append(acting.take(head, owner=owner))
    first, second = found
    assert first is not None and second is not None
    with acting.store.read() as tx:
        assert claims.memory_in_use(tx, "w", before=first.fence) == 0
        assert claims.memory_in_use(tx, "w", before=second.fence) == 3 * GIB


def test_what_is_freed_is_hinted_at_where_it_waits(acting: Acting) -> None:
    waits, held = executable(acting, Queue.HUGE), executable(acting, Queue.SMALL)
    put(acting, held, owner="w/1")
    with acting.store.read() as tx:
        assert [(row.id, row.queue) for row in claims.waiting_in(tx, [waits, held])] == [(waits, "execution.huge")]


def test_a_move_names_the_queue_and_an_end_leaves_it(acting: Acting) -> None:
    job_id = acting.waiting_at(Stage.SCHEDULING)
    claim = acting.claim(Stage.SCHEDULING)
    with acting.store.begin() as tx:
        event = Event("Scheduled", "It is large.")
        moves.advance(tx, claim, [job_id], Phase.SCHEDULING, queue=Queue.LARGE, event=event, keep=False)
    row = acting.row(job_id)
    assert (row.stage, row.queue) == ("execution", "execution.large")
    acting.cancel(job_id)
    row = acting.row(job_id)
    assert (row.stage, row.queue) == (None, "execution.large")


def test_autoscalers_see_what_waits_and_may_start_and_what_runs(acting: Acting) -> None:
    for _ in range(2):
        executable(acting, Queue.LARGE)
    put(acting, executable(acting, Queue.LARGE), owner="w/1")
    put(acting, executable(acting, Queue.LARGE), not_before=moment(3600))
    executable(acting, Queue.HUGE)
    acting.cancel(executable(acting, Queue.MEDIUM))
    with acting.store.read() as tx:
        rows = tx.execute(text("SELECT queue, queued, running FROM autoscaling")).all()
        asked = "SELECT COALESCE(SUM(queued + running), 0) FROM autoscaling WHERE queue = 'execution.large'"
        assert tx.execute(text(asked)).scalar_one() == 3
        none = "SELECT COALESCE(SUM(queued + running), 0) FROM autoscaling WHERE queue = 'execution'"
        assert tx.execute(text(none)).scalar_one() == 0
    assert {tuple(row) for row in rows} == {("execution.large", 2, 1), ("execution.huge", 1, 0)}
