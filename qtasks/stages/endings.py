"""How a job ends: well, in the same words wherever it ran; badly for good, or to be tried again, by what its error says
and its retry policy allows."""

from __future__ import annotations

from sqlalchemy import Connection

from qtasks.backends.protocol import BackendError
from qtasks.errors import QTasksError, Unavailable
from qtasks.lifecycle import ConditionStatus, ConditionType, Phase, Queue, backoff_seconds
from qtasks.stages.batch import Item
from qtasks.store import moves
from qtasks.store.claims import Claim
from qtasks.store.records import Condition, Event
from qtasks.telemetry import metrics, traces

COMPLETED = Event("Completed", "The result is stored.")
EXECUTED = Condition(ConditionType.EXECUTED, ConditionStatus.TRUE, "Completed", "The circuit ran.")
STORED = Condition(
    ConditionType.RESULT_STORED, ConditionStatus.TRUE, "Stored", "The result is in the object store, with its checksum."
)


def fail(tx: Connection, claim: Claim, item: Item, error: QTasksError, *, condition: ConditionType) -> set[str]:
    """End a job as Failed, with the error's reason, sentence and hint. Returns its id if it was still held."""
    traces.failed(item.job.id, error.reason, error.message)
    ended = moves.finish(
        tx,
        claim,
        [item.job.id],
        Phase.FAILED,
        event=Event(error.reason, str(error), warning=True),
        conditions=[Condition(condition, ConditionStatus.FALSE, error.reason, str(error))],
        aftercare=item.input_key is not None or item.circuit_key is not None,
    )
    metrics.FAILURES.count(len(ended), reason=error.reason)
    return ended


def fail_or_retry(tx: Connection, claim: Claim, item: Item, error: BackendError) -> Phase | None:
    """After a failed attempt to run: Retrying where that may help and the policy allows it, else Failed; None when the
    claim was lost."""
    if error.heals and _may_retry(item):
        return _retry(tx, claim, item, error, at=Queue.SCHEDULING)
    return Phase.FAILED if fail(tx, claim, item, error, condition=ConditionType.EXECUTED) else None


def fail_or_fetch_again(tx: Connection, claim: Claim, item: Item, error: QTasksError) -> Phase | None:
    """After a fetch that failed: as `fail_or_retry`; a source that did not answer may heal, every other error stays."""
    if isinstance(error, Unavailable):
        if _may_retry(item):
            return _retry(tx, claim, item, error, at=Queue.FETCH, condition=ConditionType.VALIDATED)
        error = QTasksError(
            f"{error.message} It was tried {item.job.attempt} times.",
            reason=error.reason,
            hint="See whether the source answers, then submit the job again.",
        )
    return Phase.FAILED if fail(tx, claim, item, error, condition=ConditionType.VALIDATED) else None


def _may_retry(item: Item) -> bool:
    return item.job.attempt <= item.spec.retry_policy.max_retries


def _retry(
    tx: Connection,
    claim: Claim,
    item: Item,
    error: QTasksError,
    *,
    at: Queue,
    condition: ConditionType | None = None,
) -> Phase | None:
    backoff = item.spec.retry_policy.backoff
    delay = backoff_seconds(
        item.job.attempt,
        initial=backoff.initial.seconds,
        maximum=backoff.maximum.seconds,
        multiplier=float(backoff.multiplier),
    )
    message = f"Attempt {item.job.attempt} failed: {error.message} Trying again in {delay:g} s."
    traces.failed(item.job.id, error.reason, message)
    held = moves.retry(
        tx,
        claim,
        item.job.id,
        delay_seconds=delay,
        event=Event(error.reason, message, warning=True),
        queue=at,
        conditions=[Condition(condition, ConditionStatus.UNKNOWN, error.reason, message)] if condition else [],
    )
    if held:
        metrics.RETRIES.count(reason=error.reason)
    return Phase.RETRYING if held else None
