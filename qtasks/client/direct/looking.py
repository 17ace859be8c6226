"""Looking jobs up: found, listed, described, their results read."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from qtasks.access import Verb, job_not_found
from qtasks.client import asking, standing
from qtasks.client.document import document
from qtasks.client.gateway import Document, Handle, Query
from qtasks.client.selector import parse_selector
from qtasks.client.submission import is_id
from qtasks.errors import Conflict, JobFailed, NotFound, QTasksError
from qtasks.lifecycle import Phase
from qtasks.results import timestamp
from qtasks.store import jobs, provider_jobs, records

if TYPE_CHECKING:
    from qtasks.client.direct.direct import Direct
    from qtasks.objects import ObjectStore

_CHUNK = 1000


def find(direct: Direct, what: str, namespace: str) -> Handle:
    """See `Gateway.find`."""
    if is_id(what):
        row = row_of(direct, str(uuid.UUID(what)))
        return Handle(row.id, row.name, row.namespace)
    with direct.store.read() as tx:
        try:
            found, there = jobs.id_of(tx, namespace, what), None
        except NotFound:
            there = provider_jobs.by_provider_id(tx, what)
            if there is None:
                raise
    if there is not None:
        row = row_of(direct, there.job_id, asked=what, within=namespace)
        return Handle(row.id, row.name, row.namespace)
    direct.guard.job(Verb.GET, found, namespace, asked=what, within=namespace)
    return Handle(found, what, namespace)


def row_of(
    direct: Direct, job_id: str, verb: Verb = Verb.GET, *, asked: str | None = None, within: str | None = None
) -> Any:
    """The row of a job (see `store.jobs.get`); what is not there, or not the caller's to see, is told as it was `asked`
    for."""
    if not is_id(job_id):
        raise job_not_found(asked or job_id, within)
    with direct.store.read() as tx:
        row = jobs.get(tx, job_id)
    direct.guard.job(verb, row.id, row.namespace, asked=asked, within=within)
    return row


def listing(direct: Direct, query: Query) -> list[Document]:
    """See `Gateway.jobs`."""
    terms = parse_selector(query.labels)
    priority = None if query.priority is None else asking.priority(query.priority).level
    scope = direct.guard.scope(Verb.LIST, query.namespace or "default", everywhere=query.namespace is None)
    rows: list[Any] = []
    with direct.store.read() as tx:
        for each in (None,) if scope is None else scope:
            rows += jobs.walk(
                tx,
                namespace=each,
                phase=query.phase,
                selector=terms,
                backend=query.backend,
                priority=priority,
                since=asking.moment(query.since),
                before=query.before,
                limit=query.limit,
            )
        if scope is not None and len(scope) > 1:
            # Each namespace has its index, which none of them together has.
            rows = sorted(rows, key=lambda row: row.id, reverse=True)[: query.limit]
        conditions = records.conditions_of(tx, [row.id for row in rows])
    return [document(row, conditions[row.id]) for row in rows]


def queues(direct: Direct, ids: Sequence[str]) -> dict[str, Document]:
    """See `Gateway.queues`."""
    visible = direct.guard.visible(Verb.GET, ids)
    with direct.store.read() as tx:
        rows = jobs.get_all(tx, [job_id for job_id in ids if job_id in visible])
        return standing.queues(tx, list(rows.values()), ageing_seconds=direct.settings.ageing_seconds)


def describe(direct: Direct, job_id: str, *, queues: bool) -> Document:
    """See `Gateway.describe`."""
    row = row_of(direct, job_id)
    with direct.store.read() as tx:
        payload = next(jobs.payload(tx, [row.id]))
        conditions = records.conditions_of(tx, [row.id])[row.id]
        attempts = jobs.attempts_of(tx, row.id)
        places = standing.queues(tx, [row], ageing_seconds=direct.settings.ageing_seconds) if queues else {}
        stands = {"queue": places.get(row.id), "budget": standing.money(tx, row)}
    code = payload.data
    if code is None and payload.input_key is not None:
        with suppress(NotFound):
            code = direct.installation.objects.get(payload.input_key)
    found = document(row, conditions, code=code, attempts=attempts)
    found["status"] |= {name: value for name, value in stands.items() if value}
    return found


def phases(direct: Direct, ids: Sequence[str]) -> dict[str, Phase]:
    """The phase of each job; nobody is asked whether the caller may know. Raises NotFound (`JobNotFound`)."""
    found: dict[str, Phase] = {}
    with direct.store.read() as tx:
        for start in range(0, len(ids), _CHUNK):
            found |= jobs.phases(tx, ids[start : start + _CHUNK])
    missing = [job_id for job_id in ids if job_id not in found]
    if missing:
        raise NotFound(f"There is no job {missing[0]} any more.", reason="JobNotFound")
    return found


def stored_result(direct: Direct, job_id: str) -> bytes:
    """The bytes of a result as they are stored; see `Gateway.result` for what is raised."""
    row = row_of(direct, job_id, Verb.RESULTS)
    phase = Phase(row.phase)
    if not phase.final:
        raise Conflict(
            f"Job {row.name} is {phase.value}: it has no result yet.",
            reason="JobNotFinal",
            hint="Wait for it: it goes on by itself.",
            details={"job_id": row.id, "phase": phase.value},
        )
    if phase is not Phase.COMPLETED:
        raise JobFailed(
            f"Job {row.name} {phase.value.lower()}: {row.message}",
            reason=row.reason,
            hint="",
            details={"job_id": row.id, "phase": phase.value},
        )
    require_kept(row)
    return result_bytes(direct.installation.objects, row)


def require_kept(row: Any) -> None:
    """Refuse what needs the result of a job whose result is kept no longer: NotFound (`ResultExpired`)."""
    if row.result_expired_at is not None:
        raise NotFound(
            f"The result of job {row.name} was kept until {timestamp(row.result_expired_at)}, and is removed.",
            reason="ResultExpired",
            hint="How long a namespace keeps objects is said by `retention` in QTASKS_CONFIG. Run the job again.",
            details={"job_id": row.id},
        )


def result_bytes(objects: ObjectStore, row: Any) -> bytes:
    """The stored result of a Completed job's row. Raises QTasksError (`ResultCorrupt`) when the stored bytes are not
    those that were written, NotFound when they are gone."""
    data = objects.get(row.result_key, row.result_offset, row.result_length)
    if hashlib.sha256(data).hexdigest() != row.result_sha256:
        raise QTasksError(
            f"The stored result of job {row.name} is not the one that was written.",
            reason="ResultCorrupt",
            hint="Restore the object store from its backup, or run the job again.",
            details={"object_key": row.result_key},
        )
    return data
