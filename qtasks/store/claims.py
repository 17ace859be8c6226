"""Claims: who may act on a job. Taken by the best waiting row, fenced, renewed, given back, and expired.

A claim is one fence number over one or more jobs of one namespace. The number rises with every claim, and every later
write is guarded by it, so a late, duplicate or redelivered message changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from qtasks.lifecycle import ENTRY, Stage, sources
from qtasks.store.records import Event, record
from qtasks.store.tables import fences, jobs, shares
from qtasks.store.types import UtcDateTime, moment


@dataclass(frozen=True, slots=True)
class Head:
    """The oldest waiting job of one namespace at one priority."""

    job_id: str
    name: str
    namespace: str
    priority: int
    age: float
    batchable: bool


@dataclass(frozen=True, slots=True)
class Share:
    """What a namespace has had of a stage, as start-time fair queueing counts it."""

    namespace: str
    start_tag: float
    finish_tag: float
    weight: float


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """What a worker needs to know of a job that it holds, beside the circuit."""

    id: str
    namespace: str
    name: str
    priority: int
    attempt: int
    takeovers: int
    shots: int
    alone: bool
    memory: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Claim:
    """A fenced right to act on `jobs`, all of one namespace and at one stage."""

    fence: int
    owner: str
    stage: Stage
    jobs: tuple[ClaimedJob, ...]

    @property
    def ids(self) -> list[str]:
        return [job.id for job in self.jobs]

    def only(self, ids: Collection[str]) -> Claim:
        """The same claim over those of its jobs that are in `ids`."""
        return replace(self, jobs=tuple(job for job in self.jobs if job.id in ids))

    def at(self, stage: Stage) -> Claim:
        return replace(self, stage=stage)


_CLAIMED = (
    jobs.c.id,
    jobs.c.namespace,
    jobs.c.name,
    jobs.c.priority,
    jobs.c.attempt,
    jobs.c.takeovers,
    jobs.c.shots,
    jobs.c.alone,
    jobs.c.memory,
    jobs.c.created_at,
)

# A loose index scan: one search of ix_jobs_waiting per namespace and priority, however long their backlogs are. Where a
# search starts is fetched by queries of their own: a join with `h` would read the index from its beginning. And it is
# `>= priority + 1` because SQLite reads past everything that is equal before it finds what is greater.
_HEADS = """
WITH RECURSIVE heads(id) AS (
    SELECT (SELECT j.id FROM jobs j WHERE {waiting} ORDER BY j.namespace, j.priority, j.created_at, j.id LIMIT 1)
    UNION ALL
    SELECT (SELECT j.id FROM jobs j
            WHERE {waiting} AND (j.namespace, j.priority) >= (
                (SELECT h.namespace FROM jobs h WHERE h.id = heads.id),
                (SELECT h.priority + 1 FROM jobs h WHERE h.id = heads.id))
            ORDER BY j.namespace, j.priority, j.created_at, j.id LIMIT 1)
    FROM heads WHERE heads.id IS NOT NULL
)
SELECT j.id, j.name, j.namespace, j.priority, j.created_at, j.batchable, {now} AS now
FROM heads JOIN jobs j ON j.id = heads.id
"""
_WAITING = """
    j.stage = :stage AND j.owner IS NULL AND j.memory <= :memory AND (j.not_before IS NULL OR j.not_before <= {now})
