"""Claims: who may act on a job. Taken by the best waiting row, fenced, renewed, given back, and expired.

A claim is one fence number over one or more jobs of one namespace. The number rises with every claim, and every later
write is guarded by it, so a late, duplicate or redelivered message changes nothing.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import Boolean, Connection, Row, TextualSelect, and_, bindparam, func, select, text, update

from qtasks.lifecycle import ENTRY, SIMULATION, Phase, Queue, Stage, sources
from qtasks.store import tenants
from qtasks.store.records import Event, record
from qtasks.store.tables import fences, jobs, shares
from qtasks.store.types import UtcDateTime, moment

NEGLIGIBLE = 64 * 2**20
"""Bytes that are not worth asking whether they are free."""


@dataclass(frozen=True, slots=True)
class Head:
    """The oldest waiting job of one namespace in one queue and of one priority."""

    job_id: str
    name: str
    queue: Queue
    namespace: str
    priority: int
    age: float
    batchable: bool
    limited: bool = False
    """Whether only so many jobs of its namespace may run."""

    @property
    def stage(self) -> Stage:
        return self.queue.stage


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
class Clock:
    """The database's clock as it was when a claim was made, carried on by this process's own: no question, one time."""

    database: datetime
    monotonic: float

    @classmethod
    def at(cls, moment: datetime) -> Clock:
        """A clock that shows `moment` now."""
        return cls(moment, time.monotonic())

    def now(self) -> datetime:
        return self.database + timedelta(seconds=time.monotonic() - self.monotonic)


@dataclass(frozen=True, slots=True)
class Claim:
    """A fenced right to act on `jobs`, all of one namespace and at one stage."""

    fence: int
    owner: str
    stage: Stage
    jobs: tuple[ClaimedJob, ...]
    clock: Clock = field(default_factory=lambda: Clock(datetime.now(UTC), time.monotonic()), compare=False)

    @property
    def ids(self) -> list[str]:
        return [job.id for job in self.jobs]

    def only(self, ids: Collection[str]) -> Claim:
        """The same claim over those of its jobs that are in `ids`."""
        return replace(self, jobs=tuple(job for job in self.jobs if job.id in ids))

    def at(self, stage: Stage) -> Claim:
        return replace(self, stage=stage)


CLAIMED = (
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


def claimed(row: Any) -> ClaimedJob:
    """A job from a row that has the columns of `CLAIMED`."""
    return ClaimedJob(*(getattr(row, column.name) for column in CLAIMED))


# A loose index scan for each queue: one search of ix_jobs_waiting per namespace and priority, however long their
# backlogs. What a search starts after is fetched by queries of its own: a join with `h` would read the index from the
# beginning, and so would `queue IN (…)`. It is `>= priority + 1` because SQLite reads past everything that is equal
# before it finds what is greater. What the last join says again of the heads keeps it to the same index at worst.
_HEADS_AT = """
{heads}(id) AS (
    SELECT (SELECT j.id FROM jobs j WHERE {waiting} ORDER BY j.namespace, j.priority, j.created_at, j.id LIMIT 1)
    UNION ALL
    SELECT (SELECT j.id FROM jobs j
            WHERE {waiting} AND (j.namespace, j.priority) >= (
                (SELECT h.namespace FROM jobs h WHERE h.id = {heads}.id),
                (SELECT h.priority + 1 FROM jobs h WHERE h.id = {heads}.id))
            ORDER BY j.namespace, j.priority, j.created_at, j.id LIMIT 1)
    FROM {heads} WHERE {heads}.id IS NOT NULL
)"""
_HEADS = """
WITH RECURSIVE {each}
SELECT j.id, j.name, j.queue, j.namespace, j.priority, j.created_at, j.batchable, {now} AS now, {limited} AS limited
FROM ({all}) heads JOIN jobs j ON j.id = heads.id AND j.stage IS NOT NULL AND j.owner IS NULL {within}
"""
# A namespace of which as many jobs run as may has no head at execution. What runs is counted by ix_jobs_list_phase.
_WITHIN = """
    LEFT JOIN tenants t ON t.namespace = j.namespace AND t.concurrency IS NOT NULL AND j.stage = 'execution'
WHERE t.concurrency IS NULL
    OR t.concurrency > (SELECT count(*) FROM jobs r WHERE r.namespace = j.namespace AND r.phase = 'Running')
