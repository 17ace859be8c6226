"""Scheduling at a provider: which account a job runs under, and that it waits there for its turn."""

from __future__ import annotations

from collections.abc import Sequence

from qtasks.backends.accounts import accounts_for
from qtasks.config import REMOTE, Account
from qtasks.errors import QTasksError
from qtasks.lifecycle import ConditionStatus, ConditionType, Phase
from qtasks.resources import BackendType
from qtasks.stages.batch import Batch, Item
from qtasks.stages.endings import fail
from qtasks.stages.remote.sessions import account_in_session, with_sessions
from qtasks.stages.remote.turns import give_turns, hint, standing_of
from qtasks.stages.worker import Worker
from qtasks.store import accounts, moves
from qtasks.store.records import Condition, Event

_IDLE = {
    "backend_selection": "spec.backendSelection",
    "budget": "spec.budget",
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
_TYPICAL_SECONDS = 10.0
"""Quantum time that a job is thought to use while nothing better is known."""


def park(worker: Worker, batch: Batch, item: Item) -> bool:
    """Put a job that runs at a provider under an account, where it waits for its turn, which may be at once. False for
    a job that does not run at a provider; True when it is seen to, or refused."""
    if item.spec.backend.type not in REMOTE:
        return False
    try:
        account = _choose(worker, item)
    except QTasksError as error:
        with worker.store.begin() as tx:
            fail(tx, batch.claim, item, error, condition=ConditionType.SCHEDULED)
        worker.notifier.tell({item.job.id: Phase.FAILED})
        return True
    message = f"The job runs under account {account.name}."
    idle = _without_effect(item)
    if idle:
        message += f" Without effect there, in this version: {', '.join(idle)}."
    with worker.store.begin() as tx:
        accounts.ensure(tx, account.name, account.provider.value)
        moves.advance(
            tx,
            batch.claim,
            [item.job.id],
            Phase.SCHEDULING,
            stage=None,
            event=Event("Scheduled", message),
            conditions=[
                _budget(item),
                Condition(ConditionType.SCHEDULED, ConditionStatus.TRUE, "BackendSelected", message),
            ],
            keep=False,
            batchable=False,
            backend=item.spec.backend.name or item.spec.backend.type.value,
            account=account.name,
        )
        sent = give_turns(tx, account, ageing_seconds=worker.settings.ageing_seconds)
    hint(worker, sent)
    worker.tell_progress([item.job.id], Phase.SCHEDULING)
    return True


def _choose(worker: Worker, item: Item) -> Account:
    """The account of the job's session, the one that the job names, or of those that it may use the one with most
    left."""
    if item.spec.session is None or item.spec.backend.type is not BackendType.IBM_QUANTUM:
        return _best(worker, item)
    return account_in_session(worker, item, lambda: _best(worker, item))


def _best(worker: Worker, item: Item) -> Account:
    spec = item.spec
    found = accounts_for(
        worker.config,
        spec.backend,
        spec.credentials,
        namespace=item.job.namespace,
        embedded=worker.settings.embedded,
    )
    if spec.session is not None and spec.backend.type is BackendType.IBM_QUANTUM:
        found = with_sessions(found)
    return found[0] if len(found) == 1 else _with_most_left(worker, found)


def _with_most_left(worker: Worker, found: Sequence[Account]) -> Account:
    def left(account: Account) -> tuple[float, int]:
        with worker.store.read() as tx:
            row = accounts.get(tx, account.name)
            if row is None:
                limit = account.effective_allowance
                return (float("inf") if limit is None else float(limit.quantum_seconds), 0)
            remaining = standing_of(tx, account, row).remaining_seconds
            load = accounts.load(tx, account.name)
        waiting = load.parked + load.open
        return (float("inf") if remaining is None else remaining - load.parked * _TYPICAL_SECONDS, -waiting)

    return max(found, key=left)


def _without_effect(item: Item) -> list[str]:
    idle = [path for name, path in _IDLE.items() if name in item.spec.model_fields_set]
    idle += [path for name, path in _IDLE_EXECUTION.items() if name in item.spec.execution.model_fields_set]
    if item.spec.backend.type is BackendType.AWS_BRAKET:
        if item.spec.session is not None:
            idle.append("spec.session")
        if item.spec.execution.max_execution_time is not None:
            idle.append("execution.maxExecutionTime")
    return idle


def _budget(item: Item) -> Condition:
    if item.spec.budget is None:
        return Condition(
            ConditionType.BUDGET_CHECKED, ConditionStatus.TRUE, "NoBudget", "No budget applies to the job."
        )
    return Condition(
        ConditionType.BUDGET_CHECKED,
        ConditionStatus.UNKNOWN,
        "BudgetNotEnforced",
        "This version does not enforce spec.budget.",
    )
