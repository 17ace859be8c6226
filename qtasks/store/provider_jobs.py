"""Provider jobs: what was meant to be submitted, what was, and what the provider says of it.

One row for each attempt, written as an intent before the provider is asked. Whoever writes the provider's id first has
submitted the attempt; anybody else who did so too cancels what they made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, bindparam, exists, func, insert, literal, select, update

from qtasks.lifecycle import Phase, Stage
from qtasks.store.accounts import AnyRow
from qtasks.store.claims import CLAIMED, Claim, Clock, claimed, guard, next_fence
from qtasks.store.tables import attempts, jobs, labels, provider_jobs
from qtasks.store.types import moment

INTENDED = "intended"
REFUSED = "refused"
ABANDONED = "abandoned"
CLOCKS_APART = timedelta(minutes=10)
"""How far a provider's clock may be behind the database's."""


def tag_of(job_id: str, attempt: int) -> str:
    """What the attempt is called at the provider: unique, and told from the job by whoever reads it."""
    return f"qtasks-{job_id}-{attempt}"


def of(tx: Connection, job_id: str, attempt: int) -> AnyRow | None:
    """The provider job of an attempt, or its intent, and the database's `now`."""
    found = select(*provider_jobs.c, moment().label("now")).where(
        provider_jobs.c.job_id == job_id, provider_jobs.c.attempt == attempt
    )
    return tx.execute(found).first()


def all_of(tx: Connection, job_id: str) -> list[AnyRow]:
    """The provider jobs of a job, one for each attempt that came so far, in their order."""
    rows = select(provider_jobs).where(provider_jobs.c.job_id == job_id).order_by(provider_jobs.c.attempt)
    return list(tx.execute(rows))


def by_provider_id(tx: Connection, provider_job_id: str) -> AnyRow | None:
    """The row of a provider's job, whoever's account it is."""
    return tx.execute(select(provider_jobs).where(provider_jobs.c.provider_job_id == provider_job_id)).first()


def known(tx: Connection, account: str, ids: Sequence[str]) -> set[str]:
    """Those of a provider's job ids that a row knows."""
    rows = select(provider_jobs.c.provider_job_id).where(
        provider_jobs.c.account == account, provider_jobs.c.provider_job_id.in_(list(ids))
    )
    return {row.provider_job_id for row in tx.execute(rows)}


def intend(tx: Connection, claim: Claim, job_id: str, attempt: int, values: Mapping[str, Any]) -> bool:
    """Write down what is about to be submitted; False when the claim is lost."""
    held = tx.execute(
        update(jobs).where(guard(claim, [job_id])).values(backend=values["device"], account=values["account"])
    )
    if not held.rowcount:
        return False
    row = {"job_id": job_id, "attempt": attempt, "state": INTENDED, "tag": tag_of(job_id, attempt), **values}
    tx.execute(insert(provider_jobs).values(intended_at=moment(), tried_at=moment(), **row))
    tx.execute(
        update(attempts)
        .where(attempts.c.job_id == job_id, attempts.c.attempt == attempt)
        .values(backend=values["device"])
    )
    return True


def try_again(tx: Connection, job_id: str, attempt: int) -> None:
    """Note that an attempt is about to be submitted once more."""
    tx.execute(_row(job_id, attempt).values(tried_at=moment()))


def not_sent(tx: Connection, job_id: str, attempt: int) -> None:
    """Note that the provider certainly did not take an attempt: nothing needs looking up before the next try."""
    tx.execute(_row(job_id, attempt).values(tried_at=moment(-_LONG_AGO), doubtful=False))


_LONG_AGO = 10.0 * 365 * 86_400


def doubt(tx: Connection, job_id: str, attempt: int) -> None:
    """Note that an attempt may be at the provider twice: whoever was to submit it died, or had no answer."""
    tx.execute(_row(job_id, attempt).values(doubtful=True))


def submitted(tx: Connection, job_id: str, attempt: int, provider_job_id: str) -> str:
    """Note the provider's id of an attempt, whoever holds the job by now. Returns the id that counts: another one when
    somebody else was faster, and then what was just made is one too many."""
    tx.execute(
        _row(job_id, attempt)
        .where(provider_jobs.c.provider_job_id.is_(None))
        # Also of one that was given up meanwhile: it exists, and somebody has to see to it.
        .values(provider_job_id=provider_job_id, state="queued", submitted_at=moment(), settled=False, finished_at=None)
    )
    row = of(tx, job_id, attempt)
    assert row is not None, "an intent is written before anything is submitted"
    return str(row.provider_job_id)


def settle(tx: Connection, job_id: str, attempt: int, *, cost_micros: int | None = None, **values: Any) -> None:
    """Note that nothing is left to be asked of the provider about an attempt, and what it cost; once."""
    ended = func.coalesce(values.pop("finished_at", None), moment())
    found = tx.execute(
        _row(job_id, attempt)
        .where(~provider_jobs.c.settled)
        .values(settled=True, finished_at=ended, cost_micros=cost_micros, **values)
    )
    if found.rowcount and cost_micros:
        # Also of a job that is final: a cancelled one is billed what it used.
        cost = jobs.c.cost_micros + cost_micros
        tx.execute(update(jobs).where(jobs.c.id == job_id).values(cost_micros=cost))


