"""A poller's visit to the sessions of an account: those that are idle, expired or deleted are closed."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from qtasks.backends.protocol import BackendError, RemoteBackend
from qtasks.config import Account
from qtasks.stages.worker import Worker
from qtasks.store import sessions
from qtasks.store.sessions import CLOSED, CLOSING, OPEN, OPENING

log = logging.getLogger(__name__)

_ASKED_SECONDS = 60.0
"""How often the provider is asked whether an open session still is."""


def see_to_sessions(worker: Worker, account: Account, backend: RemoteBackend) -> float | None:
    """Close what is idle, expired or deleted; seconds until the next look, None when no session is open.

    Asks the provider one thing of each session at most. Raises Unavailable when it does not answer.
    """
    with worker.store.read() as tx:
        rows = sessions.active_at(tx, account.name)
    looks = [_see_to(worker, backend, row) for row in rows]
    return min((seconds for seconds in looks if seconds is not None), default=None)


def _see_to(worker: Worker, backend: RemoteBackend, row: Any) -> float | None:
    if row.state == OPENING:
        left = -age(row, row.lease_until)
        if left > 0:
            return left
        with worker.store.begin() as tx:
            sessions.given_up(tx, row, message="Whoever was opening it died.")
        return None
    with worker.store.begin() as tx:
        row = _judged(tx, row, worker.settings.session_idle_seconds)
    if row.state in (CLOSED, OPENING):
        return None  # somebody else was here meanwhile
    try:
        if row.state == CLOSING:
            close(worker, backend, row, "It was closed.")
            return None
        if age(row, row.seen_at) > _ASKED_SECONDS and not confirm(worker, backend, row):
            return None
    except BackendError as error:
        log.warning("session %s/%s: %s", row.namespace, row.name, error.message)
        with worker.store.begin() as tx:
            sessions.note(tx, row, message=error.message)
    times = [worker.settings.poll_longest_seconds]
    if row.started_at is not None:
        times.append(row.max_seconds - age(row, row.started_at))
    if row.idle_since is not None:
        times.append(worker.settings.session_idle_seconds - age(row, row.idle_since))
    return max(1.0, min(times))


def _judged(tx: Any, read: Any, idle_seconds: float) -> Any:
    """A session with what is known of it by now; one that is idle or expired is about to be closed."""
    row = sessions.locked(tx, read.namespace, read.name)
    if row.state != OPEN:
        return row
    news: dict[str, Any] = {}
    if row.started_at is None and (started := sessions.first_start(tx, row)) is not None:
        news["started_at"] = started
    if sessions.busy(tx, row.namespace, row.name):
        news["idle_since"] = None
    elif row.idle_since is None:
        # Its last job may have ended just now, and the next be on its way.
        news["idle_since"] = row.now
    elif age(row, row.idle_since) >= idle_seconds:
        news |= {"state": CLOSING, "message": f"It had no job for {idle_seconds:g} s."}
    if any(getattr(row, name) != value for name, value in news.items()):
        sessions.note(tx, row, **news)
        row = sessions.locked(tx, row.namespace, row.name)
    if row.state == OPEN and is_over(row):
        sessions.note(tx, row, state=CLOSING, message=f"It was open for {row.max_seconds} s, as long as it may be.")
        row = sessions.locked(tx, row.namespace, row.name)
    return row


def confirm(worker: Worker, backend: RemoteBackend, row: Any) -> bool:
    """Ask the provider whether a session is open, and note what it says."""
    if not backend.session_open(row.provider_session_id):
        note_closed(worker, row, "The provider had closed it.")
        return False
    with worker.store.begin() as tx:
        sessions.note(tx, row, seen_at=row.now)
    return True


def close(worker: Worker, backend: RemoteBackend, row: Any, message: str) -> None:
    """Close a session at the provider, where the jobs in it run on, and note why."""
    backend.close_session(row.provider_session_id)
    note_closed(worker, row, message)


def note_closed(worker: Worker, row: Any, message: str) -> None:
    with worker.store.begin() as tx:
        sessions.closed(tx, row, message=message)


def is_over(row: Any) -> bool:
    """Whether a session was open for as long as it may be. The time counts from its first job's start, as IBM counts
    it: in the provider's queue it costs nothing."""
    return row.started_at is not None and row.now >= row.started_at + timedelta(seconds=row.max_seconds)


def age(row: Any, moment: Any) -> float:
    """Seconds since `moment`, by the database's clock when `row` was read."""
    return float((row.now - moment).total_seconds())
