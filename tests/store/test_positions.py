"""Where a waiting job stands among the others."""

from __future__ import annotations

from sqlalchemy import update

from qtasks.lifecycle import Phase, Queue, Stage
from qtasks.store.positions import positions
from qtasks.store.tables import jobs
from qtasks.store.types import moment
from tests.store.acting import Acting

AGEING = 600.0


def places(acting: Acting, *ids: str) -> dict[str, int]:
    rows = [acting.row(job_id) for job_id in ids]
    with acting.store.read() as tx:
        return positions(tx, rows, ageing_seconds=AGEING)


def put(acting: Acting, job_id: str, **values: object) -> None:
    with acting.store.begin() as tx:
        tx.execute(update(jobs).where(jobs.c.id == job_id).values(**values))


def parked(acting: Acting, account: str, **changes: object) -> str:
    job_id = acting.submitted(**changes)
    put(acting, job_id, account=account, stage=None, phase=Phase.SCHEDULING.value)
    return job_id


def test_the_urgent_go_first_and_namespaces_in_turn(acting: Acting) -> None:
    one, two, three = (acting.submitted(namespace="lab") for _ in range(3))
    other = acting.submitted(namespace="ops")
    low = acting.submitted(namespace="ops", priority=9)
    urgent = acting.submitted(namespace="lab", priority=0)
    assert places(acting, urgent, one, other, two, three, low) == {
        urgent: 1,
        one: 2,
        other: 3,
        two: 4,
        three: 5,
        low: 6,
    }
    assert places(acting, three) == {three: 5}


def test_waiting_lifts_a_job_as_it_does_when_it_is_taken(acting: Acting) -> None:
    low, normal, high = (acting.submitted(priority=priority) for priority in (9, 6, 3))
    put(acting, low, created_at=moment(-2 * AGEING - 1))
    put(acting, normal, created_at=moment(-AGEING + 60))
    assert places(acting, low, high, normal) == {low: 1, high: 2, normal: 3}


def test_each_account_and_stage_is_a_queue_of_its_own(acting: Acting) -> None:
    here = acting.submitted()
    lab, labs_next, aws = parked(acting, "lab"), parked(acting, "lab"), parked(acting, "aws")
    assert places(acting, here, lab, labs_next, aws) == {here: 1, lab: 1, labs_next: 2, aws: 1}
    put(acting, here, stage=Stage.EXECUTION.value, queue=Queue.SMALL.value)
    assert places(acting, here) == {here: 1}


def test_who_is_held_not_due_or_done_stands_in_no_queue(acting: Acting) -> None:
    later, held, done, waits = (acting.submitted() for _ in range(4))
    put(acting, later, not_before=moment(60))
    put(acting, held, owner="worker/1")
    put(acting, done, stage=None, phase=Phase.COMPLETED.value, finished_at=moment())
    assert places(acting, later, held, done, waits) == {waits: 1}
    assert places(acting, done) == {}
