"""Polling: an account that is due is visited, and everything that waits for its provider is asked for at once.

The account is what is claimed, so several pollers share the work. A visit looks for what crashed submissions left,
cancels what is no longer wanted, asks where all open jobs stand, and collects what is done.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import Any

from qtasks.backends.accounts import account_called
from qtasks.backends.catalogue import see_to_catalogue
from qtasks.backends.protocol import BackendError, ProviderJob, ProviderState, RemoteBackend, Throttled
from qtasks.config import Account
from qtasks.errors import QTasksError, Unavailable
from qtasks.lifecycle import Phase, Queue, Stage
from qtasks.queue import Hint
from qtasks.scheduling.pace import Waiting, jittered, next_poll_seconds, retry_seconds
from qtasks.stages.remote.collection import end
from qtasks.stages.remote.keeping import kept
from qtasks.stages.remote.overtime import end_overspent, end_overtime
from qtasks.stages.remote.sessions import see_to_sessions
from qtasks.stages.remote.turns import give_turns, hint
from qtasks.stages.telling import of_row, polled
from qtasks.stages.worker import Worker
from qtasks.store import accounts, provider_jobs, upkeep
from qtasks.store.accounts import Visit
from qtasks.telemetry import logs, traces

log = logging.getLogger(__name__)

_AT_A_STRETCH_SECONDS = 15.0
"""After so long a visit leaves the rest to the next, which is due at once: the reconciler wants its turn too."""
_NEVER_DOUBTS = 20
"""For so many times `QTASKS_DOUBT_SECONDS` an intent that nobody holds is looked up at the provider, before it is taken
for never submitted: ten minutes, unless somebody says otherwise."""
_ALLOWANCE_SECONDS = 300.0
"""How old the provider's word on an allowance may be."""


def make_known(worker: Worker) -> None:
    """Give the configured accounts their rows, so that the catalogue learns of their devices before a job wants one."""
    with worker.store.begin() as tx:
        for account in worker.config.accounts:
            accounts.ensure(tx, account.name, account.provider.value)


def poll(worker: Worker) -> list[str]:
    """Visit the accounts that are due, for a little while; returns their names."""
    if not worker.accounts_known:
        make_known(worker)
        worker.accounts_known = True
    visited = []
    until = time.monotonic() + _AT_A_STRETCH_SECONDS
    while time.monotonic() < until:
        with worker.store.begin() as tx:
            visit = accounts.take_due(tx, owner=worker.owner, lease_seconds=worker.settings.lease_seconds)
        if visit is None:
            break
        _visit(worker, visit)
        visited.append(visit.account)
    return visited


def _visit(worker: Worker, visit: Visit) -> None:
    """One visit, from claim to release; whatever goes wrong, the account is due again."""
    with logs.about(account=visit.account, worker=worker.owner, stage=Stage.POLLING.value):
        _visited(worker, visit)


def _visited(worker: Worker, visit: Visit) -> None:
    try:
        with worker.store.read() as tx:
            provider = accounts.names(tx)[visit.account]
        account = account_called(worker.config, visit.account, provider)
        with kept(worker, visit):
            due = _look_after(worker, visit, account, worker.provider(account))
    except Unavailable as error:
        _trouble(worker, visit, error)
    except Exception as error:
        # One account's surprise is no reason to leave the others alone.
        log.exception("the visit of account %s failed", visit.account)
        reason = error.reason if isinstance(error, QTasksError) else type(error).__name__
        said = error.message if isinstance(error, QTasksError) else "The poller's log has the details."
        _trouble(worker, visit, QTasksError(said, reason=reason))
    else:
        with worker.store.begin() as tx:
            accounts.leave(tx, visit, due_seconds=None if due is None else jittered(due))
            sent = give_turns(tx, account, ageing_seconds=worker.settings.ageing_seconds)
        hint(worker, sent)


