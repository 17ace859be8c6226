"""Handing a job to its provider, and what becomes of it when that cannot be."""

from __future__ import annotations

import logging
from typing import Any

from qtasks.backends.accounts import account_called
from qtasks.backends.protocol import BackendError, CredentialsRefused, ProviderUnavailable, Throttled
from qtasks.config import Account
from qtasks.errors import Unavailable
from qtasks.lifecycle import ConditionStatus, ConditionType, Phase
from qtasks.stages.batch import Batch, Item
from qtasks.stages.endings import fail_or_retry
from qtasks.stages.remote.sessions import SessionOpening
from qtasks.stages.remote.submission import Doubtful, submitted
from qtasks.stages.worker import Worker
from qtasks.store import accounts, claims, ledger, moves, provider_jobs
from qtasks.store.records import Condition, Event, record, settle_condition

log = logging.getLogger(__name__)

_AGAIN_SECONDS = 10.0
_OPENING_SECONDS = 2.0
"""How long until a job looks again whether its session is open."""
_PATIENCE_SECONDS = 60.0
"""How long an account is left alone that asks for patience without saying how long."""
_REFUSED_SECONDS = 300.0
"""How long until an account whose credentials were refused is tried again."""


def hand_over(worker: Worker, batch: Batch) -> None:
    """Submit the one job of `batch` to its provider, and leave it there."""
    (item,) = batch.items.values()
    account = _account(worker, item)
    backend = worker.provider(account)
    try:
        provider_job_id = submitted(worker, batch, item, account, backend)
    except BackendError as error:
        if error.reason == "AllowanceExhausted":
            _park_again(worker, batch, item, account, error)
        else:
            _refused(worker, batch, item, error)
    except SessionOpening as error:
        _not_now(worker, batch, item, None, error, seconds=_OPENING_SECONDS)
    except Doubtful as error:
        _not_now(worker, batch, item, None, error, seconds=_patience(error))
    except ProviderUnavailable as error:
        _not_now(worker, batch, item, account, error, seconds=_patience(error))
    except CredentialsRefused as error:
        _not_now(worker, batch, item, account, error, seconds=_REFUSED_SECONDS)
    else:
        if provider_job_id is not None:
            _leave(worker, batch, item, account, provider_job_id)


def _account(worker: Worker, item: Item) -> Account:
    assert item.account is not None, "a job without an account runs here"
    with worker.store.read() as tx:
        provider = accounts.names(tx)[item.account]
    return account_called(worker.config, item.account, provider)


def _patience(error: ProviderUnavailable) -> float:
    if isinstance(error, Throttled):
        return _PATIENCE_SECONDS if error.retry_after is None else max(1.0, error.retry_after)
    return _AGAIN_SECONDS


def _leave(worker: Worker, batch: Batch, item: Item, account: Account, provider_job_id: str) -> None:
    job = item.job
    message = f"Submitted to {item.spec.backend.type.value} under account {account.name} as {provider_job_id}."

    def commit(tx: Any) -> bool:
        held = provider_jobs.leave_to_provider(tx, batch.claim, job.id)
        if held:
            record(tx, [job.id], Event("Submitted", message), source=worker.owner)
            condition = Condition(ConditionType.SUBMITTED, ConditionStatus.TRUE, "Submitted", message)
            settle_condition(tx, [job.id], condition)
        # Also when it was cancelled meanwhile: a poller has to cancel it at the provider.
        accounts.wake(tx, [account.name], in_seconds=worker.settings.poll_seconds if held else 0.0)
        return held

    held = worker.store.insist(commit, seconds=300)
    if held:
        worker.notifier.tell({job.id: Phase.RUNNING})


def _refused(worker: Worker, batch: Batch, item: Item, error: BackendError) -> None:
    """The provider will not have the job as it is: for good, or to be tried again as its policy says."""
    with worker.store.begin() as tx:
        phase = fail_or_retry(tx, batch.claim, item, error)
        if phase is not None:
            provider_jobs.settle(tx, item.job.id, item.job.attempt, state=provider_jobs.REFUSED, message=str(error))
            ledger.release(tx, [item.job.id], error.reason, attempt=item.job.attempt)
    if phase is not None:
        worker.notifier.tell({item.job.id: phase})


def _park_again(worker: Worker, batch: Batch, item: Item, account: Account, error: BackendError) -> None:
    """The provider has no time left for the account: its jobs wait in Scheduling. This one's intent stays good."""
    with worker.store.begin() as tx:
        accounts.pause(tx, account.name, seconds=_REFUSED_SECONDS, reason=error.reason, message=error.message)
        accounts.wake(tx, [account.name])
        moves.advance(
            tx,
            batch.claim,
            [item.job.id],
            Phase.SCHEDULING,
            queue=None,
            event=Event(error.reason, error.message, warning=True),
            conditions=[Condition(ConditionType.SCHEDULED, ConditionStatus.FALSE, error.reason, str(error))],
            keep=False,
            reason=error.reason,
            message=error.message,
        )
    worker.notifier.tell({item.job.id: Phase.SCHEDULING})


def _not_now(
    worker: Worker, batch: Batch, item: Item, account: Account | None, error: Unavailable, *, seconds: float
) -> None:
    """The provider does not answer, or asks for patience: the job stays Running, and is tried again in a while, and so
    are the others of the account where one is given."""
    condition = Condition(ConditionType.SUBMITTED, ConditionStatus.UNKNOWN, error.reason, str(error))
    with worker.store.begin() as tx:
        if account is not None:
            accounts.pause(tx, account.name, seconds=seconds, reason=error.reason, message=error.message)
        freed = claims.give_back(tx, batch.claim, [item.job.id], message=error.message, delay_seconds=seconds)
        settle_condition(tx, freed, condition)
    log.warning("job %s waits for its provider: %s", item.job.id, error.message)