def progress(tx: Connection, job_id: str, attempt: int, **values: Any) -> None:
    """Note what the provider says of an attempt."""
    tx.execute(_row(job_id, attempt).where(~provider_jobs.c.settled).values(**values))


def progress_of(tx: Connection, news: Mapping[tuple[str, int], Mapping[str, Any]]) -> None:
    """The same of many attempts, of each the same names. When a device comes back, thousands move at once."""
    each = (provider_jobs.c.job_id == bindparam("of_job"), provider_jobs.c.attempt == bindparam("of_attempt"))
    rows = [{"of_job": job_id, "of_attempt": attempt, **values} for (job_id, attempt), values in news.items()]
    if rows:
        tx.execute(update(provider_jobs).where(*each, ~provider_jobs.c.settled), rows)


def _row(job_id: str, attempt: int) -> Any:
    return update(provider_jobs).where(provider_jobs.c.job_id == job_id, provider_jobs.c.attempt == attempt)


def open_at(tx: Connection, account: str) -> list[AnyRow]:
    """What is not settled of an account, the oldest first, with its job's phase, owner and stage, and the database's
    `now`."""
    rows = (
        select(
            *provider_jobs.c,
            jobs.c.phase,
            jobs.c.owner,
            jobs.c.stage,
            jobs.c.attempt.label("current_attempt"),
            jobs.c.started_at,
            moment().label("now"),
        )
        .join(jobs, jobs.c.id == provider_jobs.c.job_id)
        .where(provider_jobs.c.account == account, ~provider_jobs.c.settled)
        .order_by(provider_jobs.c.intended_at)
    )
    return list(tx.execute(rows))


def waits(tx: Connection, account: str) -> list[tuple[bool, float]]:
    """Of what is not settled of an account: whether it runs, and for how many seconds it has waited or run."""
    begun = func.coalesce(provider_jobs.c.running_at, provider_jobs.c.submitted_at, provider_jobs.c.intended_at)
    columns = select(provider_jobs.c.running_at.isnot(None), begun.label("begun"), moment().label("now"))
    rows = tx.execute(columns.where(provider_jobs.c.account == account, ~provider_jobs.c.settled))
    return [(bool(runs), max(0.0, (now - begun).total_seconds())) for runs, begun, now in rows]


def leave_to_provider(tx: Connection, claim: Claim, job_id: str) -> bool:
    """Free a job that now goes on at the provider; False when the claim is lost."""
    found = tx.execute(
        update(jobs)
        .where(guard(claim, [job_id]), jobs.c.phase == Phase.RUNNING.value)
        .values(stage=None, owner=None, lease_until=None, not_before=None)
    )
    return bool(found.rowcount)


def take(tx: Connection, job_id: str, attempt: int, *, owner: str, lease_seconds: float) -> Claim | None:
    """Claim a job that is at its provider, to end the attempt; None when it is not, or others are at it."""
    there = and_(
        jobs.c.id == job_id,
        jobs.c.attempt == attempt,
        jobs.c.phase == Phase.RUNNING.value,
        jobs.c.stage.is_(None),
        jobs.c.owner.is_(None),
    )
    row = tx.execute(
        update(jobs)
        .where(there)
        .values(owner=owner, fence=next_fence(tx), lease_until=moment(lease_seconds))
        .returning(*CLAIMED, jobs.c.fence, moment().label("now"))
    ).first()
    if row is None:
        return None
    return Claim(row.fence, owner, Stage.POLLING, (claimed(row),), Clock.at(row.now))


def wanted(tx: Connection, job_id: str, attempt: int) -> bool:
    """Whether a job still waits for what comes of this attempt."""
    row = tx.execute(select(jobs.c.phase, jobs.c.attempt).where(jobs.c.id == job_id)).one()
    return not Phase(row.phase).final and row.attempt == attempt


def adopt(
    tx: Connection,
    job_id: str,
    account: str,
    provider_job_id: str,
    *,
    device: str,
    tag: str,
    made_at: datetime | None = None,
) -> bool:
    """Make a job that is Running at its provider already, since `made_at`, of one that was just inserted; False when
    the provider's job is known."""
    there = exists().where(provider_jobs.c.account == account, provider_jobs.c.provider_job_id == provider_job_id)
    if tx.execute(select(there)).scalar():
        return False
    made = moment() if made_at is None else made_at
    tx.execute(
        update(jobs)
        .where(jobs.c.id == job_id)
        .values(phase=Phase.RUNNING.value, stage=None, account=account, backend=device, started_at=moment())
    )
    tx.execute(
        insert(attempts).from_select(
            ["job_id", "attempt", "backend", "started_at"],
            select(literal(job_id, jobs.c.id.type), literal(1), literal(device), moment()),
        )
    )
    tx.execute(
        insert(provider_jobs).values(
            job_id=job_id,
            attempt=1,
            account=account,
            device=device,
            tag=tag,
            provider_job_id=provider_job_id,
            state="queued",
            compiled={},
            intended_at=made,
            tried_at=made,
            submitted_at=made,
        )
    )
    return True


def account_of(tx: Connection, job_id: str) -> str:
    """The account that a job was scheduled under."""
    return str(tx.execute(select(jobs.c.account).where(jobs.c.id == job_id)).scalar_one())


def labels_of(tx: Connection, job_id: str) -> dict[str, str]:
    return {row.key: row.value for row in tx.execute(select(labels).where(labels.c.job_id == job_id))}
