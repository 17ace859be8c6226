"""Scheduling at a provider: a job is put under an account, and waits there for its turn."""

from __future__ import annotations

from qtasks.config import Account
from qtasks.lifecycle import ConditionStatus, ConditionType, Phase
from qtasks.resources import BackendType
from qtasks.stages.batch import Batch, Item
from qtasks.stages.funding import budget_condition, hold_for_budget
from qtasks.stages.remote.turns import give_turns, hint
from qtasks.stages.selecting import Choice, remember
from qtasks.stages.worker import Worker
from qtasks.store import accounts, ledger, moves
from qtasks.store.records import Condition, Event

_IDLE = {
    "resources": "spec.resources",
    "security_context": "spec.securityContext",
    "ttl_after_finished": "spec.ttlAfterFinished",
    "debug": "spec.debug",
}
"""What may be written in a job and does nothing at a provider in this version."""
_IDLE_EXECUTION = {
    "method": "execution.method",
    "memory_limit": "execution.memoryLimit",
    "seed_simulator": "execution.seedSimulator",
}


def park(worker: Worker, batch: Batch, item: Item, choice: Choice, account: Account, device: str | None) -> None:
    """Put a job under an account, with what it may cost reserved, where it waits for its turn, which may be at once.

    `device`: None where it is chosen when the job is handed over.
    """
    message = f"The job runs {f'on {device} ' if device else ''}under account {account.name}."
    idle = _without_effect(item)
    if idle:
        message += f" Without effect there, in this version: {', '.join(idle)}."
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
                stage=None,
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


def _without_effect(item: Item) -> list[str]:
    idle = [path for name, path in _IDLE.items() if name in item.spec.model_fields_set]
    idle += [path for name, path in _IDLE_EXECUTION.items() if name in item.spec.execution.model_fields_set]
    if item.spec.backend.type is BackendType.AWS_BRAKET:
        if item.spec.session is not None:
            idle.append("spec.session")
        if item.spec.execution.max_execution_time is not None:
            idle.append("execution.maxExecutionTime")
    return idle
