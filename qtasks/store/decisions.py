"""What was decided for each attempt of a job, and how wrong the estimates of past decisions were."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from qtasks.store.accounts import AnyRow
from qtasks.store.tables import decisions, provider_jobs
from qtasks.store.types import moment

_DAYS = 28
_AT_MOST = 1000
"""Decisions that an accuracy is worked out from, the latest ones."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Where an attempt of a job was to run, and why."""

    job_id: str
    attempt: int
    namespace: str
    selection: Mapping[str, Any]
    """`scheduling.explanation.as_data`."""
    account: str | None = None
    device: str | None = None
    wait_seconds: float | None = None
    cost_micros: int | None = None


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How far estimated and real starts lay apart."""

    jobs: int
    """How many estimates this is of."""
    median_error_seconds: float | None
    """Median of |real − estimated|; None without jobs."""
    median_bias_seconds: float | None
    """Median of real − estimated: more than zero where jobs start later than they were thought to."""


def keep(tx: Connection, decision: Decision) -> None:
    """Write down a decision; of one attempt the latest counts."""
    values = {
        "at": moment(),
        "namespace": decision.namespace,
        "account": decision.account,
        "device": decision.device,
        "wait_seconds": decision.wait_seconds,
        "cost_micros": decision.cost_micros,
        "selection": decision.selection,
    }
    insert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    row = insert(decisions).values(job_id=decision.job_id, attempt=decision.attempt, **values)
    tx.execute(row.on_conflict_do_update(index_elements=["job_id", "attempt"], set_=values))


def of_job(tx: Connection, job_id: str) -> list[AnyRow]:
    """The decisions about a job, one for each attempt that came so far, in their order."""
    return list(tx.execute(select(decisions).where(decisions.c.job_id == job_id).order_by(decisions.c.attempt)))


def latest(tx: Connection, ids: Iterable[str]) -> dict[str, AnyRow]:
    """When (`at`), and with which `device` and `wait_seconds`, it was last decided about each job."""
    columns = (decisions.c.job_id, decisions.c.attempt, decisions.c.at, decisions.c.device, decisions.c.wait_seconds)
    rows = select(*columns).where(decisions.c.job_id.in_(list(ids))).order_by(decisions.c.attempt)
    return {row.job_id: row for row in tx.execute(rows)}


def accuracy(
    tx: Connection, *, namespace: str | None = None, account: str | None = None, device: str | None = None
) -> Accuracy:
    """How wrong past estimates of the start were: of a namespace, an account, a device, or what of them is given."""
    same = (provider_jobs.c.job_id == decisions.c.job_id) & (provider_jobs.c.attempt == decisions.c.attempt)
    query = (
        select(decisions.c.at, decisions.c.wait_seconds, provider_jobs.c.running_at)
        .join(provider_jobs, same)
        .where(
            decisions.c.at > moment(-86_400.0 * _DAYS),
            decisions.c.wait_seconds.isnot(None),
            provider_jobs.c.running_at.isnot(None),
        )
        .order_by(decisions.c.at.desc())
        .limit(_AT_MOST)
    )
    for column, value in (("namespace", namespace), ("account", account), ("device", device)):
        if value is not None:
            query = query.where(decisions.c[column] == value)
    off = [_seconds(row.at, row.running_at) - row.wait_seconds for row in tx.execute(query)]
    if not off:
        return Accuracy(0, None, None)
    return Accuracy(len(off), median(map(abs, off)), median(off))


def _seconds(start: datetime, end: datetime) -> float:
    return (end - start).total_seconds()
