"""Submitting an attempt: the intent first, then one request, then the commit.

A crash at any point leaves at most one provider job. Whoever takes the attempt over finds the intent, looks the tag up,
and adopts what is there; whoever's answer is written down second cancels what it made.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from qtasks.backends.protocol import (
    BackendError,
    Compiled,
    CredentialsRefused,
    Order,
    ProviderJob,
    ProviderState,
    ProviderUnavailable,
    RemoteBackend,
    Throttled,
)
from qtasks.config import Account
from qtasks.stages.batch import Batch, Item
from qtasks.stages.debugging import note_looked_up, note_order
from qtasks.stages.remote.intent import compiled_for, intend, kept
from qtasks.stages.remote.sessions import found_closed, session_for
from qtasks.stages.worker import Worker
from qtasks.store import claims, ledger, provider_jobs
from qtasks.telemetry import traces

log = logging.getLogger(__name__)


class Doubtful(Throttled):
    """It is too early to submit again."""

    reason = "SubmissionDoubtful"


def submitted(worker: Worker, batch: Batch, item: Item, account: Account, backend: RemoteBackend) -> str | None:
    """The provider's id of the attempt's job, made or found; None when the claim was lost before."""
    job = item.job
    with worker.store.read() as tx:
        intent = provider_jobs.of(tx, job.id, job.attempt)
    tried = intent is not None and intent.tried_at >= intent.intended_at
    if intent is None:
        compiled = compiled_for(worker, item, account, backend)
        # Before the intent: a job that waits for its session has not been submitted, beyond all doubt.
        session = session_for(worker, item, account, backend, compiled.device)
        if not intend(worker, batch, item, account, backend, compiled, session):
            return None
    elif intent.provider_job_id is not None:
        return str(intent.provider_job_id)
    else:
        if tried and (found := _looked_up(worker, item, backend, intent)):
            return _adopted(worker, item, backend, found)
        session = session_for(worker, item, account, backend, intent.device)
        if tried:
            _let_settle(worker, backend, intent)
        with worker.store.begin() as tx:
            provider_jobs.try_again(tx, job.id, job.attempt)
        compiled = kept(worker, intent)
    with worker.store.read() as tx:
        if not claims.still_held(tx, batch.claim.owner, [(job.id, batch.claim.fence)]):
            return None
    order = _order(worker, item, compiled, session)
    note_order(worker, item, order)
    found = _send(worker, item, backend, order)
    if tried:
        # Whoever held the attempt before may have submitted it after it was looked up.
        found = backend.find(provider_jobs.tag_of(job.id, job.attempt), since=_since(intent)) or found
    return _adopted(worker, item, backend, found)


def _since(intent: Any) -> datetime:
    moment: datetime = intent.intended_at - provider_jobs.CLOCKS_APART
    return moment


def _looked_up(worker: Worker, item: Item, backend: RemoteBackend, intent: Any) -> list[ProviderJob]:
    """What there is of an attempt whose submission nobody saw the end of."""
    with worker.store.begin() as tx:
        provider_jobs.doubt(tx, intent.job_id, intent.attempt)
    with traces.span("provider.find", [intent.job_id], kind="client", account=item.account):
        found = backend.find(intent.tag, since=_since(intent))
    note_looked_up(worker, item, intent.tag, len(found))
    return found


def _send(worker: Worker, item: Item, backend: RemoteBackend, order: Order) -> list[ProviderJob]:
    """Submit, once; the job that this made, or was found to have made when the answer was lost."""
    try:
        own = {item.job.id: {"account": item.account, "device": order.compiled.device}}
        with traces.span("provider.submit", own, kind="client"):
            return [ProviderJob(backend.submit(order), ProviderState.QUEUED)]
    except ProviderUnavailable as error:
        if not isinstance(error, Throttled):
            found = backend.find(order.tag, since=item.job.created_at - provider_jobs.CLOCKS_APART)
            if not found:
                raise
            return found
        _certainly_not(worker, item)
        raise
    except CredentialsRefused:
        _certainly_not(worker, item)
        raise
    except BackendError as error:
        if error.reason == "AllowanceExhausted":
            _certainly_not(worker, item)
        if error.reason != "SessionClosed" or order.session is None:
            raise
        _certainly_not(worker, item)
        raise found_closed(worker, item, order.session) from None


def _certainly_not(worker: Worker, item: Item) -> None:
    """The provider refused: there is nothing to look up before the next try."""
    with worker.store.begin() as tx:
        provider_jobs.not_sent(tx, item.job.id, item.job.attempt)


def _let_settle(worker: Worker, backend: RemoteBackend, intent: Any) -> None:
    """A request of a worker that died may still be on its way: the provider is not asked again before it has come, or
    never will. Raises ProviderUnavailable until then."""
    left = worker.settings.doubt_seconds - (intent.now - intent.tried_at).total_seconds()
    if left > 0 and not backend.idempotent:
        message = "The submission had no answer, and its job is not at the provider; looking again before submitting."
        raise Doubtful(message, retry_after=left)


def _order(worker: Worker, item: Item, compiled: Compiled, session: str | None) -> Order:
    execution = item.spec.execution
    with worker.store.read() as tx:
        labels = provider_jobs.labels_of(tx, item.job.id)
        limit = _longest(tx, item)
    return Order(
        compiled=compiled,
        shots=item.extent.most_shots,
        tag=provider_jobs.tag_of(item.job.id, item.job.attempt),
        labels=tuple(f"{key}:{value}" if value else key for key, value in sorted(labels.items())),
        max_execution_seconds=limit,
        session=session,
        seed_simulator=execution.seed_simulator,
    )


def _longest(tx: Connection, item: Item) -> int | None:
    """Seconds of quantum time at which the provider is to stop: the job's own limit, or what a budget has reserved."""
    limit = item.spec.execution.max_execution_time
    seconds = None if limit is None else limit.seconds
    charge = ledger.open_charges(tx, [item.job.id]).get((item.job.id, item.job.attempt))
    if charge is not None and charge.quantum and (charge.periods or item.spec.budget is not None):
        seconds = min(charge.quantum / 1e6, float("inf") if seconds is None else seconds)
    return None if seconds is None else max(1, int(seconds))


def _adopted(worker: Worker, item: Item, backend: RemoteBackend, found: Sequence[ProviderJob]) -> str:
    """Take the oldest of the provider jobs of an attempt for the attempt's, and cancel every other."""
    counts = _noted(worker, item, backend, found[0].id)
    for extra in found:
        if extra.id != counts:
            _cancel_extra(item, backend, extra.id)
    return counts


def _noted(worker: Worker, item: Item, backend: RemoteBackend, provider_job_id: str) -> str:
    """Write down the provider's id at once; returns the one that counts. Another one was written before when somebody
    else was faster, and then this one is cancelled."""
    job = item.job

    def commit(tx: Any) -> str:
        return provider_jobs.submitted(tx, job.id, job.attempt, provider_job_id)

    # The job exists and costs money: a database that is away must not make anybody forget it.
    counts = worker.store.insist(commit, seconds=300)
    if counts != provider_job_id:
        _cancel_extra(item, backend, provider_job_id)
    return counts


def _cancel_extra(item: Item, backend: RemoteBackend, provider_job_id: str) -> None:
    log.warning("job %s attempt %d is there twice; cancelling %s", item.job.id, item.job.attempt, provider_job_id)
    backend.cancel(provider_job_id)
