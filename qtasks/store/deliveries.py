"""What is to be sent of alerts: each message is given to one process at a time, until it is sent or given up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select, text, update

from qtasks.store import budgets
from qtasks.store.alerts import DUE, GIVEN_UP, SENT, Alert, Channel, alert_of
from qtasks.store.tables import alert_deliveries, alerts
from qtasks.store.types import moment

_IS_DUE = text("state = 'due'")
"""As the partial index has it: a parameter in its place would hide the index."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """An alert that this process is to send to one target."""

    alert: Alert
    channel: Channel
    tries: int
    """Which try this is, from 1: a later one's notes count, an earlier one's do not."""
    age_seconds: float
    """Since the alert."""
    target: str | None = field(repr=False)
    """The address that the budget has for it now; None: none any more. A webhook's may be as good as a password."""


def take(tx: Connection, *, lease_seconds: float) -> Delivery | None:
    """What is to be sent next; new ones first, so that addresses that do not answer keep nobody waiting. Nobody else
    is given it within `lease_seconds`: a process that dies over it leaves it to the next one."""
    query = (
        select(alerts, alert_deliveries.c.channel, alert_deliveries.c.tries, moment().label("now"))
        .join(alerts, alerts.c.id == alert_deliveries.c.alert_id)
        .where(_IS_DUE, alert_deliveries.c.due_at <= moment())
        .order_by(alert_deliveries.c.tries, alert_deliveries.c.due_at)
        .limit(1)
    )
    row = tx.execute(query.with_for_update(of=alert_deliveries, skip_locked=True)).first()
    if row is None:
        return None
    channel = Channel(row.channel)
    budget = next(iter(budgets.walk(tx, namespace=row.namespace, name=row.budget)), None)
    age = (row.now - row.at).total_seconds()
    target = None if budget is None else channel.target(budget.spec)
    delivery = Delivery(alert_of(row), channel, row.tries + 1, age, target)
    mine = (alert_deliveries.c.alert_id == row.id) & (alert_deliveries.c.channel == row.channel)
    tx.execute(update(alert_deliveries).where(mine).values(tries=delivery.tries, due_at=moment(lease_seconds)))
    return delivery


def sent(tx: Connection, delivery: Delivery) -> bool:
    """Note that an alert was sent; False when somebody else has it by now."""
    return _note(tx, delivery, state=SENT, ended_at=moment(), problem=None)


def put_off(tx: Connection, delivery: Delivery, problem: str, *, seconds: float) -> bool:
    """Note why an alert could not be sent, and let it be tried again after `seconds`."""
    return _note(tx, delivery, due_at=moment(seconds), problem=problem)


def give_up(tx: Connection, delivery: Delivery, problem: str) -> bool:
    """Note why an alert is not sent any more."""
    return _note(tx, delivery, state=GIVEN_UP, ended_at=moment(), problem=problem)


def _note(tx: Connection, delivery: Delivery, **values: Any) -> bool:
    mine = (
        (alert_deliveries.c.alert_id == delivery.alert.id)
        & (alert_deliveries.c.channel == delivery.channel.value)
        & (alert_deliveries.c.tries == delivery.tries)
        & (alert_deliveries.c.state == DUE)
    )
    return bool(tx.execute(update(alert_deliveries).where(mine).values(**values)).rowcount)
