"""Only so many jobs of a namespace run: the others wait, cost nothing, and keep nobody else from running."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import func, select, update

from qtasks.lifecycle import Phase, Queue, Stage
from qtasks.store import claims, tables, tenants
from qtasks.store.claims import Head
from qtasks.store.tenants import Limits
from tests.store.acting import ROOMY, Acting


def limit(acting: Acting, *limits: Limits) -> None:
    with acting.store.begin() as tx:
        tenants.keep(tx, limits)


def at_execution(acting: Acting, number: int, namespace: str = "default", **changes: object) -> list[str]:
    """Jobs that wait to be executed."""
    ids = [acting.submitted(namespace=namespace, **changes) for _ in range(number)]
    scheduled = {"phase": Phase.SCHEDULING.value, "stage": Stage.EXECUTION.value, "queue": "execution"}
    with acting.store.begin() as tx:
        tx.execute(update(tables.jobs).where(tables.jobs.c.id.in_(ids)).values(**scheduled))
    return ids


def heads(acting: Acting, stage: Stage = Stage.EXECUTION) -> list[Head]:
    with acting.store.read() as tx:
        return claims.heads(tx, *Queue.of(stage), memory=ROOMY, limits=True)


def waiting(acting: Acting) -> set[str]:
    """The namespaces of which a job may start."""
    return {head.namespace for head in heads(acting)}


def test_a_batch_is_as_large_as_there_is_room(acting: Acting) -> None:
    limit(acting, Limits("default", concurrency=3))
    at_execution(acting, 10)
    at_execution(acting, 2, "free")
    (head,) = [head for head in heads(acting) if head.namespace == "default"]
    assert head.limited
    claim = acting.take(head, Stage.EXECUTION, limit=200)
    assert claim is not None and len(claim.jobs) == 3
    assert waiting(acting) == {"free"}
    # Whoever saw the head before is told nothing either.
    assert acting.take(head, Stage.EXECUTION, limit=200) is None
    acting.finish(claim, ids=claim.ids[:1])
    assert waiting(acting) == {"default", "free"}
    (head,) = [head for head in heads(acting) if head.namespace == "default"]
    again = acting.take(head, Stage.EXECUTION, limit=200)
    assert again is not None and len(again.jobs) == 1


def test_a_namespace_without_a_limit_is_not_counted(acting: Acting) -> None:
    limit(acting, Limits("default", weight=2.0))
    at_execution(acting, 5)
    (head,) = heads(acting)
    assert not head.limited
    claim = acting.take(head, Stage.EXECUTION, limit=200)
    assert claim is not None and len(claim.jobs) == 5


def test_a_limit_of_none_holds_all_and_validation_goes_on(acting: Acting) -> None:
    limit(acting, Limits("default", concurrency=0))
    at_execution(acting, 2)
    acting.submitted()
    assert waiting(acting) == set()
    assert [head.limited for head in heads(acting, Stage.VALIDATION)] == [False]
    limit(acting)
    assert waiting(acting) == {"default"}


@pytest.mark.parametrize("batchable", [True, False])
def test_however_many_claim_at_once_no_more_run_than_may(acting: Acting, batchable: bool) -> None:
    limit(acting, Limits("default", concurrency=4))
    at_execution(acting, 30, batchable=batchable)
    together = threading.Barrier(6)

    def claim() -> None:
        together.wait()
        for _ in range(5):
            for head in heads(acting):
                acting.take(head, Stage.EXECUTION, limit=3, owner=f"worker/{threading.get_ident()}")

    threads = [threading.Thread(target=claim) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    running = select(func.count()).select_from(tables.jobs).where(tables.jobs.c.phase == Phase.RUNNING.value)
    with acting.store.read() as tx:
        assert tx.execute(running).scalar_one() == 4
        assert claims.heads(tx, *Queue.of(Stage.EXECUTION), memory=ROOMY, limits=True) == []