"""
_NOW = {"postgresql": "statement_timestamp()", "sqlite": "(strftime('%Y-%m-%d %H:%M:%f', 'now') || '000')"}
_HEADS_BY_DIALECT = {
    name: text(_HEADS.format(waiting=_WAITING.format(now=now), now=now)).columns(
        jobs.c.id,
        jobs.c.name,
        jobs.c.namespace,
        jobs.c.priority,
        jobs.c.created_at,
        jobs.c.batchable,
        now=UtcDateTime(),
    )
    for name, now in _NOW.items()
}


def heads(tx: Connection, stage: Stage, *, memory: int) -> list[Head]:
    """The oldest job of each namespace and priority that may start at `stage` in at most `memory` bytes."""
    rows = tx.execute(_HEADS_BY_DIALECT[tx.dialect.name], {"stage": stage.value, "memory": memory})
    return [
        Head(r.id, r.name, r.namespace, r.priority, (r.now - r.created_at).total_seconds(), r.batchable) for r in rows
    ]


def shares_of(tx: Connection, stage: Stage) -> dict[str, Share]:
    """What every namespace has had of `stage`."""
    rows = tx.execute(
        select(shares.c.namespace, shares.c.start_tag, shares.c.finish_tag, shares.c.weight).where(
            shares.c.stage == stage.value
        )
    )
    return {row.namespace: Share(*row) for row in rows}


def take(
    tx: Connection, stage: Stage, head: Head, *, limit: int, memory: int, owner: str, lease_seconds: float
) -> Claim | None:
    """Claim `head`, or with it up to `limit` batchable jobs of its namespace and priority; None when others were
    faster."""
    eligible = and_(
        jobs.c.stage == stage.value,
        jobs.c.owner.is_(None),
        jobs.c.memory <= memory,
        or_(jobs.c.not_before.is_(None), jobs.c.not_before <= moment()),
    )
    if head.batchable and limit > 1:
        which = and_(
            eligible,
            jobs.c.namespace == head.namespace,
            jobs.c.priority == head.priority,
            jobs.c.batchable,
        )
    else:
        which = and_(eligible, jobs.c.id == head.job_id)
    picked = (
        select(jobs.c.id)
        .where(which)
        .order_by(jobs.c.created_at, jobs.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("picked")
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )
    fence = _next_fence(tx)
    target = ENTRY[stage]
    started = {"started_at": moment()} if stage is Stage.EXECUTION else {}
    rows = tx.execute(
        update(jobs)
        .where(jobs.c.id.in_(select(picked.c.id)), jobs.c.phase.in_(sources(target)), jobs.c.fence < fence)
        .values(
            owner=owner,
            fence=fence,
            lease_until=moment(lease_seconds),
            phase=target.value,
            not_before=None,
            **started,
        )
        .returning(*_CLAIMED)
    ).all()
    if not rows:
        return None
    claim = Claim(fence, owner, stage, tuple(sorted((ClaimedJob(*row) for row in rows), key=lambda job: job.id)))
    record(tx, claim.ids, Event(target.value, f"Taken up for {stage.value}."), source=owner)
    return claim


def _next_fence(tx: Connection) -> int:
    if tx.dialect.name == "postgresql":
        return int(tx.execute(text("SELECT nextval('fences_id_seq')")).scalar_one())
    number = int(tx.execute(fences.insert().returning(fences.c.id)).scalar_one())
    tx.execute(fences.delete())
    return number


def charge(tx: Connection, stage: Stage, namespace: str, *, start_tag: float, jobs_taken: int) -> None:
    """Count what `namespace` was given. The last write before a claim commits: its row is the one others wait for."""
    insert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    statement: Any = insert(shares).values(
        stage=stage.value, namespace=namespace, start_tag=start_tag, finish_tag=start_tag + jobs_taken, weight=1.0
    )
    greatest = func.greatest if tx.dialect.name == "postgresql" else func.max
    tx.execute(
        statement.on_conflict_do_update(
            index_elements=["stage", "namespace"],
            set_={
                "start_tag": greatest(shares.c.start_tag, statement.excluded.start_tag),
                "finish_tag": greatest(shares.c.finish_tag, statement.excluded.start_tag)
                + float(jobs_taken) / shares.c.weight,
            },
        )
    )


def guard(claim: Claim, ids: Iterable[str]) -> Any:
    """The condition that every write under `claim` carries: the rows are still its own."""
    return and_(jobs.c.id.in_(list(ids)), jobs.c.fence == claim.fence, jobs.c.owner == claim.owner)


def renew(tx: Connection, owner: str, held: Sequence[tuple[str, int]], *, lease_seconds: float) -> set[tuple[str, int]]:
    """Lengthen the leases of `held` (job id, fence); returns those that are still the owner's. A lease that ran out
    while the database was away is taken up again as long as nobody else has claimed its job."""
    rows = tx.execute(
        update(jobs)
        .where(_among(held), jobs.c.owner == owner)
        .values(lease_until=moment(lease_seconds))
        .returning(jobs.c.id, jobs.c.fence)
    )
    return {(row.id, row.fence) for row in rows} & set(held)


def still_held(tx: Connection, owner: str, held: Sequence[tuple[str, int]]) -> set[tuple[str, int]]:
    """Those of `held` (job id, fence) that nobody has taken or ended meanwhile."""
    rows = tx.execute(select(jobs.c.id, jobs.c.fence).where(_among(held), jobs.c.owner == owner))
    return {(row.id, row.fence) for row in rows} & set(held)


def _among(held: Sequence[tuple[str, int]]) -> Any:
    return and_(jobs.c.id.in_([job_id for job_id, _ in held]), jobs.c.fence.in_({fence for _, fence in held}))


def give_back(
    tx: Connection, claim: Claim, ids: Collection[str], *, message: str, delay_seconds: float = 0.0
) -> list[str]:
    """Let others claim `ids` at the same stage, at once or in a while: the work could not be done. Counts nothing."""
    later = {"not_before": moment(delay_seconds)} if delay_seconds else {}
    return _free(tx, guard(claim, ids), Event("GivenBack", message), owner=claim.owner, **later)


def lost(tx: Connection, where: Any, *, together: int, message: str, owner: str | None) -> list[str]:
    """Free the claims of a process that died. A job it had alone counts the death; what was in a batch runs again
    alone, and counts nothing."""
    event = Event("WorkerLost", message, warning=True)
    if together > 1:
        return _free(tx, where, event, owner=owner, batchable=False, alone=True)
    return _free(tx, where, event, owner=owner, batchable=False, takeovers=jobs.c.takeovers + 1)


def expire(tx: Connection, *, limit: int) -> list[str]:
    """Free the claims whose lease ran out, `limit` jobs and what else their claims hold; returns the jobs.

    How many jobs a dead claim had is told by its fence: alone, the death counts against the job.
    """
    expired = and_(jobs.c.owner.isnot(None), jobs.c.lease_until < moment())
    dead = select(jobs.c.fence).where(expired).order_by(jobs.c.lease_until).limit(limit)
    fences = {row.fence for row in tx.execute(dead)}
    if not fences:
        return []
    # Whole claims: the last member of a batch, met by itself the next time, would look as if it had died alone.
    held = select(jobs.c.id, jobs.c.fence).where(jobs.c.owner.isnot(None), jobs.c.fence.in_(fences))
    fence_of = {row.id: row.fence for row in tx.execute(held)}
    size = Counter(fence_of.values())
    gone = select(jobs.c.id).where(jobs.c.id.in_(list(fence_of)), expired).with_for_update(skip_locked=True)
    ids = [row.id for row in tx.execute(gone)]
    message = "The lease ran out: the worker died, froze, or lost the database."
    freed = []
    for together in (1, 2):
        members = [job_id for job_id in ids if min(size[fence_of[job_id]], 2) == together]
        if members:
            freed += lost(tx, jobs.c.id.in_(members), together=together, message=message, owner=None)
    return freed


def _free(tx: Connection, where: Any, event: Event, *, owner: str | None, **values: Any) -> list[str]:
    rows = tx.execute(
        update(jobs)
        .where(where, jobs.c.owner.isnot(None))
        .values(owner=None, lease_until=None, **values)
        .returning(jobs.c.id)
    ).all()
    ids = [row.id for row in rows]
    record(tx, ids, event, source=owner)
    return ids


def memory_in_use(tx: Connection, worker: str) -> int:
    """Bytes that the jobs which the processes of `worker` hold may take between them."""
    held = select(func.coalesce(func.sum(jobs.c.memory), 0)).where(
        jobs.c.owner.isnot(None), jobs.c.owner.startswith(worker + "/", autoescape=True)
    )
    return int(tx.execute(held).scalar_one())
