"""What workers, lists and the reconciler ask is answered by an index, however many jobs are finished."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from qtasks.errors import NotFound
from qtasks.lifecycle import Phase, Queue, Stage
from qtasks.store import (
    Store,
    accounts,
    claims,
    inputs,
    jobs,
    lifetimes,
    moves,
    notices,
    outputs,
    pointers,
    provider_jobs,
    records,
    removal,
    retention,
    stored,
    upkeep,
)
from qtasks.store.claims import Head
from qtasks.store.ids import new_id
from qtasks.store.jobs import Requirement
from qtasks.store.tables import jobs as jobs_table
from tests.store.acting import ROOMY, Acting
from tests.store.retaining import DAY
from tests.support.servers import Postgres

pytestmark = pytest.mark.system

_FILL = """
INSERT INTO jobs (id, namespace, name, idempotency_key, priority, phase, stage, batchable, shots, deadline, created_at,
                  finished_at, owner, lease_until, fence, aftercare)
SELECT uuidv7(make_interval(secs => n - 30000)),
       CASE WHEN n % 1000 = 0 THEN 'small' ELSE 'ns-' || n % 50 END, 'job-' || n, 'key-' || n, (n % 2) * 3,
       CASE WHEN n > 20000 THEN 'Pending' WHEN n % 10 = 0 THEN 'Failed' ELSE 'Completed' END,
       CASE WHEN n > 20000 THEN 'validation' END, n % 2 = 0, 1024, now() + make_interval(secs => n),
       now() + make_interval(secs => n - 30000), CASE WHEN n <= 20000 THEN now() END,
       CASE WHEN n > 20100 THEN 'worker/' || n % 4 END, CASE WHEN n > 20100 THEN now() END, n, n % 5000 = 0
