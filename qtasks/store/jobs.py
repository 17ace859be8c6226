"""Jobs as their users know them: submitted, looked up, listed, cancelled."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Connection, Float, Row, and_, bindparam, exists, insert, select, text
from sqlalchemy.dialects import sqlite

from qtasks.errors import NotFound
from qtasks.lifecycle import Phase, Queue, Stage
from qtasks.store import lifetimes, notices
from qtasks.store.moves import base64_text, end_unclaimed
from qtasks.store.records import Event, record
from qtasks.store.tables import attempts, circuits, inputs, jobs, labels, provider_jobs, results
from qtasks.store.types import moment

AnyRow: TypeAlias = Row[*tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class NewJob:
    """A submission, ready to become rows."""

    id: str
    namespace: str
    name: str
    idempotency_key: str | None
    priority: int
    shots: int
    batchable: bool
    total_seconds: float | None
    labels: Mapping[str, str]
    resource: Mapping[str, Any]
    spec_hash: str
    format: str | None
    data: bytes | None
    object_key: str | None
    sha256: str | None
    """None while the circuit has yet to be fetched; so are format (unless it was given), data and object_key."""
    git_commit: str | None
    kept_seconds: float | None = None
    """After its end (`spec.ttlAfterFinished`); None: as long as its namespace keeps jobs."""

    @property
    def queue(self) -> Queue:
        """Where it is validated: what has yet to be fetched takes a way out of the network."""
        return Queue.FETCH if self.sha256 is None else Queue.VALIDATION


@dataclass(frozen=True, slots=True)
class Existing:
    """A job that already has the name or the idempotency key of a new one."""

    id: str
    name: str
    spec_hash: str
    by_key: bool


@dataclass(frozen=True, slots=True)
class Requirement:
    """One term of a label selector: `key=value`, `key!=value`, `key` or `!key` (values None)."""

    key: str
    values: tuple[str, ...] | None
    negated: bool = False


_SUBMITTED = Event("Submitted", "Waiting for validation.")


def submit(
    tx: Connection, new: Sequence[NewJob], *, source: str | None, event: Event = _SUBMITTED
) -> dict[str, Existing]:
    """Insert jobs with their inputs, labels and first event.

    Returns, by the new job's id, what was there already under its idempotency key or name; those were not inserted.
    """
    insert_all = _insert_at_once if tx.dialect.name == "postgresql" else _insert_in_steps
    inserted = insert_all(tx, new, event, source)
    labelled = [
        {"job_id": job.id, "namespace": job.namespace, "key": key, "value": value}
        for job in new
        if job.id in inserted
        for key, value in job.labels.items()
    ]
    if labelled:
        tx.execute(insert(labels), labelled)
    notices.expect(tx, [job.id for job in new if job.id in inserted and job.resource["spec"].get("webhook")])
    lifetimes.expect(
        tx, {job.id: job.kept_seconds for job in new if job.id in inserted and job.kept_seconds is not None}
    )
    return {job.id: _existing(tx, job) for job in new if job.id not in inserted}


def _insert_in_steps(tx: Connection, new: Sequence[NewJob], event: Event, source: str | None) -> set[str]:
    statement: Any = sqlite.insert(jobs).values(
        created_at=moment(), deadline=moment(bindparam("total_seconds", type_=Float(53)))
    )
    rows = [_job_row(job) for job in new]
    inserted = {row.id for row in tx.execute(statement.on_conflict_do_nothing().returning(jobs.c.id), rows)}
    fresh = [job for job in new if job.id in inserted]
    if fresh:
        tx.execute(insert(inputs), [_input_row(job) for job in fresh])
        record(tx, inserted, event, source=source)
    return inserted


# Many rows as one JSON text (see moves), and a document that many jobs share only once.
_INSERT = text("""
WITH new AS (
    SELECT * FROM json_to_recordset(CAST(:rows AS json))
        AS n(id uuid, namespace text, name text, idempotency_key text, priority smallint, queue text,
            shots integer, batchable boolean, total_seconds double precision, document integer, spec_hash text,
            format text, data text, object_key text, sha256 text, git_commit text)
), inserted AS (
    INSERT INTO jobs (id, namespace, name, idempotency_key, priority, phase, stage, queue, batchable, shots,
        created_at, deadline)
    SELECT id, namespace, name, idempotency_key, priority, :phase, :stage, queue, batchable, shots,
        statement_timestamp(), statement_timestamp() + make_interval(secs => total_seconds)
    FROM new ORDER BY namespace, coalesce(idempotency_key, ''), name
    ON CONFLICT DO NOTHING RETURNING id
), kept AS (
    INSERT INTO inputs (job_id, resource, spec_hash, format, data, object_key, sha256, git_commit)
    SELECT id, documents.document, spec_hash, format, decode(data, 'base64'), object_key, sha256, git_commit
    FROM new JOIN inserted USING (id)
    JOIN jsonb_array_elements(CAST(:documents AS jsonb)) WITH ORDINALITY AS documents(document, place)
        ON documents.place = new.document
), noted AS (
    INSERT INTO events (job_id, at, reason, message, attempt, source)
    SELECT id, clock_timestamp(), :reason, :message, 1, :source FROM inserted
)
SELECT id FROM inserted
""").columns(jobs.c.id)


def _insert_at_once(tx: Connection, new: Sequence[NewJob], event: Event, source: str | None) -> set[str]:
    places: dict[int, int] = {}
    documents = []
    for job in new:
        if id(job.resource) not in places:
            documents.append(job.resource)
            places[id(job.resource)] = len(documents)
    rows = [
        {
            "id": job.id,
            "namespace": job.namespace,
            "name": job.name,
            "idempotency_key": job.idempotency_key,
            "priority": job.priority,
            "queue": job.queue.value,
            "shots": job.shots,
            "batchable": job.batchable,
            "total_seconds": job.total_seconds,
            "document": places[id(job.resource)],
            "spec_hash": job.spec_hash,
            "format": job.format,
            "data": base64_text(job.data),
            "object_key": job.object_key,
            "sha256": job.sha256,
            "git_commit": job.git_commit,
        }
        for job in new
    ]
    parameters = {
        "rows": json.dumps(rows),
        "documents": json.dumps(documents),
        "phase": Phase.PENDING.value,
        "stage": Stage.VALIDATION.value,
        "reason": event.reason,
        "message": event.message,
        "source": source,
    }
    return {row.id for row in tx.execute(_INSERT, parameters)}


def _job_row(job: NewJob) -> dict[str, Any]:
    return {
        "id": job.id,
        "namespace": job.namespace,
        "name": job.name,
        "idempotency_key": job.idempotency_key,
        "priority": job.priority,
        "phase": Phase.PENDING.value,
        "stage": Stage.VALIDATION.value,
        "queue": job.queue.value,
        "batchable": job.batchable,
        "shots": job.shots,
        "total_seconds": job.total_seconds,
    }


def _input_row(job: NewJob) -> dict[str, Any]:
    return {
        "job_id": job.id,
        "resource": job.resource,
        "spec_hash": job.spec_hash,
        "format": job.format,
        "data": job.data,
        "object_key": job.object_key,
        "sha256": job.sha256,
        "git_commit": job.git_commit,
    }


def _existing(tx: Connection, job: NewJob) -> Existing:
    columns = select(jobs.c.id, jobs.c.name, inputs.c.spec_hash).join(inputs).where(jobs.c.namespace == job.namespace)
    if job.idempotency_key is not None:
        row = tx.execute(columns.where(jobs.c.idempotency_key == job.idempotency_key)).first()
        if row is not None:
            return Existing(row.id, row.name, row.spec_hash, by_key=True)
    row = tx.execute(columns.where(jobs.c.name == job.name)).one()
    return Existing(row.id, row.name, row.spec_hash, by_key=False)


_AT_PROVIDER = (
    "device",
    "tag",
    "provider_job_id",
    "session",
    "state",
    "settled",
    "isa_key",
    "calibration_key",
    "estimated_seconds",
    "quantum_seconds",
    "cost_micros",
    "price",
    "queue_position",
    "starts_at",
    "intended_at",
    "submitted_at",
    "running_at",
    "finished_at",
)
"""What is shown of the latest attempt's provider job, each as `provider_…`; all None for a job that has none."""