"""
_WAITING = """
    j.queue = '{queue}' AND j.stage IS NOT NULL AND j.owner IS NULL {fits}
    AND (j.not_before IS NULL OR j.not_before <= {now})
"""
# What a worker holds is looked up where something that is not negligible is met, and then once.
_FITS = f"""
    AND (j.memory <= {NEGLIGIBLE} OR j.memory <= :memory - (SELECT coalesce(sum(held.memory), 0) FROM jobs held
        WHERE held.owner IS NOT NULL AND substr(held.owner, 1, length(CAST(:mine AS text))) = :mine
            AND :mine <> ''))
"""
_NOW = {"postgresql": "statement_timestamp()", "sqlite": "(strftime('%Y-%m-%d %H:%M:%f', 'now') || '000')"}


@lru_cache(maxsize=32)
def _heads_of(dialect: str, queues: tuple[Queue, ...], limits: bool) -> TextualSelect:
    now = _NOW[dialect]
    each = [_HEADS_AT.format(heads=_of(at), waiting=_waiting(at, now)) for at in queues]
    together = " UNION ALL ".join(f"SELECT id FROM {_of(at)}" for at in queues)
    within = (
        {"within": _WITHIN, "limited": "t.concurrency IS NOT NULL"} if limits else {"within": "", "limited": "false"}
    )
    return text(_HEADS.format(each=",".join(each), all=together, now=now, **within)).columns(
        jobs.c.id,
        jobs.c.name,
        jobs.c.queue,
        jobs.c.namespace,
        jobs.c.priority,
        jobs.c.created_at,
        jobs.c.batchable,
        now=UtcDateTime(),
        limited=Boolean(),
    )


def _of(queue: Queue) -> str:
    return f"heads_of_{queue.name.lower()}"


def _waiting(queue: Queue, now: str) -> str:
    fits = _FITS if queue in SIMULATION else ""
    return _WAITING.format(queue=queue.value, fits=fits, now=now)


def heads(tx: Connection, *queues: Queue, memory: int, worker: str = "", limits: bool = False) -> list[Head]:
    """The oldest job of each queue, namespace and priority that may start now; executed in at most `memory` bytes, less
    what the processes of `worker` use already. With `limits`, for where there are some, only of namespaces of which one
    more job may run."""
    statement = _heads_of(tx.dialect.name, queues, limits)
    rows = tx.execute(statement, {"memory": memory, "mine": worker and f"{worker}/"})
    return [
        Head(
            r.id,
            r.name,
            Queue(r.queue),
            r.namespace,
            r.priority,
            (r.now - r.created_at).total_seconds(),
            r.batchable,
            r.limited,
        )
        for r in rows
    ]


def shares_of(tx: Connection, *stages: Stage) -> dict[Stage, dict[str, Share]]:
    """What every namespace has had of each of `stages`."""
    rows = tx.execute(
        _SHARES if len(stages) > 1 else _SHARES.where(shares.c.stage == stages[0].value),
    )
    found: dict[Stage, dict[str, Share]] = {stage: {} for stage in stages}
    for row in rows:
        if row.stage in found:
            found[Stage(row.stage)][row.namespace] = Share(row.namespace, row.start_tag, row.finish_tag, row.weight)
    return found


_SHARES = select(shares)

# MATERIALIZED: left to itself, the planner may run the subquery again, and lock more than it updates.
_TAKE = """
WITH picked AS MATERIALIZED (
    SELECT id FROM jobs
    WHERE queue = :queue AND owner IS NULL AND stage IS NOT NULL AND (stage <> 'execution' OR memory <= :memory)
        AND (not_before IS NULL OR not_before <= {now}) AND {which}
    ORDER BY created_at, id LIMIT :limit {locking}
)
UPDATE jobs SET owner = :owner, fence = :fence, lease_until = {lease}, phase = :phase, not_before = NULL,
    started_at = CASE WHEN :starts THEN {now} ELSE started_at END
