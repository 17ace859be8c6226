"""Alerts: thresholds that were reached are noted, and what is noted is sent."""

from __future__ import annotations

import logging
import time

from qtasks.alerts import send
from qtasks.config import Config
from qtasks.errors import QTasksError, Unavailable
from qtasks.stages.worker import Worker
from qtasks.store import alerts, deliveries, thresholds
from qtasks.store.deliveries import Delivery

log = logging.getLogger(__name__)

_AT_ONCE = 100
_STARTING_SECONDS = 4.0
_SENDING_SECONDS = 4.0
_LEASE_SECONDS = 120.0
_RETRY_SECONDS = (30.0, 60.0, 120.0, 300.0, 900.0, 1800.0, 3600.0)
"""Until the next try, after each that failed; the last one counts from then on."""
_GIVE_UP_SECONDS = 86_400.0


def see_to_alerts(worker: Worker) -> int:
    """Note what thresholds were reached, each once, and send what is due; returns how many messages were sent.

    Takes about ten seconds at most; the next call goes on. Safe to run from several places at once: a message is sent
    by one of them. One that dies between sending it and noting that leaves it to be sent again, with the same id.
    """
    with worker.store.begin() as tx:
        alerts.tell(tx, thresholds.crossed(tx))
    number, ends = 0, time.monotonic() + _STARTING_SECONDS
    for _ in range(_AT_ONCE):
        with worker.store.begin() as tx:
            delivery = deliveries.take(tx, lease_seconds=_LEASE_SECONDS)
        if delivery is None:
            break
        number += _deliver(worker, delivery)
        if time.monotonic() > ends:
            break
    return number


def _deliver(worker: Worker, delivery: Delivery) -> bool:
    alert = delivery.alert
    what = f"alert {alert.id} of budget {alert.namespace}/{alert.budget} by {delivery.channel.value}"
    try:
        send(delivery, worker.settings, _config(worker), seconds=_SENDING_SECONDS)
    except Unavailable as error:
        if delivery.age_seconds >= _GIVE_UP_SECONDS:
            _give_up(worker, delivery, what, error)
            return False
        log.warning("%s is tried again: %s", what, error)
        seconds = _RETRY_SECONDS[min(delivery.tries, len(_RETRY_SECONDS)) - 1]
        with worker.store.begin() as tx:
            deliveries.put_off(tx, delivery, error.message, seconds=seconds)
        return False
    except QTasksError as error:
        _give_up(worker, delivery, what, error)
        return False
    with worker.store.begin() as tx:
        deliveries.sent(tx, delivery)
    return True


def _config(worker: Worker) -> Config:
    try:
        return worker.config
    except QTasksError as error:
        # No reason to give an alert up: the file may be right again in a minute.
        raise Unavailable("QTASKS_CONFIG cannot be used.", reason="AlertNotSent", hint=str(error)) from None


def _give_up(worker: Worker, delivery: Delivery, what: str, error: QTasksError) -> None:
    log.error("%s is given up: %s", what, error)
    with worker.store.begin() as tx:
        deliveries.give_up(tx, delivery, error.message)