def _at_provider(name: str) -> Any:
    return provider_jobs.c[name].label(f"provider_{name.removeprefix('provider_')}")


_SAME_ATTEMPT = and_(provider_jobs.c.job_id == jobs.c.id, provider_jobs.c.attempt == jobs.c.attempt)

_FULL = (
    select(
        *jobs.c,
        inputs.c.resource,
        inputs.c.format,
        inputs.c.sha256.label("input_sha256"),
        inputs.c.git_commit,
        inputs.c.origin,
        circuits.c.fingerprint,
        circuits.c.analysis,
        results.c.object_key.label("result_key"),
        results.c.offset.label("result_offset"),
        results.c.length.label("result_length"),
        results.c.sha256.label("result_sha256"),
        results.c.expired_at.label("result_expired_at"),
        results.c.counts,
        results.c.metrics,
        *map(_at_provider, _AT_PROVIDER),
    )
    .select_from(jobs)
    .join(inputs)
    .outerjoin(circuits)
    .outerjoin(results)
    .outerjoin(provider_jobs, _SAME_ATTEMPT)
)
_COLLECTED = _FULL.add_columns(provider_jobs.c.compiled.label("provider_compiled"))


def get(tx: Connection, job_id: str) -> AnyRow:
    """Everything about one job; raises NotFound (reason `JobNotFound`)."""
    row = tx.execute(_FULL.where(jobs.c.id == job_id)).first()
    if row is None:
        raise _not_found(job_id, None)
    return row


def get_all(tx: Connection, ids: Sequence[str]) -> dict[str, AnyRow]:
    """Everything about those jobs of `ids` that there are, by id, and in `provider_compiled` about the ISA circuit."""
    return {row.id: row for row in tx.execute(_COLLECTED.where(jobs.c.id.in_(list(ids))))}


