"""How a job ends badly: for good, or to be tried again, by what its error says and its retry policy allows."""

from __future__ import annotations

from sqlalchemy import Connection

from qtasks.backends.protocol import BackendError
from qtasks.errors import QTasksError
from qtasks.lifecycle import ConditionStatus, ConditionType, Phase, backoff_seconds
from qtasks.stages.batch import Item
from qtasks.store import moves
from qtasks.store.claims import Claim
from qtasks.store.records import Condition, Event


def fail(tx: Connection, claim: Claim, item: Item, error: QTasksError, *, condition: ConditionType) -> set[str]:
    """End a job as Failed, with the error's reason, sentence and hint. Returns its id if it was still held."""
    return moves.finish(
        tx,
        claim,
        [item.job.id],
        Phase.FAILED,
        event=Event(error.reason, str(error), warning=True),
        conditions=[Condition(condition, ConditionStatus.FALSE, error.reason, str(error))],
        aftercare=item.input_key is not None or item.circuit_key is not None,
    )


def fail_or_retry(tx: Connection, claim: Claim, item: Item, error: BackendError) -> Phase | None:
    """After a failed attempt: Retrying where that may help and the policy allows it, else Failed; None when the claim
    was lost."""
    policy = item.spec.retry_policy
    if error.heals and item.job.attempt <= policy.max_retries:
        delay = backoff_seconds(
            item.job.attempt,
            initial=policy.backoff.initial.seconds,
            maximum=policy.backoff.maximum.seconds,
            multiplier=float(policy.backoff.multiplier),
        )
        message = f"Attempt {item.job.attempt} failed: {error.message} Trying again in {delay:g} s."
        held = moves.retry(
            tx, claim, item.job.id, delay_seconds=delay, event=Event(error.reason, message, warning=True)
        )
        return Phase.RETRYING if held else None
    return Phase.FAILED if fail(tx, claim, item, error, condition=ConditionType.EXECUTED) else None
