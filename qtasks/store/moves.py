"""Moving jobs through their phases: every write names the phase it leads to and carries the claim's guard."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, insert, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite

from qtasks.lifecycle import FINAL, Phase, Stage, sources
from qtasks.store.claims import Claim, guard
from qtasks.store.records import Event, record
from qtasks.store.tables import attempts, circuits, jobs, results
from qtasks.store.types import moment

_FREE: Mapping[str, Any] = {"owner": None, "lease_until": None}


def advance(
    tx: Connection,
    claim: Claim,
    ids: Collection[str],
    phase: Phase,
    *,
    stage: Stage,
    event: Event,
    keep: bool = True,
    **values: Any,
) -> set[str]:
    """Move jobs on to `stage` in `phase`, keeping the claim or leaving them to whoever consumes that stage.

    Returns the ids that were still the claim's own; the others were cancelled or taken over, and are let be.
    """
    if phase in FINAL:
        raise ValueError(f"{phase} is final: use finish()")
    if not keep:
        values |= _FREE
    return _move(tx, claim, ids, phase, event, stage=stage.value, **values)


def finish(
    tx: Connection,
    claim: Claim,
    ids: Collection[str],
    phase: Phase,
    *,
    event: Event,
    **values: Any,
) -> set[str]:
    """End jobs in the final `phase`, with the event's reason and message as theirs. Returns the ids that were held."""
    held = _move(tx, claim, ids, phase, event, **{**_FREE, **_ended(event), **values})
    end_attempts(tx, held, phase, event)
    return held


def postpone(tx: Connection, claim: Claim, job_id: str, *, delay_seconds: float, event: Event) -> bool:
    """Send a job back to Pending, to be scheduled again in `delay_seconds`; whether it was still held."""
    moved = _move(
        tx,
        claim,
        [job_id],
        Phase.PENDING,
        event,
        **_FREE,
        stage=Stage.SCHEDULING.value,
        not_before=moment(delay_seconds),
        reason=event.reason,
        message=event.message,
    )
    return bool(moved)


def retry(tx: Connection, claim: Claim, job_id: str, *, delay_seconds: float, event: Event) -> bool:
    """End the attempt and plan another, `delay_seconds` from now; whether the job was still held."""
    moved = _move(
        tx,
        claim,
        [job_id],
        Phase.RETRYING,
        event,
        **_FREE,
        stage=Stage.SCHEDULING.value,
        attempt=jobs.c.attempt + 1,
        not_before=moment(delay_seconds),
        reason=event.reason,
        message=event.message,
    )
    end_attempts(tx, moved, Phase.FAILED, event)
    return bool(moved)


def end_unclaimed(tx: Connection, where: Any, phase: Phase, *, event: Event, source: str | None) -> list[str]:
    """End jobs whoever holds them: a cancellation, a total time that ran out. Their claims' later writes miss."""
    rows = tx.execute(
        update(jobs)
        .where(where, jobs.c.phase.in_([p.value for p in Phase if p not in FINAL]))
        .values(phase=phase.value, **_FREE, **_ended(event))
        .returning(jobs.c.id)
    ).all()
    ids = [row.id for row in rows]
    end_attempts(tx, ids, phase, event)
    record(tx, ids, event, source=source)
    return ids


def _ended(event: Event) -> dict[str, Any]:
    return {
        "stage": None,
        "reason": event.reason,
        "message": event.message,
        "finished_at": moment(),
        "not_before": None,
        "aftercare": True,
    }


def _move(tx: Connection, claim: Claim, ids: Collection[str], phase: Phase, event: Event, **values: Any) -> set[str]:
    if not ids:
        return set()
    rows = tx.execute(
        update(jobs)
        .where(guard(claim, ids), jobs.c.phase.in_(sources(phase)))
        .values(phase=phase.value, **values)
        .returning(jobs.c.id)
    )
    held = {row.id for row in rows}
    record(tx, held, event, source=claim.owner)
    return held


def begin_attempts(tx: Connection, ids: Collection[str], *, backend: str, worker: str) -> None:
    """Write down that the current attempt of each job that `worker` holds starts now; a takeover finds it written
    already."""
    if not ids:
        return
    rows = select(jobs.c.id, jobs.c.attempt, literal(backend), literal(worker), moment()).where(
        jobs.c.id.in_(list(ids)), jobs.c.owner == worker
    )
    dialect_insert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    statement: Any = dialect_insert(attempts).from_select(
        ["job_id", "attempt", "backend", "worker", "started_at"], rows, include_defaults=False
    )
    tx.execute(statement.on_conflict_do_nothing())


def end_attempts(tx: Connection, ids: Collection[str], outcome: Phase, event: Event) -> None:
    """Close the open attempt of each job with its outcome."""
    if not ids:
        return
    tx.execute(
        update(attempts)
        .where(attempts.c.job_id.in_(list(ids)), attempts.c.finished_at.is_(None))
        .values(finished_at=moment(), outcome=outcome.value, reason=event.reason, message=event.message)
    )


def keep_circuits(tx: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the checked circuits (rows of `circuits`), in the transaction that moves their jobs on."""
    if rows:
        tx.execute(insert(circuits), list(rows))


def keep_results(tx: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write where results lie (rows of `results`), in the transaction that completes their jobs."""
    if rows:
        tx.execute(insert(results), list(rows))
