"""Who is told: people of thresholds that were reached, by e-mail and webhook, and webhooks of the ends of jobs."""

from __future__ import annotations

from qtasks.alerts import send, tell
from qtasks.config import Config
from qtasks.errors import QTasksError, Unavailable
from qtasks.stages.outbox import Outbox
from qtasks.stages.worker import Worker
from qtasks.store import alerts, deliveries, notices, thresholds
from qtasks.store.deliveries import Delivery
from qtasks.store.notices import Notice

_SENDING_SECONDS = 4.0


def see_to_alerts(worker: Worker) -> int:
    """Note what thresholds were reached, each once, and send what is due, as `Outbox.empty` does."""
    with worker.store.begin() as tx:
        alerts.tell(tx, thresholds.crossed(tx))

    def sent(delivery: Delivery) -> None:
        send(delivery, worker.settings, _config(worker), seconds=_SENDING_SECONDS)

    def called(delivery: Delivery) -> str:
        alert = delivery.alert
        return f"alert {alert.id} of budget {alert.namespace}/{alert.budget} by {delivery.channel.value}"

    return Outbox(worker.store, deliveries, sent, called, "alert").empty()


def see_to_notices(worker: Worker) -> int:
    """Tell webhooks of the jobs that have ended, as `Outbox.empty` does."""

    def sent(notice: Notice) -> None:
        tell(notice, worker.settings, _config(worker), seconds=_SENDING_SECONDS)

    def called(notice: Notice) -> str:
        return f"the notice of job {notice.namespace}/{notice.name}"

    return Outbox(worker.store, notices, sent, called, "notice").empty()


def _config(worker: Worker) -> Config:
    try:
        return worker.config
    except QTasksError as error:
        # No reason to give a message up: the file may be right again in a minute.
        raise Unavailable("QTASKS_CONFIG cannot be used.", reason="AlertNotSent", hint=str(error)) from None
