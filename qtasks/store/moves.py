"""Moving jobs through their phases: every write names the phase it leads to and carries the claim's guard."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, insert, text, update

from qtasks.lifecycle import FINAL, Phase, Queue
from qtasks.store.claims import Claim
from qtasks.store.records import Condition, Event, record
from qtasks.store.tables import circuits, jobs, results
from qtasks.store.types import moment
from qtasks.store.writes import Change, FromNow, Plus, begin_attempts, end_attempts, write

__all__ = [
    "advance",
    "begin_attempts",
    "end_attempts",
    "end_unclaimed",
    "finish",
    "hold",
    "keep_circuits",
    "keep_results",
    "postpone",
    "retry",
]

_FREE: Mapping[str, Any] = {"owner": None, "lease_until": None}


def advance(
    tx: Connection,
    claim: Claim,
    ids: Collection[str],
    phase: Phase,
    *,
    queue: Queue | None,
    event: Event,
    also: Sequence[Event] = (),
    conditions: Sequence[Condition] = (),
    keep: bool = True,
    begins: str | None = None,
    **values: Any,
) -> set[str]:
    """Move jobs on to `queue` in `phase`, keeping the claim or leaving them to whoever consumes it. None: they
    wait for their turn at a provider.

    With `begins`, their attempts start now on that backend. Returns the ids that were still the claim's own; the others
    were cancelled or taken over, and are let be.
    """
    if phase in FINAL:
        raise ValueError(f"{phase} is final: use finish()")
    values |= _at(queue)
    if not keep:
        values |= _FREE
    if begins is not None:
        values["started_at"] = FromNow()
    return _move(tx, claim, ids, Change(phase, values, (event, *also), conditions, opens=begins))


def finish(
    tx: Connection,
    claim: Claim,
    ids: Collection[str],
    phase: Phase,
    *,
    event: Event,
    first: Sequence[Event] = (),
    conditions: Sequence[Condition] = (),
    **values: Any,
) -> set[str]:
    """End jobs in the final `phase`, with the event's reason and message as theirs, after what came `first`. Returns
    the ids that were held."""
    ended = {**_ended(event), **values}
    return _move(tx, claim, ids, Change(phase, ended, (*first, event), conditions, closes=event))


def postpone(tx: Connection, claim: Claim, job_id: str, *, delay_seconds: float, event: Event) -> bool:
    """Send a job back to Pending, to be scheduled again in `delay_seconds`; whether it was still held."""
    values = _later(event, delay_seconds, Queue.SCHEDULING)
    return bool(_move(tx, claim, [job_id], Change(Phase.PENDING, values, (event,))))


def hold(
    tx: Connection,
    claim: Claim,
    job_id: str,
    *,
    delay_seconds: float,
    event: Event,
    conditions: Sequence[Condition] = (),
) -> bool:
    """Leave a job in Scheduling, to be looked at again in `delay_seconds`; whether it was still held."""
    values = _later(event, delay_seconds, Queue.SCHEDULING)
    return bool(_move(tx, claim, [job_id], Change(Phase.SCHEDULING, values, (event,), conditions)))


def retry(
    tx: Connection,
    claim: Claim,
    job_id: str,
    *,
    delay_seconds: float,
    event: Event,
    queue: Queue = Queue.SCHEDULING,
    conditions: Sequence[Condition] = (),
) -> bool:
    """End the attempt and plan another from `queue` on, `delay_seconds` from now; whether the job was still held."""
    values = {**_later(event, delay_seconds, queue), "attempt": Plus(1)}
    return bool(_move(tx, claim, [job_id], Change(Phase.RETRYING, values, (event,), conditions, closes=event)))


def _move(tx: Connection, claim: Claim, ids: Collection[str], change: Change) -> set[str]:
    return write(tx, change, ids=ids, fence=claim.fence, owner=claim.owner)


def _at(queue: Queue | None) -> dict[str, Any]:
    return {"stage": None} if queue is None else {"stage": queue.stage.value, "queue": queue.value}


def _later(event: Event, delay_seconds: float, queue: Queue) -> dict[str, Any]:
    return {
        **_FREE,
        **_at(queue),
        "not_before": FromNow(delay_seconds),
        "reason": event.reason,
        "message": event.message,
    }


def _ended(event: Event) -> dict[str, Any]:
    return {
        **_FREE,
        "stage": None,
        "reason": event.reason,
        "message": event.message,
        "finished_at": FromNow(),
        "not_before": None,
        "aftercare": True,
    }


def end_unclaimed(tx: Connection, where: Any, phase: Phase, *, event: Event, source: str | None) -> list[str]:
    """End jobs whoever holds them: a cancellation, a total time that ran out. Their claims' later writes miss."""
    rows = tx.execute(
        update(jobs)
        .where(where, jobs.c.phase.in_([p.value for p in Phase if p not in FINAL]))
        .values(phase=phase.value, **{**_ended(event), "finished_at": moment()})
        .returning(jobs.c.id)
    ).all()
    ids = [row.id for row in rows]
    end_attempts(tx, ids, phase, event)
    record(tx, ids, event, source=source)
    return ids


# On PostgreSQL many rows travel as one JSON text: the driver would look at every element of an array, and a statement
# of a thousand binds is parsed a thousand binds long.
_CIRCUITS = text("""
INSERT INTO circuits (job_id, fingerprint, analysis, qpy, object_key)
SELECT job_id, fingerprint, analysis, decode(qpy, 'base64'), object_key
FROM json_to_recordset(CAST(:rows AS json))
    AS r(job_id uuid, fingerprint text, analysis jsonb, qpy text, object_key text)
""")
_RESULTS = text("""
INSERT INTO results (job_id, attempt, object_key, "offset", length, sha256, counts, metrics)
SELECT * FROM json_to_recordset(CAST(:rows AS json))
    AS r(job_id uuid, attempt integer, object_key text, "offset" bigint, length bigint, sha256 text, counts jsonb,
        metrics jsonb)
""")


def keep_circuits(tx: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the checked circuits (rows of `circuits`), in the transaction that moves their jobs on."""
    if rows and tx.dialect.name == "postgresql":
        encoded = [{**row, "qpy": base64_text(row["qpy"])} for row in rows]
        tx.execute(_CIRCUITS, {"rows": json.dumps(encoded)})
    elif rows:
        tx.execute(insert(circuits), list(rows))


def keep_results(tx: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write where results lie (rows of `results`), in the transaction that completes their jobs."""
    if rows and tx.dialect.name == "postgresql":
        tx.execute(_RESULTS, {"rows": json.dumps(list(rows))})
    elif rows:
        tx.execute(insert(results), list(rows))


def base64_text(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()
