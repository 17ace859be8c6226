"""The end of a job, told to the webhook that its `spec.webhook` names."""

from __future__ import annotations

import json
from datetime import datetime

from qtasks.alerts.sending import signing_key
from qtasks.alerts.webhook import Message, post
from qtasks.config import Config
from qtasks.resources import Money
from qtasks.results import timestamp
from qtasks.settings import Settings
from qtasks.store.notices import Notice


def payload(notice: Notice) -> bytes:
    """The notice as UTF-8 JSON in the form of Standard Webhooks: type (`job.completed`, `job.failed` or
    `job.cancelled`), timestamp (of the end), data."""
    data = {
        "id": notice.job_id,
        "namespace": notice.namespace,
        "name": notice.name,
        "phase": notice.phase,
        "reason": notice.reason,
        "message": notice.message,
        "labels": dict(notice.labels),
        "backend": notice.backend,
        "cost": str(Money.from_micros(notice.cost_micros)),
        "creationTimestamp": timestamp(notice.created_at),
        "startTime": _time(notice.started_at),
        "completionTime": timestamp(notice.finished_at),
    }
    kind = f"job.{notice.phase.lower()}"
    return json.dumps({"type": kind, "timestamp": timestamp(notice.finished_at), "data": data}).encode()


def tell(notice: Notice, settings: Settings, config: Config, *, seconds: float) -> None:
    """Post a notice, in about `seconds` at most; the id of its message is the job's.

    Raises Unavailable for what may heal, by itself or by an operator; InvalidInput or Forbidden (`NoticeRefused`) for
    what does not. No error holds a secret, or more of the address than its host.
    """
    key = signing_key(notice.namespace, settings, config)
    message = Message(notice.job_id, payload(notice), what="notice")
    hosts, http = settings.source_hosts, settings.source_http
    post(message, notice.target, key=key, hosts=hosts, http=http, seconds=seconds)


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else timestamp(moment)
