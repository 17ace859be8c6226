"""Alerts: each is written once, in the transaction that finds it due, with what is to be sent of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, func, insert, select

from qtasks.resources import BudgetSpec, JobBudget, Money
from qtasks.store import budgets
from qtasks.store.budgets import Budget
from qtasks.store.ids import new_id
from qtasks.store.records import Event, record
from qtasks.store.tables import alert_deliveries, alerts, budget_periods, charges, inputs, jobs
from qtasks.store.thresholds import Crossing, job_alert
from qtasks.store.types import moment


class Channel(StrEnum):
    """How an alert is sent."""

    EMAIL = "email"
    WEBHOOK = "webhook"

    def target(self, spec: BudgetSpec) -> str | None:
        """Where a budget wants its alerts to be sent this way."""
        return spec.notification_email if self is Channel.EMAIL else spec.webhook


DUE = "due"
SENT = "sent"
GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True)
class Standing:
    """A period of a budget when its threshold was reached. Amounts are in micro-dollars, quantum time in microseconds;
    limits that there are not are None."""

    period: str
    time_zone: str
    start: str | None
    """ISO 8601 in UTC; None for a total."""
    end: str | None
    limit_micros: int | None
    settled_micros: int
    reserved_micros: int
    limit_quantum: int | None
    settled_quantum: int
    reserved_quantum: int


@dataclass(frozen=True, slots=True)
class JobCost:
    """What a job had cost when its own threshold was reached, in micro-dollars."""

    name: str
    cost_micros: int
    max_micros: int


@dataclass(frozen=True, slots=True)
class Alert:
    """A threshold that was reached: of a budget, or of a job that falls under it."""

    id: str
    at: datetime
    namespace: str
    budget: str
    threshold: float
    """Per cent of the limit."""
    percent: float
    """What is spent and reserved, or what the job has cost, per cent of the limit."""
    about: Standing | JobCost


@dataclass(frozen=True, slots=True)
class Counts:
    """How many alerts there were, and what became of them."""

    budgets: int
    jobs: int
    deliveries: Mapping[tuple[str, str], int]
    """By channel and state (due, sent, given_up)."""


def tell(tx: Connection, crossings: Iterable[Crossing]) -> list[str]:
    """Write an alert for each crossing, and what is to be sent of it: nothing where the budget names no address. To be
    called in the transaction in which `thresholds.crossed` found them. Returns their ids."""
    return [_write(tx, one.budget, one.threshold, one.percent, _standing(one)) for one in crossings]


def _standing(crossing: Crossing) -> Standing:
    spec, budget, ever = crossing.budget.spec, crossing.budget, crossing.end is None
    return Standing(
        period=spec.period.value,
        time_zone=spec.time_zone,
        start=None if ever else crossing.start.isoformat(),
        end=None if crossing.end is None else crossing.end.isoformat(),
        limit_micros=budget.limit_micros,
        settled_micros=crossing.settled_micros,
        reserved_micros=crossing.reserved_micros,
        limit_quantum=budget.limit_quantum,
        settled_quantum=crossing.settled_quantum,
        reserved_quantum=crossing.reserved_quantum,
    )


def tell_job(tx: Connection, job_id: str, *, so_far_micros: int = 0) -> bool:
    """Note, once, that a job has reached its own alertThreshold, `so_far_micros` of a running attempt among its cost:
    an event of the job, and an alert at each budget of its namespace that it is charged to and that names an address,
    each address once. Whether it was noted by this call."""
    total = job_alert(tx, job_id, so_far_micros=so_far_micros)
    if total is None:
        return False
    found = select(jobs.c.namespace, jobs.c.name, inputs.c.resource)
    job = tx.execute(found.join(inputs, inputs.c.job_id == jobs.c.id).where(jobs.c.id == job_id)).first()
    if job is None:
        return False
    own = JobBudget.model_validate(job.resource["spec"].get("budget") or {})
    if own.max_cost is None or own.alert_threshold is None:
        return False
    cost = JobCost(job.name, total, own.max_cost.micros)
    percent = 100.0 * total / cost.max_micros if cost.max_micros else 100.0
    sentence = f"The job has cost {Money.from_micros(total)}, {percent:.3g} % of its maxCost of {own.max_cost}."
    record(tx, [job_id], Event("CostAlert", sentence, warning=True), source="alerts")
    told: set[tuple[Channel, str]] = set()
    for budget in _charged(tx, job_id, job.namespace):
        new = {(channel, target) for channel in Channel if (target := channel.target(budget.spec))} - told
        told |= new
        if new:
            channels = [channel for channel, _ in sorted(new)]
            _write(tx, budget, 100.0 * own.alert_threshold, percent, cost, job_id=job_id, channels=channels)
    return True


def _charged(tx: Connection, job_id: str, namespace: str) -> list[Budget]:
    """The budgets of a namespace in which a job counts."""
    rows = tx.execute(select(charges.c.periods).where(charges.c.job_id == job_id))
    periods = {period for row in rows for period in row.periods}
    ids = set(tx.scalars(select(budget_periods.c.budget_id).where(budget_periods.c.id.in_(periods))))
    return [budget for budget in budgets.walk(tx, namespace=namespace) if budget.id in ids]


def _write(
    tx: Connection,
    budget: Budget,
    threshold: float,
    percent: float,
    about: Standing | JobCost,
    *,
    job_id: str | None = None,
    channels: Iterable[Channel] = tuple(Channel),
) -> str:
    alert_id = new_id()
    values = {"namespace": budget.namespace, "budget": budget.name, "threshold": threshold, "percent": percent}
    tx.execute(insert(alerts).values(id=alert_id, at=moment(), job_id=job_id, facts=asdict(about), **values))
    for channel in channels:
        if channel.target(budget.spec) is not None:
            row = {"alert_id": alert_id, "channel": channel.value, "state": DUE}
            tx.execute(insert(alert_deliveries).values(due_at=moment(), **row))
    return alert_id


def alert_of(row: Any) -> Alert:
    """The alert that a row of `alerts` keeps."""
    about = Standing(**row.facts) if row.job_id is None else JobCost(**row.facts)
    return Alert(row.id, row.at, row.namespace, row.budget, row.threshold, row.percent, about)


def latest(tx: Connection, namespace: str, budget: str, *, limit: int = 10) -> list[tuple[Alert, list[Any]]]:
    """The latest alerts of a budget, newest first, each with the rows of its deliveries: channel, state, tries, due_at,
    ended_at, problem."""
    mine = (alerts.c.namespace == namespace) & (alerts.c.budget == budget)
    rows = [alert_of(row) for row in tx.execute(select(alerts).where(mine).order_by(alerts.c.id.desc()).limit(limit))]
    query = select(alert_deliveries).where(alert_deliveries.c.alert_id.in_([alert.id for alert in rows]))
    found: dict[str, list[Any]] = {alert.id: [] for alert in rows}
    for delivery in tx.execute(query.order_by(alert_deliveries.c.channel)):
        found[delivery.alert_id].append(delivery)
    return [(alert, found[alert.id]) for alert in rows]


def counts(tx: Connection) -> Counts:
    """How many alerts there are, and what became of what was to be sent."""
    of_budgets, of_jobs = tx.execute(
        select(func.count() - func.count(alerts.c.job_id), func.count(alerts.c.job_id.distinct())).select_from(alerts)
    ).one()
    state = (alert_deliveries.c.channel, alert_deliveries.c.state)
    rows = tx.execute(select(*state, func.count().label("number")).group_by(*state))
    return Counts(of_budgets, of_jobs, {(row.channel, row.state): row.number for row in rows})
