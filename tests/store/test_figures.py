"""What the database says for /metrics: everything once, and without reading what is long final."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert, text

from qtasks.lifecycle import Queue
from qtasks.store import Store, accounts, figures, upkeep
from qtasks.store.ids import new_id
from qtasks.store.tables import accounts as accounts_table
from qtasks.store.tables import decisions, jobs, provider_jobs
from qtasks.store.types import moment
from tests.support.servers import Postgres

_FILL = """
INSERT INTO jobs (id, namespace, name, priority, phase, stage, queue, batchable, shots, created_at, finished_at, owner,
    lease_until, fence, backend, account)
SELECT uuidv7(make_interval(secs => n - 30000)), 'ns-' || n % 50, 'job-' || n, (n % 4) * 3,
    CASE WHEN n > 20000 THEN 'Pending' ELSE 'Completed' END, CASE WHEN n BETWEEN 20001 AND 20400 THEN 'validation' END,
    'validation', true, 10, now(), CASE WHEN n <= 20000 THEN now() - make_interval(secs => 10 * (20000 - n)) END,
    CASE WHEN n BETWEEN 20001 AND 20100 THEN 'worker/1' END, now(), n, 'aer', CASE WHEN n > 20400 THEN 'lab' END
FROM generate_series(1, 20500) n
"""


def _job(tx: Connection, **values: Any) -> str:
    job_id = new_id()
    row = {
        "id": job_id,
        "namespace": "lab",
        "name": job_id,
        "priority": 6,
        "phase": "Pending",
        "stage": "validation",
        "queue": "validation",
        "batchable": False,
        "shots": 10,
        "created_at": moment(-30.0),
        "backend": "aer",
    }
    tx.execute(insert(jobs).values(**{**row, **values}))
    return job_id


def test_every_job_counts_once_and_those_that_ended_for_an_hour(store: Store) -> None:
    final = {"phase": "Completed", "stage": None, "cost_micros": 250_000}
    with store.begin() as tx:
        _job(tx)
        _job(tx, created_at=moment(-90.0))
        _job(tx, not_before=moment(-5.0), phase="Retrying")
        _job(tx, not_before=moment(60.0), phase="Retrying")
        _job(tx, owner="worker/1", phase="Validating", lease_until=moment(9.0))
        _job(tx, stage=None, account="ibm", phase="Running", backend="ibm_fez")
        _job(tx, **final, account="ibm", finished_at=moment(-5.0))
        _job(tx, **final, finished_at=moment(-3500.0))
        _job(tx, **final, finished_at=moment(-3700.0))
        _job(tx, **final, namespace="another", finished_at=moment(-3700.0))
    with store.read() as tx:
        found = {(one.state, one.phase): one for one in figures.groups(tx)}
    assert {key: one.jobs for key, one in found.items()} == {
        ("queued", "Pending"): 2,
        ("queued", "Retrying"): 1,
        ("later", "Retrying"): 1,
        ("running", "Validating"): 1,
        ("away", "Running"): 1,
        ("ended", "Completed"): 2,
    }
    assert found["ended", "Completed"].cost_micros == 500_000
    assert 90 <= found["queued", "Pending"].oldest_seconds < 100
    assert 5 <= found["queued", "Retrying"].oldest_seconds < 15
    assert found["running", "Validating"].queue == "validation"


def test_an_account_lags_that_is_due_and_not_visited(store: Store) -> None:
    with store.begin() as tx:
        for name in ("late", "visited", "idle"):
            accounts.ensure(tx, name, "ibm_quantum")
        due = {"late": moment(-400.0), "visited": moment(-400.0), "idle": moment(400.0)}
        for name, when in due.items():
            tx.execute(accounts_table.update().where(accounts_table.c.name == name).values(due_at=when, failures=2))
        visit = accounts.take_due(tx, owner="worker/1", lease_seconds=30.0, only="visited")
        assert visit is not None
    with store.read() as tx:
        found = {one.name: one for one in figures.of_accounts(tx)}
    assert 400 <= found["late"].lag_seconds < 410
    assert found["visited"].lag_seconds == found["idle"].lag_seconds == 0.0
    assert (found["late"].failures, found["late"].error_seconds) == (2, None)


def test_estimates_are_compared_with_the_latest_starts_of_an_account(store: Store) -> None:
    now = datetime.now(UTC)
    with store.begin() as tx:
        accounts.ensure(tx, "ibm", "ibm_quantum")
        tx.execute(accounts_table.update().values(polled_at=moment()))
        for waited, finished in ((100, 60.0), (40, 50.0), (130, 40.0), (9000, 200_000.0)):
            job_id = _job(tx, stage=None, phase="Completed", account="ibm", finished_at=moment(-finished))
            decided = now - timedelta(seconds=300)
            base = {"job_id": job_id, "attempt": 1, "account": "ibm", "device": "ibm_fez"}
            decision = {**base, "at": decided, "namespace": "lab", "wait_seconds": 60.0, "selection": {}}
            tx.execute(insert(decisions).values(**decision))
            there = {"tag": job_id, "state": "done", "compiled": {}, "intended_at": decided, "tried_at": decided}
            there |= {"running_at": decided + timedelta(seconds=waited), "finished_at": moment(-finished)}
            tx.execute(insert(provider_jobs).values(**base, **there))
    with store.read() as tx:
        (found,) = figures.of_accounts(tx)
    assert found.error_seconds == pytest.approx(40.0)
    assert found.bias_seconds == pytest.approx(40.0)


def test_workers_count_at_each_of_their_queues_while_they_are_heard_of(store: Store) -> None:
    with store.begin() as tx:
        for name, queues in (("a", [Queue.SMALL, Queue.MEDIUM]), ("b", [Queue.SMALL])):
            upkeep.report_worker(tx, name, queues=queues, memory=1, threads=1)
        tx.execute(text("UPDATE workers SET seen_at = started_at"))
    with store.read() as tx:
        assert figures.workers_by_queue(tx, within_seconds=60) == {"execution": 2, "execution.medium": 1}
        assert not figures.workers_by_queue(tx, within_seconds=-60)


@pytest.fixture(scope="module")
def full(postgres: Postgres) -> Iterator[Store]:
    """20,000 jobs of which the last 360 ended within the hour, 300 that wait, 100 held and 100 at a provider."""
    opened = Store(postgres.migrated())
    with opened.begin() as tx:
        tx.execute(text(_FILL))
    with opened.begin() as tx:
        tx.execute(text("ANALYZE jobs"))
    yield opened
    opened.close()


@pytest.mark.system
def test_jobs_that_are_long_final_are_not_read(full: Store) -> None:
    asked: list[tuple[str, Any]] = []
    note = lambda _c, _cursor, statement, given, *_: asked.append((statement, given))  # noqa: E731
    event.listen(full.engine, "before_cursor_execute", note)
    with full.read() as tx:
        found = figures.groups(tx)
    event.remove(full.engine, "before_cursor_execute", note)
    states = {state: sum(one.jobs for one in found if one.state == state) for state in ("queued", "running", "away")}
    assert states == {"queued": 300, "running": 100, "away": 100}
    assert 350 <= sum(one.jobs for one in found if one.state == "ended") <= 360
    statement, given = next(each for each in asked if "UNION ALL" in each[0])
    with full.read() as tx:
        plan = tx.exec_driver_sql("EXPLAIN (FORMAT JSON) " + statement, given).scalar_one()
    assert "Seq Scan" not in json.dumps(plan)
