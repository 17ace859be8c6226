"""Where jobs run: simulators of this process straight away, everything else as it is chosen."""

from __future__ import annotations

from dataclasses import dataclass, replace

from qtasks.backends.compatibility import problems
from qtasks.backends.protocol import BackendError
from qtasks.backends.sizing import noisy_size, size
from qtasks.config import REMOTE
from qtasks.errors import QTasksError, Unavailable
from qtasks.lifecycle import ConditionStatus, ConditionType, Phase
from qtasks.resources import BackendType
from qtasks.stages.batch import Batch, Item
from qtasks.stages.endings import fail
from qtasks.stages.remote.parking import park
from qtasks.stages.selecting import Choice, choose, most_left, remember, wants_choice
from qtasks.stages.worker import Worker
from qtasks.store import accounts, moves
from qtasks.store.records import Condition, Event

_AGAIN_SECONDS = 30.0
"""How long until a job is looked at again for which nothing qualifies now."""


@dataclass(frozen=True, slots=True)
class Place:
    """A simulator of this process: `local_simulator`, or the name of the device that `ibm_simulator` models."""

    backend: str
    choice: Choice | None = None


def place(worker: Worker, batch: Batch, item: Item, *, memory: int) -> Place | None:
    """Where a job runs; None when it was seen to: parked under an account, held, or ended."""
    try:
        if not wants_choice(worker, item):
            return Place(_own(worker, item))
        choice = choose(worker, item, memory=memory)
        return _follow(worker, batch, item, choice)
    except Unavailable:
        raise
    except QTasksError as error:
        _end(worker, batch, item, error)
        return None


def _own(worker: Worker, item: Item) -> str:
    if item.spec.backend.type is BackendType.LOCAL_SIMULATOR:
        return BackendType.LOCAL_SIMULATOR.value
    analysis = item.facts
    device = worker.ibm_simulator.device_for(item.spec.backend.name or "", analysis.qubits)
    if why := problems(analysis, item.extent.most_shots, worker.ibm_simulator.capabilities(device)):
        messages = " ".join(dict.fromkeys(problem.message for problem in why))
        hints = " ".join(dict.fromkeys(problem.hint for problem in why))
        raise BackendError(messages, reason=why[0].reason, hint=hints)
    return device


def _follow(worker: Worker, batch: Batch, item: Item, choice: Choice) -> Place | None:
    if choice.row is None:
        _none(worker, batch, item, choice)
        return None
    if choice.account is not None:
        park(worker, batch, item, choice, choice.account, choice.row.device)
        return None
    if item.spec.backend.type in REMOTE:
        _size(item, choice.row.type)
    return Place(choice.row.device, choice)


def _size(item: Item, backend: str) -> None:
    """What the simulation takes of a job that was to run elsewhere."""
    sized = size if backend == BackendType.LOCAL_SIMULATOR else noisy_size
    found = sized(item.facts, method=item.spec.execution.method.value, shots=item.extent.most_shots)
    if found.memory is None:
        raise BackendError(
            f"Aer's {found.method} method cannot run this circuit.",
            reason="MethodCannotRun",
            hint="Use execution.method: automatic.",
        )
    item.job = replace(item.job, memory=found.memory)


def _none(worker: Worker, batch: Batch, item: Item, choice: Choice) -> None:
    """Nothing qualifies: for good, or for now."""
    selection = choice.selection
    if selection.reason == "NoCandidate" and choice.accounts and not choice.budgeted:
        # The catalogue does not know the accounts' devices yet: whoever hands the job over asks the provider.
        account = most_left(worker, choice.accounts)
        park(worker, batch, item, choice, account, None)
        wake(worker, [account.name])
        return
    if not selection.heals:
        _end(worker, batch, item, BackendError(selection.message, reason=selection.reason))
        return
    event = Event(selection.reason, selection.message, warning=True)
    condition = Condition(ConditionType.SCHEDULED, ConditionStatus.FALSE, selection.reason, selection.message)
    with worker.store.begin() as tx:
        for account in choice.accounts:
            accounts.ensure(tx, account.name, account.provider.value)
        moves.hold(tx, batch.claim, item.job.id, delay_seconds=_AGAIN_SECONDS, event=event, conditions=[condition])
        remember(tx, item, choice)
    wake(worker, [account.name for account in choice.accounts])
    worker.tell_progress([item.job.id], Phase.SCHEDULING)


def wake(worker: Worker, names: list[str]) -> None:
    """Have accounts visited, so that the catalogue learns of their devices."""
    with worker.store.begin() as tx:
        accounts.wake(tx, names)
    worker.hint_pollers()


def _end(worker: Worker, batch: Batch, item: Item, error: QTasksError) -> None:
    with worker.store.begin() as tx:
        fail(tx, batch.claim, item, error, condition=ConditionType.SCHEDULED)
    worker.notifier.tell({item.job.id: Phase.FAILED})
