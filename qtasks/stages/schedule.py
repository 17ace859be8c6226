"""Scheduling: which backend runs the job, and whether any worker can hold it."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import Connection

from qtasks.lifecycle import ConditionStatus, ConditionType, Phase, Stage
from qtasks.resources import BackendType
from qtasks.stages.batch import Batch, Item
from qtasks.stages.fit import readable
from qtasks.stages.modelled import places
from qtasks.stages.remote.parking import park
from qtasks.stages.reuse import reuse
from qtasks.stages.worker import Worker
from qtasks.store import moves, upkeep
from qtasks.store.records import Condition, Event, settle_condition

_WORKER_SEEN_SECONDS = 60.0
_LOOK_AGAIN_SECONDS = 15.0
_UNKNOWN = 2**62
_NEGLIGIBLE = 64 * 2**20
"""Bytes that are not worth asking whether they are free."""

_IDLE_HERE = {
    "session": "spec.session",
    "backend_selection": "spec.backendSelection",
    "resources": "spec.resources",
    "security_context": "spec.securityContext",
    "credentials": "spec.credentials",
    "ttl_after_finished": "spec.ttlAfterFinished",
    "debug": "spec.debug",
}
"""What may be written in a job and does nothing on a simulator of this process."""
_MODELLED = {BackendType.IBM_SIMULATOR: ", modelled by Aer with its noise"}
_UNBUDGETED = Condition(
    ConditionType.BUDGET_CHECKED, ConditionStatus.TRUE, "NoCharge", "Simulator time is free of charge here."
)
_UNCHECKED = Condition(
    ConditionType.BUDGET_CHECKED,
    ConditionStatus.UNKNOWN,
    "BudgetNotEnforced",
    "Simulator time has a rate (QTASKS_SIMULATOR_RATE), but this version does not enforce spec.budget.",
)


def schedule(worker: Worker, batch: Batch) -> Batch | None:
    """Choose where the jobs of `batch` run; returns what to carry on with at the execution stage."""
    batch = reuse(worker, batch)
    batch = batch.only({job_id for job_id, item in batch.items.items() if not park(worker, batch, item)})
    place = places(worker, batch)
    batch = batch.only(place)
    if not batch.items:
        return None
    wanted = list(batch.items)
    largest = max((batch.items[job_id].job.memory for job_id in wanted), default=0)
    held_here = worker.identity.memory if Stage.EXECUTION in worker.identity.stages else 0
    capacity = max(held_here, _capacity(worker)) if largest > held_here else held_here
    fits = [job_id for job_id in wanted if batch.items[job_id].job.memory <= capacity]
    stay = bool(fits) and worker.may_carry_on(batch.claim, Stage.EXECUTION) and _has_room(worker, largest)
    alike: dict[tuple[str, Condition, Condition], list[str]] = defaultdict(list)
    for job_id in fits:
        item = batch.items[job_id]
        alike[place[job_id], _budget(worker, item), _scheduled(item, place[job_id])].append(job_id)
    held: set[str] = set()
    with worker.store.begin() as tx:
        for (backend, budget, scheduled), ids in alike.items():
            held |= moves.advance(
                tx,
                batch.claim,
                ids,
                Phase.RUNNING if stay else Phase.SCHEDULING,
                stage=Stage.EXECUTION,
                event=Event("Scheduled", f"The job runs on {backend}."),
                also=[Event(Phase.RUNNING, "Carried on to execution.")] if stay else [],
                conditions=[budget, scheduled],
                keep=stay,
                begins=backend if stay else None,
                backend=backend,
            )
        for job_id in set(wanted) - set(fits):
            _postpone(tx, batch, batch.items[job_id], capacity)
    worker.tell_progress(list(held), Phase.RUNNING if stay else Phase.SCHEDULING)
    worker.notifier.tell(dict.fromkeys(set(wanted) - set(fits), Phase.PENDING))
    if not held:
        return None
    rest = batch.only(held)
    if stay:
        return rest.replace(rest.claim.at(Stage.EXECUTION))
    worker.hand_over(rest.claim, Stage.EXECUTION)
    return None


def _has_room(worker: Worker, memory: int) -> bool:
    """Whether this worker can hold `memory` bytes more beside what its processes run now."""
    return memory <= _NEGLIGIBLE or memory <= worker.free_memory()


def _capacity(worker: Worker) -> int:
    """The largest memory, in bytes, that a living execution worker can give to one job. Where none lives, one that is
    large enough may be on its way."""
    with worker.store.read() as tx:
        alive = upkeep.live_workers(tx, within_seconds=_WORKER_SEEN_SECONDS)
    return max((row.memory for row in alive if Stage.EXECUTION.value in row.stages), default=_UNKNOWN)


def _scheduled(item: Item, place: str) -> Condition:
    """Where the job runs, and what of its spec that leaves without effect."""
    idle = [path for name, path in _IDLE_HERE.items() if name in item.spec.model_fields_set]
    message = f"The job runs on {place}{_MODELLED.get(item.spec.backend.type, '')}."
    if idle:
        message += f" Without effect there, in this version: {', '.join(idle)}."
    return Condition(ConditionType.SCHEDULED, ConditionStatus.TRUE, "BackendSelected", message)


def _budget(worker: Worker, item: Item) -> Condition:
    return _UNCHECKED if item.spec.budget is not None and worker.settings.simulator_rate else _UNBUDGETED


def _postpone(tx: Connection, batch: Batch, item: Item, capacity: int) -> None:
    message = (
        f"The simulation takes about {readable(item.job.memory)}; the largest worker has {readable(capacity)}. "
        "Waiting for one that can hold it."
    )
    held = moves.postpone(
        tx,
        batch.claim,
        item.job.id,
        delay_seconds=_LOOK_AGAIN_SECONDS,
        event=Event("ResourceConstraints", message, warning=True),
    )
    if held:
        settle_condition(
            tx,
            [item.job.id],
            Condition(ConditionType.SCHEDULED, ConditionStatus.FALSE, "ResourceConstraints", message),
        )
