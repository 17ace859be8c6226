"""Scheduling: which backend runs the job, and whether any worker can hold it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection

from qtasks.lifecycle import ConditionStatus, ConditionType, Phase, Stage
from qtasks.resources import BackendType
from qtasks.stages import without_effect
from qtasks.stages.batch import Batch, Item
from qtasks.stages.fit import readable
from qtasks.stages.funding import FREE, budget_condition, hold_for_budget
from qtasks.stages.places import Place, place
from qtasks.stages.reuse import reuse
from qtasks.stages.selecting import remember
from qtasks.stages.worker import Worker
from qtasks.store import ledger, moves, upkeep
from qtasks.store.records import Condition, Event, settle_condition

_WORKER_SEEN_SECONDS = 60.0
_LOOK_AGAIN_SECONDS = 15.0
_UNKNOWN = 2**62
_NEGLIGIBLE = 64 * 2**20
"""Bytes that are not worth asking whether they are free."""


def schedule(worker: Worker, batch: Batch) -> Batch | None:
    """Choose where the jobs of `batch` run; returns what to carry on with at the execution stage."""
    batch = reuse(worker, batch)
    capacity = _capacity_for(worker, batch)
    found = {job_id: place(worker, batch, item, memory=capacity) for job_id, item in batch.items.items()}
    places = {job_id: there for job_id, there in found.items() if there is not None}
    batch = batch.only(places)
    if not batch.items:
        return None
    wanted = list(batch.items)
    largest = max((batch.items[job_id].job.memory for job_id in wanted), default=0)
    fits = [job_id for job_id in wanted if batch.items[job_id].job.memory <= capacity]
    stay = bool(fits) and worker.may_carry_on(batch.claim, Stage.EXECUTION) and _has_room(worker, largest)
    held: set[str] = set()
    with worker.store.begin() as tx:
        refused = _reserve(tx, batch, places, fits)
        for (backend, memory, budget, scheduled), ids in _alike(batch, places, set(fits) - refused).items():
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
                account=None,
                memory=memory,
            )
        for job_id in set(wanted) - set(fits):
            _postpone(tx, batch, batch.items[job_id], capacity)
        for job_id, there in places.items():
            if there.choice is not None:
                remember(tx, batch.items[job_id], there.choice)
    for job_id in held:
        batch.items[job_id].backend, batch.items[job_id].account = places[job_id].backend, None
    worker.tell_progress(list(held), Phase.RUNNING if stay else Phase.SCHEDULING)
    worker.notifier.tell(dict.fromkeys(set(wanted) - set(fits), Phase.PENDING))
    if not held:
        return None
    rest = batch.only(held)
    if stay:
        return rest.replace(rest.claim.at(Stage.EXECUTION))
    worker.hand_over(rest.claim, Stage.EXECUTION)
    return None


def _reserve(tx: Connection, batch: Batch, places: Mapping[str, Place], ids: Sequence[str]) -> set[str]:
    """Reserve what those of `ids` may cost that are not free; the jobs for which there is no room now wait."""
    charges = [
        charge
        for job_id in ids
        if (choice := places[job_id].choice) is not None and (charge := choice.charge) is not None
    ]
    refused = ledger.reserve_all(tx, charges) if charges else {}
    for job_id, refusal in refused.items():
        hold_for_budget(tx, batch.claim, batch.items[job_id], refusal)
    return set(refused)


_Alike = dict[tuple[str, int, Condition, Condition], list[str]]


def _alike(batch: Batch, places: Mapping[str, Place], ids: Collection[str]) -> _Alike:
    """Jobs by what is written of them, so that one statement writes many."""
    alike: _Alike = defaultdict(list)
    for job_id in batch.items:
        if job_id in ids:
            item, there = batch.items[job_id], places[job_id]
            budget = budget_condition(item, there.choice.charge) if there.choice is not None else FREE
            alike[there.backend, item.job.memory, budget, _scheduled(item, there.backend)].append(job_id)
    return alike


def _capacity_for(worker: Worker, batch: Batch) -> int:
    """The largest memory, in bytes, that a worker can give to one job; others are asked when this one is too small, or
    what is to be simulated is not known yet."""
    here = worker.identity.memory if Stage.EXECUTION in worker.identity.stages else 0
    largest = max((item.job.memory for item in batch.items.values()), default=0)
    elsewhere = largest > here or any(item.spec.backend_selection is not None for item in batch.items.values())
    return max(here, _capacity(worker)) if elsewhere else here


def _has_room(worker: Worker, memory: int) -> bool:
    """Whether this worker can hold `memory` bytes more beside what its processes run now."""
    return memory <= _NEGLIGIBLE or memory <= worker.free_memory()


def _capacity(worker: Worker) -> int:
    """The largest memory, in bytes, that a living execution worker can give to one job. Where none lives, one that is
    large enough may be on its way."""
    with worker.store.read() as tx:
        alive = upkeep.live_workers(tx, within_seconds=_WORKER_SEEN_SECONDS)
    return max((row.memory for row in alive if Stage.EXECUTION.value in row.stages), default=_UNKNOWN)


def _scheduled(item: Item, backend: str) -> Condition:
    """Where the job runs, and what of its spec that leaves without effect."""
    modelled = "" if backend == BackendType.LOCAL_SIMULATOR else ", modelled by Aer with its noise"
    message = f"The job runs on {backend}{modelled}.{without_effect.sentence(item, provider=None)}"
    return Condition(ConditionType.SCHEDULED, ConditionStatus.TRUE, "BackendSelected", message)


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
