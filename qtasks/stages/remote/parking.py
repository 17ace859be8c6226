"""Scheduling at a provider: a job is put under an account, and waits there for its turn."""

from __future__ import annotations

from qtasks.config import Account
from qtasks.lifecycle import ConditionStatus, ConditionType, Phase
from qtasks.stages import without_effect
from qtasks.stages.batch import Batch, Item
from qtasks.stages.funding import budget_condition, hold_for_budget
from qtasks.stages.remote.turns import give_turns, hint
from qtasks.stages.selecting import Choice, remember
from qtasks.stages.worker import Worker
from qtasks.store import accounts, ledger, moves
from qtasks.store.records import Condition, Event


def park(worker: Worker, batch: Batch, item: Item, choice: Choice, account: Account, device: str | None) -> None:
    """Put a job under an account, with what it may cost reserved, where it waits for its turn, which may be at once.

    `device`: None where it is chosen when the job is handed over.
    """
    message = f"The job runs {f'on {device} ' if device else ''}under account {account.name}."
    message += without_effect.sentence(item, provider=account.provider)
    conditions = [
        budget_condition(item, choice.charge),
        Condition(ConditionType.SCHEDULED, ConditionStatus.TRUE, "BackendSelected", message),
    ]
    with worker.store.begin() as tx:
        refusal = ledger.reserve(tx, choice.charge) if choice.charge is not None else None
        if refusal is None:
            accounts.ensure(tx, account.name, account.provider.value)
            moves.advance(
                tx,
                batch.claim,
                [item.job.id],
                Phase.SCHEDULING,
                queue=None,
                event=Event("Scheduled", message),
                conditions=conditions,
                keep=False,
                batchable=False,
                backend=device or item.spec.backend.type.value,
                account=account.name,
            )
        else:
            hold_for_budget(tx, batch.claim, item, refusal)
        remember(tx, item, choice)
    if refusal is None:
        with worker.store.begin() as tx:
            sent = give_turns(tx, account, ageing_seconds=worker.settings.ageing_seconds)
        hint(worker, sent)
    worker.tell_progress([item.job.id], Phase.SCHEDULING)
