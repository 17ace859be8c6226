"""What the reconciler asks of the database: lost work, ended times, loose ends, and who is at work."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from qtasks.lifecycle import Phase, Queue
from qtasks.store.moves import end_unclaimed
from qtasks.store.records import Event
from qtasks.store.tables import circuits, inputs, jobs, provider_jobs, workers
from qtasks.store.types import moment

_LOCKS = 0x71_7461_7300  # "qtas": the space of this project's advisory locks


def sole(tx: Connection, task: int) -> bool:
    """Whether this transaction is the only one at periodic task number `task`. SQLite has one writer anyway."""
    if tx.dialect.name != "postgresql":
        return True
    return bool(tx.execute(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _LOCKS + task}).scalar())


def end_overdue(tx: Connection) -> list[str]:
    """Fail the jobs whose total time ran out, wherever they stand."""
    event = Event("TotalTimeout", "The job's total time (spec.timeouts.total) ran out.", warning=True)
    overdue = (jobs.c.deadline < moment()) & jobs.c.finished_at.is_(None)
    return end_unclaimed(tx, overdue, Phase.FAILED, event=event, source="reconciler")


def end_hopeless(tx: Connection, *, max_takeovers: int, where: Any) -> list[str]:
    """Fail the jobs that have killed their process too often, each time alone in it."""
    event = Event(
        "WorkerLost",
        f"The worker failed or died {max_takeovers + 1} times with this job alone in it: the simulator may crash "
        "on this circuit, or run out of memory.",
        warning=True,
    )
    hopeless = where & (jobs.c.takeovers > max_takeovers) & jobs.c.owner.is_(None)
    return end_unclaimed(tx, hopeless, Phase.FAILED, event=event, source="reconciler")


def loose_ends(tx: Connection, *, older_than_seconds: float, limit: int) -> list[str]:
    """Final jobs that still need seeing to, finished at least `older_than_seconds` ago: their objects lie elsewhere in
    the end, and a copy of the result may be wanted."""
    rows = tx.execute(
        select(jobs.c.id)
        .where(text("aftercare"), jobs.c.finished_at < moment(-older_than_seconds))
        .order_by(jobs.c.finished_at)
        .limit(limit)
    )
    return [row.id for row in rows]


def moved(tx: Connection, job_id: str, *, input_key: str | None, circuit_key: str | None) -> None:
    """Note where the input of a final job and its checked circuit lie now; None: in no object."""
    tx.execute(update(inputs).where(inputs.c.job_id == job_id).values(object_key=input_key))
    tx.execute(update(circuits).where(circuits.c.job_id == job_id).values(object_key=circuit_key))


def tied_up(tx: Connection, ids: Sequence[str]) -> None:
    """Note that nothing is left to do for these final jobs."""
    tx.execute(update(jobs).where(jobs.c.id.in_(list(ids))).values(aftercare=False))


def report_worker(tx: Connection, name: str, *, queues: Sequence[Queue], memory: int, threads: int) -> None:
    """Say that worker `name` is alive, what it consumes and how large a job it can hold."""
    dialect_insert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    values = {"queues": [queue.value for queue in queues], "memory": memory, "threads": threads}
    statement: Any = dialect_insert(workers).values(name=name, started_at=moment(), seen_at=moment(), **values)
    tx.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"seen_at": moment(), **values}))


def retire_worker(tx: Connection, name: str) -> None:
    tx.execute(delete(workers).where(workers.c.name == name))


def live_workers(tx: Connection, *, within_seconds: float) -> list[Row[Any]]:
    """The workers heard of in the last `within_seconds`."""
    return list(tx.execute(select(workers).where(workers.c.seen_at > moment(-within_seconds)).order_by(workers.c.name)))


def forget_workers(tx: Connection, *, older_than_seconds: float) -> None:
    tx.execute(delete(workers).where(workers.c.seen_at < moment(-older_than_seconds)))


def open_jobs(tx: Connection) -> int:
    """How many jobs wait at a stage, are held, or are under way to or at a provider; each has its index."""
    waiting = select(func.count()).select_from(jobs).where(jobs.c.stage.isnot(None), jobs.c.owner.is_(None))
    held = select(func.count()).select_from(jobs).where(jobs.c.owner.isnot(None))
    remote = select(func.count()).select_from(jobs).where(jobs.c.account.isnot(None), jobs.c.finished_at.is_(None))
    there = select(func.count()).select_from(provider_jobs).where(text("NOT settled"))
    counts = [query.scalar_subquery() for query in (waiting, held, remote, there)]
    return sum(int(count) for count in tx.execute(select(*counts)).one())


def look_again(tx: Connection, reason: str) -> list[Row[Any]]:
    """Let those jobs be scheduled at once that wait in Scheduling for this reason; returns (id, name, priority)."""
    waiting = (
        (jobs.c.queue == Queue.SCHEDULING.value)
        & jobs.c.stage.isnot(None)
        & jobs.c.owner.is_(None)
        & (jobs.c.reason == reason)
    )
    return list(
        tx.execute(
            update(jobs)
            .where(waiting, jobs.c.not_before.isnot(None))
            .values(not_before=None)
            .returning(jobs.c.id, jobs.c.name, jobs.c.priority)
        )
    )


def now(tx: Connection) -> datetime:
    """The database's clock."""
    return tx.execute(select(moment())).scalar_one()