def ids_at_providers(tx: Connection, namespace: str) -> list[str]:
    """The jobs of a namespace that are, were or will be at a provider, the oldest first."""
    there = select(jobs.c.id).where(jobs.c.namespace == namespace, jobs.c.account.isnot(None)).order_by(jobs.c.id)
    return [row.id for row in tx.execute(there)]


def ids_by_name(tx: Connection, namespace: str, names: Sequence[str]) -> dict[str, str]:
    """The ids of those jobs of a namespace that there are, by name."""
    rows = select(jobs.c.name, jobs.c.id).where(jobs.c.namespace == namespace, jobs.c.name.in_(list(names)))
    return {row.name: row.id for row in tx.execute(rows)}


def id_of(tx: Connection, namespace: str, name: str) -> str:
    """The id of the job `name` in `namespace`; raises NotFound (reason `JobNotFound`)."""
    found = tx.execute(select(jobs.c.id).where(jobs.c.namespace == namespace, jobs.c.name == name)).scalar()
    if found is None:
        raise _not_found(name, namespace)
    return str(found)


def _not_found(what: str, namespace: str | None) -> NotFound:
    where = f" in namespace {namespace}" if namespace else ""
    return NotFound(
        f"There is no job {what}{where}.", reason="JobNotFound", hint="`qtasks get jobs -A` lists what there is."
    )


def phases(tx: Connection, ids: Iterable[str]) -> dict[str, Phase]:
    """The phase of each job in `ids` that exists."""
    rows = tx.execute(select(jobs.c.id, jobs.c.phase).where(jobs.c.id.in_(list(ids))))
    return {row.id: Phase(row.phase) for row in rows}


def walk(
    tx: Connection,
    *,
    namespace: str | None,
    phase: Phase | None = None,
    selector: Sequence[Requirement] = (),
    backend: str | None = None,
    priority: int | None = None,
    since: datetime | None = None,
    before: str | None = None,
    limit: int,
) -> list[AnyRow]:
    """Up to `limit` jobs, newest first, older than job id `before`; `since`: submitted then or later."""
    query = _FULL.order_by(jobs.c.id.desc()).limit(limit)
    if namespace is not None:
        query = query.where(jobs.c.namespace == namespace)
    if phase is not None:
        query = query.where(jobs.c.phase == phase.value)
    if backend is not None:
        query = query.where(jobs.c.backend == backend)
    if priority is not None:
        query = query.where(jobs.c.priority == priority)
    if since is not None:
        query = query.where(jobs.c.created_at >= since)
    if before is not None:
        query = query.where(jobs.c.id < before)
    for term in selector:
        query = query.where(_matches(term))
    return list(tx.execute(query))


def _matches(term: Requirement) -> Any:
    same = and_(labels.c.job_id == jobs.c.id, labels.c.namespace == jobs.c.namespace, labels.c.key == term.key)
    if term.values is not None:
        same = and_(same, labels.c.value.in_(term.values))
    found = exists().where(same)
    return ~found if term.negated else found


_PAYLOAD = (
    select(
        jobs.c.id,
        jobs.c.backend,
        jobs.c.account,
        inputs.c.resource,
        inputs.c.format,
        inputs.c.data,
        inputs.c.object_key.label("input_key"),
        inputs.c.sha256,
        inputs.c.git_commit,
        inputs.c.origin,
        circuits.c.fingerprint,
        circuits.c.analysis,
        circuits.c.qpy,
        circuits.c.object_key.label("circuit_key"),
    )
    .select_from(jobs)
    .join(inputs)
    .outerjoin(circuits)
)
_PAYLOADS_AT_ONCE = _PAYLOAD.where(text("jobs.id = ANY(CAST(string_to_array(:ids, ',') AS uuid[]))"))


def payload(tx: Connection, ids: Sequence[str]) -> Iterator[Any]:
    """What the stages work from: the resource, the input, and the checked circuit once there is one."""
    if tx.dialect.name == "postgresql":
        yield from tx.execute(_PAYLOADS_AT_ONCE, {"ids": ",".join(ids)})
    else:
        yield from tx.execute(_PAYLOAD.where(jobs.c.id.in_(list(ids))))


def attempts_of(tx: Connection, job_id: str) -> list[AnyRow]:
    """The attempts of a job, first to last, each with its provider job where it has one."""
    same = and_(provider_jobs.c.job_id == attempts.c.job_id, provider_jobs.c.attempt == attempts.c.attempt)
    shown = map(_at_provider, ("account", "provider_job_id", "state", "quantum_seconds"))
    rows = select(*attempts.c, *shown).outerjoin(provider_jobs, same).where(attempts.c.job_id == job_id)
    return list(tx.execute(rows.order_by(attempts.c.attempt)))


def cancel(tx: Connection, ids: Sequence[str], *, source: str | None) -> list[str]:
    """Cancel those of `ids` that are not final; returns them. Whoever runs one finds its claim gone."""
    event = Event("Cancelled", "Cancelled by request.")
    return end_unclaimed(tx, jobs.c.id.in_(list(ids)), Phase.CANCELLED, event=event, source=source)
