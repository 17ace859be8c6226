"""What `spec.debug` adds to the events of a job: what the executor did, with figures. Never a secret, nor a circuit."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from qtasks.backends.protocol import Order, Ran
from qtasks.store.records import Event, record

if TYPE_CHECKING:
    from qtasks.stages.batch import Batch, Item
    from qtasks.stages.worker import Worker

REASON = "Debug"
_MOST_GATES = 8


def note(tx: Any, worker: Worker, item: Item, *sentences: str) -> None:
    """Write sentences down, each an event of its own, where the job asks for that."""
    if item.spec.debug:
        for sentence in sentences:
            record(tx, [item.job.id], Event(REASON, sentence), source=worker.owner)


def note_runs(tx: Any, worker: Worker, batch: Batch, ran: Mapping[str, Ran], ids: Collection[str]) -> None:
    """How the jobs `ids` of a batch were compiled and simulated here."""
    for job_id in ids:
        item = batch.items[job_id]
        note(tx, worker, item, *simulated(item, ran[job_id], len(batch.items)))


def note_order(worker: Worker, item: Item, order: Order) -> None:
    """What is about to be asked of a provider, written down before it is."""
    if item.spec.debug:
        with worker.store.begin() as tx:
            note(tx, worker, item, *ordered(item, order))


def note_looked_up(worker: Worker, item: Item, tag: str, found: int) -> None:
    """That the provider was asked what there is of an attempt."""
    if item.spec.debug:
        with worker.store.begin() as tx:
            note(tx, worker, item, f"Asked account {item.account} for jobs with tag {tag}: there are {found}.")


def simulated(item: Item, ran: Ran, together: int) -> Iterator[str]:
    """How a job was compiled and simulated here, with `together` jobs in its batch. Pure."""
    execution = item.spec.execution
    where = f"the model of {ran.device}" if ran.device else "the simulator"
    seed = "" if execution.seed_transpiler is None else f", transpiler seed {execution.seed_transpiler}"
    yield (
        f"Compiled for {where} at level {execution.optimization_level}{seed} in {_time(ran.transpile_seconds)}: depth "
        f"{ran.depth}, {_gates(ran.gates)}."
    )
    runs = f"{len(ran.runs)} circuits" if ran.runs else f"{execution.shots} shots"
    neighbours = "alone" if together == 1 else f"in a batch of {together} jobs"
    yield (
        f"Simulated {runs} by method {ran.method}, simulator seed {ran.seed_simulator}, on {ran.threads} "
        f"thread{'' if ran.threads == 1 else 's'} in {_time(ran.run_seconds)}, {neighbours}."
    )


def ordered(item: Item, order: Order) -> Iterator[str]:
    """What a provider is asked for. Pure."""
    compiled = order.compiled
    calibration = f", calibration {compiled.calibration[:12]}" if compiled.calibration else ""
    yield (
        f"Compiled for {compiled.device} in {_time(compiled.seconds)}: depth {compiled.depth}, "
        f"{_gates(compiled.gates)}{calibration}."
    )
    limit = "" if order.max_execution_seconds is None else f", at most {order.max_execution_seconds} s of quantum time"
    session = "" if order.session is None else f", session {order.session}"
    yield (
        f"Asking account {item.account} to run {order.shots} shots on {compiled.device} ({compiled.format}, "
        f"{len(compiled.data)} bytes), tag {order.tag}{session}{limit}."
    )


def _gates(gates: Mapping[str, int]) -> str:
    """The most frequent gates, as `cx 12, h 3`."""
    most = sorted(gates.items(), key=lambda gate: (-gate[1], gate[0]))
    rest = sum(count for _, count in most[_MOST_GATES:])
    shown = [f"{name} {count}" for name, count in most[:_MOST_GATES]]
    return ", ".join([*shown, *([f"{rest} others"] if rest else [])]) or "no gates"


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"
