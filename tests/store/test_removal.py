"""Jobs that are deleted leave nothing but what they cost."""

from __future__ import annotations

import pytest
from sqlalchemy import inspect, text, update

from qtasks.errors import Conflict, NotFound
from qtasks.lifecycle import ConditionStatus, ConditionType, Phase
from qtasks.store import jobs, moves, notices, records, removal
from qtasks.store.tables import results
from tests.store.acting import Acting, circuit_row

CONDITION = records.Condition(ConditionType.VALIDATED, ConditionStatus.TRUE, "CircuitValid", "")
BOOKS = {"charges", "ledger"}


def final(acting: Acting, key: str) -> str:
    """A Completed job with its result in the object `key`."""
    claim = acting.running()
    (job_id,) = claim.ids
    acting.begin_attempts(claim)
    with acting.store.begin() as tx:
        moves.keep_circuits(tx, [circuit_row(job_id)])
        notices.expect(tx, [job_id])
        records.settle_condition(tx, [job_id], CONDITION)
    acting.finish(claim)
    with acting.store.begin() as tx:
        tx.execute(update(results).where(results.c.job_id == job_id).values(object_key=key))
    return job_id


def mentions(acting: Acting, job_id: str) -> set[str]:
    """The tables that still have a row of the job."""
    with acting.store.read() as tx:
        tables = [
            (table, "id" if table == "jobs" else "job_id")
            for table in inspect(tx).get_table_names()
            if table == "jobs" or "job_id" in {column["name"] for column in inspect(tx).get_columns(table)}
        ]
        value = job_id if tx.dialect.name == "postgresql" else job_id.replace("-", "")
        return {
            table
            for table, column in tables
            if tx.execute(text(f"SELECT 1 FROM {table} WHERE {column} = :id LIMIT 1"), {"id": value}).first()
        }


def test_nothing_is_left_of_a_deleted_job(acting: Acting) -> None:
    job_id = final(acting, "completed/ns/one/result-1.json")
    assert {"jobs", "inputs", "circuits", "attempts", "events", "conditions", "results", "notices"} <= mentions(
        acting, job_id
    )
    with acting.store.begin() as tx:
        assert removal.remove(tx, job_id).shared == "completed/ns/one/result-1.json"
    assert mentions(acting, job_id) <= BOOKS
    with acting.store.read() as tx, pytest.raises(NotFound):
        jobs.get(tx, job_id)


def test_an_object_of_many_results_goes_with_the_last_of_them(acting: Acting) -> None:
    first, second = (final(acting, "completed/ns/batches/b.jsonl") for _ in range(2))
    with acting.store.begin() as tx:
        assert removal.remove(tx, first).shared is None
        assert removal.remove(tx, second).shared == "completed/ns/batches/b.jsonl"


def test_a_job_that_goes_on_is_not_deleted(acting: Acting) -> None:
    (job_id,) = acting.running().ids
    with acting.store.begin() as tx, pytest.raises(Conflict) as refused:
        removal.remove(tx, job_id)
    assert refused.value.reason == "JobNotFinal" and acting.row(job_id).phase == Phase.RUNNING