WHERE id IN (SELECT id FROM picked) AND phase IN {sources} AND fence < :fence
RETURNING id, namespace, name, priority, attempt, takeovers, shots, alone, memory, created_at, {now} AS now
"""
_TOGETHER = "namespace = :namespace AND priority = :priority AND batchable"
_BY_ITSELF = "id = :job_id"


@lru_cache(maxsize=32)
def _take(dialect: str, target: Phase, together: bool) -> TextualSelect:
    postgresql = dialect == "postgresql"
    now = _NOW[dialect]
    lease = (
        "clock_timestamp() + make_interval(secs => :lease)"
        if postgresql
        else "(strftime('%Y-%m-%d %H:%M:%f', 'now', :lease || ' seconds') || '000')"
    )
    statement = _TAKE.format(
        now=now,
        lease=lease,
        which=_TOGETHER if together else _BY_ITSELF,
        locking="FOR UPDATE SKIP LOCKED" if postgresql else "",
        sources="(" + ", ".join(f"'{phase.value}'" for phase in sources(target)) + ")",
    )
    bound = text(statement)
    if not together:
        bound = bound.bindparams(bindparam("job_id", type_=jobs.c.id.type))
    return bound.columns(*CLAIMED, now=UtcDateTime())


def take(tx: Connection, head: Head, *, limit: int, memory: int, owner: str, lease_seconds: float) -> Claim | None:
    """Claim `head`, or with it up to `limit` batchable jobs of its namespace and priority, as many as the namespace may
    still run; None when others were faster."""
    if head.limited:
        room = tenants.room(tx, head.namespace)
        if room == 0:
            return None
        limit = limit if room is None else min(limit, room)
    together = head.batchable and limit > 1
    stage = head.stage
    target = ENTRY[stage]
    fence = next_fence(tx)
    which = {"namespace": head.namespace, "priority": head.priority} if together else {"job_id": head.job_id}
    rows = tx.execute(
        _take(tx.dialect.name, target, together),
        {
            "queue": head.queue.value,
            "memory": memory,
            "limit": limit,
            "owner": owner,
            "fence": fence,
            "lease": float(lease_seconds),
            "phase": target.value,
            "starts": stage is Stage.EXECUTION,
            **which,
        },
    ).all()
    if not rows:
        return None
    taken = tuple(sorted(map(claimed, rows), key=lambda job: job.id))
    claim = Claim(fence, owner, stage, taken, Clock.at(rows[0].now))
    record(tx, claim.ids, Event(target.value, f"Taken up for {stage.value}."), source=owner)
    return claim


_NEXT_FENCE = text("SELECT nextval('fences_id_seq'), set_config('synchronous_commit', 'off', true)")


def next_fence(tx: Connection) -> int:
    if tx.dialect.name == "postgresql":
        # A claim that a crash of the database undoes was never made: no need to wait for the disk.
        return int(tx.execute(_NEXT_FENCE).scalar_one())
    number = int(tx.execute(fences.insert().returning(fences.c.id)).scalar_one())
    tx.execute(fences.delete())
    return number


_CHARGE = """
INSERT INTO shares (stage, namespace, start_tag, finish_tag, weight)
VALUES (:stage, :namespace, :start, :finish, 1)
ON CONFLICT (stage, namespace) DO UPDATE SET
    start_tag = {greatest}(shares.start_tag, excluded.start_tag),
    finish_tag = {greatest}(shares.finish_tag, excluded.start_tag) + :taken / shares.weight
"""
_CHARGES = {
    "postgresql": text(_CHARGE.format(greatest="greatest")),
    "sqlite": text(_CHARGE.format(greatest="max")),
}


def charge(tx: Connection, stage: Stage, namespace: str, *, start_tag: float, jobs_taken: int) -> None:
    """Count what `namespace` was given. The last write before a claim commits: its row is the one others wait for."""
    tx.execute(
        _CHARGES[tx.dialect.name],
        {
            "stage": stage.value,
            "namespace": namespace,
            "start": start_tag,
            "finish": start_tag + jobs_taken,
            "taken": float(jobs_taken),
        },
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


def waiting_in(tx: Connection, ids: Collection[str]) -> list[Row[Any]]:
    """Those of `ids` that wait for a worker: (id, name, priority, queue)."""
    waiting = select(jobs.c.id, jobs.c.name, jobs.c.priority, jobs.c.queue)
    return list(tx.execute(waiting.where(jobs.c.id.in_(list(ids)), jobs.c.stage.isnot(None), jobs.c.owner.is_(None))))


def memory_in_use(tx: Connection, worker: str, *, before: int | None = None) -> int:
    """Bytes that the jobs which the processes of `worker` hold may take between them; with `before` only those that
    were claimed before that fence."""
    held = select(func.coalesce(func.sum(jobs.c.memory), 0)).where(
        jobs.c.owner.isnot(None), jobs.c.owner.startswith(worker + "/", autoescape=True)
    )
    return int(tx.execute(held if before is None else held.where(jobs.c.fence < before)).scalar_one())