def _trouble(worker: Worker, visit: Visit, error: QTasksError) -> None:
    settings = worker.settings
    seconds = retry_seconds(visit.failures + 1, shortest=settings.poll_seconds, longest=settings.poll_longest_seconds)
    if isinstance(error, Throttled) and error.retry_after is not None:
        seconds = max(1.0, error.retry_after)
    with worker.store.begin() as tx:
        accounts.leave_unanswered(tx, visit, due_seconds=jittered(seconds), reason=error.reason, message=error.message)
    log.warning("account %s: %s (again in %.0f s)", visit.account, error.message, seconds)


def _look_after(worker: Worker, visit: Visit, account: Account, backend: RemoteBackend) -> float | None:
    """Do what is due; returns the seconds until the next visit, None when nothing waits there.

    Raises Unavailable as soon as the provider does not answer: the next visit goes on.
    """
    until = time.monotonic() + _AT_A_STRETCH_SECONDS
    with worker.store.read() as tx:
        rows = provider_jobs.open_at(tx, account.name)
    for row in rows:
        if row.provider_job_id is None and not _wanted(row):
            with _apart(row):
                _look_up(worker, backend, row)
    there = [row for row in rows if row.provider_job_id is not None]
    for row in there:
        if not _wanted(row) and row.state != "cancelling":
            with _apart(row):
                backend.cancel(row.provider_job_id)
                with worker.store.begin() as tx:
                    provider_jobs.progress(tx, row.job_id, row.attempt, state="cancelling")
    asked = traces.now()
    said = backend.statuses([row.provider_job_id for row in there], since=_oldest(there)) if there else {}
    left = _follow(worker, visit, backend, there, said, until, asked)
    if left is None:
        return 0.0
    end_overtime(worker, backend, left, said)
    end_overspent(worker, backend, left, said)
    sessions = see_to_sessions(worker, account, backend)
    fresh = _refresh(worker, account, backend)
    _ask_allowance(worker, account, backend, collected=len(left) < len(there))
    return _next(worker, account, sessions, fresh)


@contextmanager
def _apart(row: Any) -> Iterator[None]:
    """What nobody foresaw of one job is no reason to leave the others of its account alone: the next visit meets it
    again. Only a provider that does not answer ends a visit."""
    try:
        with of_row(row):
            yield
    except Unavailable:
        raise
    except Exception:
        with of_row(row):
            log.exception("job %s attempt %d at %s cannot be seen to", row.job_id, row.attempt, row.account)


def _wanted(row: Any) -> bool:
    return not Phase(row.phase).final and row.current_attempt == row.attempt


def _look_up(worker: Worker, backend: RemoteBackend, row: Any) -> None:
    """An intent whose job has ended, or went on without it: whatever came of it must not run on unseen."""
    found = backend.find(row.tag, since=row.intended_at - provider_jobs.CLOCKS_APART)
    with worker.store.begin() as tx:
        if found:
            provider_jobs.submitted(tx, row.job_id, row.attempt, found[0].id)
            provider_jobs.doubt(tx, row.job_id, row.attempt)
        elif (row.now - row.intended_at).total_seconds() > _NEVER_DOUBTS * worker.settings.doubt_seconds:
            provider_jobs.settle(tx, row.job_id, row.attempt, state=provider_jobs.ABANDONED)
    if found:
        accounts_due_again(worker, row.account)


def accounts_due_again(worker: Worker, name: str) -> None:
    with worker.store.begin() as tx:
        accounts.wake(tx, [name])


def _oldest(rows: Sequence[Any]) -> Any:
    return min(row.intended_at for row in rows) - provider_jobs.CLOCKS_APART


def _follow(
    worker: Worker,
    visit: Visit,
    backend: RemoteBackend,
    rows: Sequence[Any],
    said: Mapping[str, ProviderJob],
    until: float,
    asked: int,
) -> list[Any] | None:
    """Take up what the provider said of each job; returns those that go on there, None when the time ran out."""
    standing = {row.provider_job_id: _said_of(row, said) for row in rows}
    left = [row for row in rows if not standing[row.provider_job_id].state.final]
    polled(rows, standing, asked)
    _note(worker, left, standing)
    for row in rows:
        job = standing[row.provider_job_id]
        if not job.state.final or (_wanted(row) and (row.owner or row.stage)):
            continue  # it goes on, or whoever submitted it has not let go of it yet
        if time.monotonic() > until:
            return None
        spanned = {row.job_id: {"attempt": row.attempt, "account": row.account}}
        with _apart(row), traces.span("collection", spanned, kind="consumer", worker=worker.owner):
            end(worker, visit, backend, row, job)
        with worker.store.begin() as tx:
            if not accounts.mine(tx, visit):
                return left
    return left