FROM generate_series(1, 20200) n
"""
_BESIDE = (
    """INSERT INTO inputs (job_id, resource, spec_hash, data, sha256)
       SELECT id, to_jsonb(repeat(md5(name), 20)), repeat('a', 64), repeat(md5(name), 20)::bytea, repeat('b', 64)
       FROM jobs""",
    "INSERT INTO labels (job_id, namespace, key, value) SELECT id, namespace, 'n', substr(name, 5) FROM jobs",
    """INSERT INTO circuits (job_id, fingerprint, analysis, qpy)
       SELECT id, CASE WHEN name LIKE '%777' THEN repeat('c', 64) ELSE repeat(md5(name), 2) END,
           to_jsonb(repeat(md5(name), 10)), repeat(md5(name), 30)::bytea FROM jobs""",
    """INSERT INTO results (job_id, attempt, object_key, "offset", length, sha256, counts, metrics)
       SELECT id, 1, name, 0, 0, repeat('d', 64), to_jsonb(repeat(md5(name), 10)), to_jsonb(repeat(md5(name), 15))
       FROM jobs WHERE phase = 'Completed'""",
    """INSERT INTO events (job_id, at, reason, message, attempt)
       SELECT id, now(), 'Step' || n, '', 1 FROM jobs, generate_series(1, 5) n""",
    """INSERT INTO conditions (job_id, type, status, reason, message, changed_at)
       SELECT id, 'Type' || n, 'True', '', '', now() FROM jobs, generate_series(1, 4) n""",
    "INSERT INTO attempts (job_id, attempt, started_at) SELECT id, 1, now() FROM jobs",
    """INSERT INTO provider_jobs (job_id, attempt, account, device, tag, provider_job_id, state, settled, compiled,
           quantum_seconds, intended_at, tried_at, finished_at)
       SELECT id, 1, 'lab-' || fence % 5, 'ibm_fez', 'qtasks-' || name, 'p-' || name, 'done', fence % 1000 > 0,
           to_jsonb(repeat(md5(name), 10)), 2.0, now(), now(),
           created_at - make_interval(days => (fence % 90)::int) FROM jobs""",
    """INSERT INTO notices (job_id, state, tries, due_at)
       SELECT id, CASE WHEN fence > 20180 THEN 'due' ELSE 'sent' END, 1, created_at FROM jobs""",
    """INSERT INTO outputs (job_id, state, tries, since, due_at)
       SELECT id, CASE WHEN fence % 1000 > 0 THEN 'delivered' ELSE 'due' END, 1, created_at, created_at FROM jobs""",
    """INSERT INTO charges (job_id, attempt, namespace, labels, state, price, periods, at, changed_at)
       SELECT id, 1, namespace, '{}', 'settled', '', '[]', created_at, created_at FROM jobs""",
    """INSERT INTO audit (at, verb, namespace, object, allowed, reason)
       SELECT created_at, 'submit', namespace, name, true, 'Allowed' FROM jobs""",
    """INSERT INTO past_uses (account, finished_at, quantum_seconds)
       SELECT 'lab-' || fence % 5, created_at - make_interval(days => (fence % 90)::int), 2.0 FROM jobs""",
    "INSERT INTO lifetimes (job_id, seconds, due_at) SELECT id, 3600, created_at + interval '1 day' FROM jobs",
)


@pytest.fixture(scope="module")
def full(postgres: Postgres) -> Iterator[Acting]:
    """20,000 finished jobs, 100 that wait and 100 that are held."""
    store = Store(postgres.migrated())
    with store.begin() as tx:
        for statement in (_FILL, *_BESIDE):
            tx.execute(text(statement))
    with store.begin() as tx:
        tx.execute(text("ANALYZE"))
    yield Acting(store)
    store.close()


HEAD = Head(new_id(), "job-20001", Queue.VALIDATION, "ns-1", 3, 1.0, batchable=True)
ALONE = Head(new_id(), "job-20001", Queue.VALIDATION, "ns-1", 3, 1.0, batchable=False)
OPTIONS: dict[str, Any] = {"limit": 100, "memory": ROOMY, "owner": "worker/1", "lease_seconds": 30.0}
WORK = Queue.of(Stage.VALIDATION, Stage.SCHEDULING, Stage.EXECUTION)
HUNDRED = [new_id() for _ in range(100)]
CLAIM = claims.Claim(7, "worker/1", Stage.EXECUTION, ())
EVENT = records.Event("Done", "…")
CIRCUIT: dict[str, Any] = {"fingerprint": "c" * 64, "namespace": "ns-1", "shots": 1024, "seed": 7, "limit": 20}
FETCHED = inputs.FetchedInput("qasm2", b"", None, "b" * 64, "https://circuits.example", None)

ASKED: dict[str, Callable[[Connection], object]] = {
    "heads": lambda tx: claims.heads(tx, Queue.VALIDATION, memory=ROOMY),
    "heads of all stages": lambda tx: claims.heads(tx, *WORK, memory=ROOMY),
    "heads within limits": lambda tx: claims.heads(tx, *WORK, memory=ROOMY, limits=True),
    "take a batch": lambda tx: claims.take(tx, HEAD, **OPTIONS),
    "take one": lambda tx: claims.take(tx, ALONE, **OPTIONS),
    "renew": lambda tx: claims.renew(tx, "worker/1", [(job_id, 7) for job_id in HUNDRED], lease_seconds=30.0),
    "still held": lambda tx: claims.still_held(tx, "worker/1", [(job_id, 7) for job_id in HUNDRED]),
    "expire": lambda tx: claims.expire(tx, limit=10),
    "memory in use": lambda tx: claims.memory_in_use(tx, "worker"),
    "finish": lambda tx: moves.finish(tx, CLAIM, HUNDRED, Phase.COMPLETED, event=EVENT),
    "cancel": lambda tx: jobs.cancel(tx, HUNDRED[:1], source=None),
    "end overdue": lambda tx: upkeep.end_overdue(tx),
    "end hopeless": lambda tx: upkeep.end_hopeless(tx, max_takeovers=3, where=jobs_table.c.id.in_(HUNDRED)),
    "loose ends": lambda tx: upkeep.loose_ends(tx, older_than_seconds=20.0, limit=500),
    "open jobs": lambda tx: upkeep.open_jobs(tx),
    "list": lambda tx: jobs.walk(tx, namespace="ns-1", limit=100),
    "list of a small namespace": lambda tx: jobs.walk(tx, namespace="small", limit=100),
    "list, next page": lambda tx: jobs.walk(tx, namespace="ns-1", limit=100, before=new_id()),
    "list of a phase": lambda tx: jobs.walk(tx, namespace="ns-1", phase=Phase.FAILED, limit=100),
    "list of a rare phase": lambda tx: jobs.walk(tx, namespace="ns-1", phase=Phase.RUNNING, limit=100),
    "list of all": lambda tx: jobs.walk(tx, namespace=None, limit=100),
    "list of all, next page": lambda tx: jobs.walk(tx, namespace=None, limit=100, before=new_id()),
    "list of a phase of all": lambda tx: jobs.walk(tx, namespace=None, phase=Phase.PENDING, limit=100),
    "list by label": lambda tx: jobs.walk(tx, namespace="ns-1", selector=[Requirement("n", ("1", "51"))], limit=100),
    "a name": lambda tx: jobs.id_of(tx, "ns-1", "job-1"),
    "one job": lambda tx: jobs.walk(tx, namespace="ns-1", limit=1),
    "phases": lambda tx: jobs.phases(tx, HUNDRED),
    "payload": lambda tx: list(jobs.payload(tx, HUNDRED)),
    "attempts": lambda tx: jobs.attempts_of(tx, HUNDRED[0]),
    "events": lambda tx: records.events_of(tx, HUNDRED[0], after=3),
    "conditions": lambda tx: records.conditions_of(tx, HUNDRED),
    "results of a circuit": lambda tx: stored.results_of(tx, **CIRCUIT),
    "what is open at a provider": lambda tx: provider_jobs.open_at(tx, "lab-1"),
    "a provider's job": lambda tx: provider_jobs.by_provider_id(tx, "p-job-7"),
    "the load of an account": lambda tx: accounts.load(tx, "lab-1"),
    "the use of an account": lambda tx: accounts.uses(tx, "lab-1", days=2),
    "jobs to remove": lambda tx: retention.removable(tx, "ns-1", older_than_seconds=DAY, limit=200),
    "jobs to remove, none of which is old": lambda tx: retention.removable(
        tx, "ns-1", older_than_seconds=9e8, limit=200
    ),
    "events to remove": lambda tx: retention.passed(tx, "events", "ns-1", older_than_seconds=DAY, limit=200),
    "objects to remove": lambda tx: retention.passed(tx, "objects", "ns-1", older_than_seconds=DAY, limit=200),
    "entries to remove": lambda tx: retention.forget_audit(tx, "ns-1", older_than_seconds=DAY, limit=200),
    "namespaces": lambda tx: retention.namespaces(tx),
    "lifetimes": lambda tx: lifetimes.over(tx, limit=200),
    "a removal": lambda tx: removal.remove_all(tx, HUNDRED[:10]),
    "an expiry": lambda tx: retention.expire(tx, HUNDRED[:10]),
    "results in objects": lambda tx: pointers.with_results(tx, ["job-1", "job-2"]),
    "turns": lambda tx: accounts.unpark(tx, "lab-1", limit=5, ageing_seconds=600.0),
    "notices to send": lambda tx: notices.take(tx, lease_seconds=60.0),
    "outputs to deliver": lambda tx: outputs.take(tx, lease_seconds=60.0),
    "keep what was fetched": lambda tx: inputs.keep(tx, CLAIM, HUNDRED[0], FETCHED, event=EVENT),
}


SMALL = {"tenants", "retention"}
"""Some namespaces have limits, and a few tasks in each have come somewhere: their few rows are best read at once."""


@pytest.mark.parametrize("asked", ASKED)
def test_no_table_of_jobs_is_read_from_end_to_end(full: Acting, asked: str) -> None:
    for statement, plan in _plans(full, ASKED[asked]):
        read = {node["Relation Name"] for node in _nodes(plan) if node["Node Type"] == "Seq Scan"}
        assert read <= SMALL, f"{statement}\n{json.dumps(plan, indent=1)}"


INDEXES = {
    "heads": "ix_jobs_waiting",
    "take a batch": "ix_jobs_waiting",
    "expire": "ix_jobs_leases",
    "end overdue": "ix_jobs_deadlines",
    "loose ends": "ix_jobs_aftercare",
    "list of a small namespace": "ix_jobs_list",
    "list of a phase": "ix_jobs_list_phase",
    "list of all": "pk_jobs",
    "a name": "uq_jobs_namespace_name",
    "events": "ix_events_job",
    "conditions": "pk_conditions",
    "results of a circuit": "ix_circuits_fingerprint",
    "jobs to remove": "ix_jobs_finished",
    "events to remove": "ix_jobs_finished",
    "lifetimes": "ix_lifetimes_due",
    "results in objects": "ix_results_object",
}


@pytest.mark.parametrize("asked", INDEXES)
def test_a_question_is_answered_by_the_index_that_was_made_for_it(full: Acting, asked: str) -> None:
    used = {node.get("Index Name") for _, plan in _plans(full, ASKED[asked]) for node in _nodes(plan)}
    assert INDEXES[asked] in used


@pytest.mark.parametrize(
    ("asked", "column"), [("expire", "lease_until"), ("end overdue", "deadline"), ("loose ends", "finished_at")]
)
def test_times_are_searched_for_rather_than_compared_one_by_one(full: Acting, asked: str, column: str) -> None:
    conditions = [node.get("Index Cond", "") for _, plan in _plans(full, ASKED[asked]) for node in _nodes(plan)]
    assert any(f"{column} < " in condition for condition in conditions)


@pytest.mark.parametrize(("asked", "queues"), [("heads", 1), ("heads of all stages", 8)])
def test_each_step_of_the_heads_is_one_search_that_reads_one_row(full: Acting, asked: str, queues: int) -> None:
    found = len(full.heads())
    assert found < 100, "some wait behind the heads"
    ((_, plan),) = _plans(full, ASKED[asked])
    assert not [node for node in _nodes(plan) if node["Node Type"] == "Sort"]
    steps = [node for node in _nodes(plan) if node.get("Alias", "").startswith("j_")]
    searches = [node for node in steps if node["Index Name"] == "ix_jobs_waiting"]
    assert searches == steps
    assert sum(node["Actual Loops"] for node in searches) == found + queues
    assert all(node["Actual Rows"] <= 1 and node["Rows Removed by Filter"] == 0 for node in searches)
    assert any("ROW(" in node["Index Cond"] for node in searches)


def test_sqlite_reads_no_table_from_end_to_end_either(migrated_file: Path) -> None:
    store = Store(f"sqlite:///{migrated_file}")
    for asked, ask in ASKED.items():
        for statement, parameters in _statements(store, ask):
            with store.read() as tx:
                plan = [row[3] for row in tx.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, parameters)]
            scans = {step for step in plan if step.startswith("SCAN ") and "USING" not in step}
            parts = (
                "CONSTANT ROW",
                "picked",
                "heads",
                "newest",
                "waiting",
                "(subquery-3)",
                *(f"heads_of_{queue.name.lower()}" for queue in Queue),
            )
            few = {f"SCAN {part}" for part in parts}
            assert scans <= few, asked
    store.close()


def _statements(store: Store, ask: Callable[[Connection], object]) -> list[tuple[str, Any]]:
    """The statements that a question makes, less those that make new rows; what they change is rolled back."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if not statement.startswith(("INSERT", "DELETE FROM fences", "SELECT nextval")):
            asked.append((statement, parameters))

    with store.engine.connect() as connection:
        event.listen(connection, "before_cursor_execute", note)
        with suppress(NotFound):
            ask(connection)
        event.remove(connection, "before_cursor_execute", note)
        connection.rollback()
    assert asked
    return asked


def _plans(acting: Acting, ask: Callable[[Connection], object]) -> list[tuple[str, dict[str, Any]]]:
    """The statements that a question makes, each with how PostgreSQL carried it out."""
    plans = []
    for statement, parameters in _statements(acting.store, ask):
        with acting.store.engine.connect() as connection:
            found = connection.exec_driver_sql("EXPLAIN (ANALYZE, FORMAT JSON) " + statement, parameters).scalar()
            plans.append((statement, found[0]["Plan"]))
            connection.rollback()
    return plans


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)