def _said_of(row: Any, said: Mapping[str, ProviderJob]) -> ProviderJob:
    return said.get(row.provider_job_id) or ProviderJob(row.provider_job_id, ProviderState.LOST)


def _note(worker: Worker, rows: Sequence[Any], standing: Mapping[str, ProviderJob]) -> None:
    """Write down where jobs stand that go on at the provider, of those where that is news."""
    noted: dict[tuple[str, int], dict[str, Any]] = {}
    moved = []
    for row in rows:
        news = _news(row, standing[row.provider_job_id])
        if any(getattr(row, name) != value for name, value in news.items()):
            noted[row.job_id, row.attempt] = news
            moved += [row.job_id] if row.state != news["state"] else []
    if noted:
        with worker.store.begin() as tx:
            provider_jobs.progress_of(tx, noted)
    worker.notifier.tell(dict.fromkeys(moved, Phase.RUNNING))


def _news(row: Any, job: ProviderJob) -> dict[str, Any]:
    runs = job.state is ProviderState.RUNNING
    return {
        "state": row.state if row.state == "cancelling" else job.state.value,
        "queue_position": job.queue_position,
        "starts_at": job.starts_at,
        "running_at": job.running_at or (row.running_at or row.now if runs else None),
    }


def _ask_allowance(worker: Worker, account: Account, backend: RemoteBackend, *, collected: bool) -> None:
    """Have the provider's word on what is left: after jobs that used some, and every few minutes."""
    with worker.store.read() as tx:
        row = accounts.get(tx, account.name)
    assert row is not None, "a visit is of an account that has a row"
    old = row.allowance_at is None or (row.now - row.allowance_at).total_seconds() > _ALLOWANCE_SECONDS
    if not (collected or old):
        return
    allowance = backend.allowance()
    said = None
    if allowance is not None:
        said = {
            name: value.isoformat() if hasattr(value, "isoformat") else value
            for name, value in asdict(allowance).items()
        }
    with worker.store.begin() as tx:
        accounts.keep_allowance(tx, account.name, said)


def _refresh(worker: Worker, account: Account, backend: RemoteBackend) -> float:
    """Let the catalogue learn of the account's devices; seconds until there is more. Jobs that waited for any device to
    be known are looked at again."""
    try:
        fresh = see_to_catalogue(worker.store, account.name, backend)
    except BackendError as error:
        log.warning("the catalogue of account %s: %s", account.name, error.message)
        return _ALLOWANCE_SECONDS
    with worker.store.begin() as tx:
        woken = upkeep.look_again(tx, "NoCandidate")
    with suppress(Unavailable):
        worker.publisher.publish(*(Hint(Queue.SCHEDULING, row.id, row.name, row.priority) for row in woken))
    return fresh


def _next(worker: Worker, account: Account, sessions: float | None, fresh: float) -> float | None:
    settings = worker.settings
    with worker.store.read() as tx:
        waiting = [Waiting(runs, seconds) for runs, seconds in provider_jobs.waits(tx, account.name)]
        parked = accounts.load(tx, account.name).parked
    due = next_poll_seconds(waiting, shortest=settings.poll_seconds, longest=settings.poll_longest_seconds)
    # An idle account's figures may grow old; what is not known of its devices yet is asked for at once.
    catalogue = max(fresh, settings.poll_seconds) if fresh == 0 or waiting or parked else None
    times = (due, sessions, settings.poll_seconds if parked else None, catalogue)
    return min((seconds for seconds in times if seconds is not None), default=None)
