"""Scheduling: which backend runs the job, and whether any worker can hold it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection

from qtasks.lifecycle import ConditionStatus, ConditionType, Phase, Queue, Stage
from qtasks.resources import BackendType
from qtasks.stages import without_effect
from qtasks.stages.batch import Batch, Item
from qtasks.stages.fit import readable
from qtasks.stages.funding import FREE, budget_condition, hold_for_budget
from qtasks.stages.places import Place, place
from qtasks.stages.reuse import reuse
from qtasks.stages.rooms import Rooms, need
from qtasks.stages.selecting import remember
from qtasks.stages.worker import Worker
from qtasks.store import claims, ledger, moves
from qtasks.store.records import Condition, Event, settle_condition

_LOOK_AGAIN_SECONDS = 15.0


def schedule(worker: Worker, batch: Batch) -> Batch | None:
    """Choose where the jobs of `batch` run; returns what to carry on with at the execution stage."""
    batch = reuse(worker, batch)
    rooms = Rooms(worker)
    capacity = _capacity_for(rooms, batch)
    found = {job_id: place(worker, batch, item, memory=capacity) for job_id, item in batch.items.items()}
    places = {job_id: there for job_id, there in found.items() if there is not None}
    batch = batch.only(places)
    if not batch.items:
        return None
    wanted = list(batch.items)
    queues = {job_id: queue for job_id in wanted if (queue := _queue(rooms, batch.items[job_id])) is not None}
    largest = max((batch.items[job_id].job.memory for job_id in wanted), default=0)
    fits = list(queues)
    stay = bool(fits) and worker.may_carry_on(batch.claim, *set(queues.values())) and _has_room(worker, largest)
    held: set[str] = set()
    with worker.store.begin() as tx:
        refused = _reserve(tx, batch, places, fits)
        alike = _alike(batch, places, {job_id: queues[job_id] for job_id in fits if job_id not in refused})
        for (queue, backend, memory, budget, scheduled), ids in alike.items():
            held |= moves.advance(
                tx,
                batch.claim,
                ids,
                Phase.RUNNING if stay else Phase.SCHEDULING,
                queue=queue,
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
            _postpone(tx, batch, batch.items[job_id], rooms)
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
    for queue in dict.fromkeys(queues[job_id] for job_id in held):
        worker.hand_over(rest.claim.only({job_id for job_id in held if queues[job_id] is queue}), queue)
    return None


def _queue(rooms: Rooms, item: Item) -> Queue | None:
    """Whose turn the job's simulation is, with the memory that it asks for; None when no worker can hold it."""
    wants = need(item)
    item.job = replace(item.job, memory=wants.memory)
    return rooms.queue_for(wants)


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


_Alike = dict[tuple[Queue, str, int, Condition, Condition], list[str]]


def _alike(batch: Batch, places: Mapping[str, Place], queues: Mapping[str, Queue]) -> _Alike:
    """Jobs by what is written of them, so that one statement writes many."""
    alike: _Alike = defaultdict(list)
    for job_id in batch.items:
        if job_id in queues:
            item, there = batch.items[job_id], places[job_id]
            budget = budget_condition(item, there.choice.charge) if there.choice is not None else FREE
            scheduled = _scheduled(item, there.backend)
            alike[queues[job_id], there.backend, item.job.memory, budget, scheduled].append(job_id)
    return alike


def _capacity_for(rooms: Rooms, batch: Batch) -> int:
    """The largest memory, in bytes, that a worker can give to one job; others are asked when this one is too small, or
    what is to be simulated is not known yet."""
    largest = max((item.job.memory for item in batch.items.values()), default=0)
    elsewhere = largest > rooms.here or any(item.spec.backend_selection is not None for item in batch.items.values())
    return rooms.largest() if elsewhere else rooms.here


def _has_room(worker: Worker, memory: int) -> bool:
    """Whether this worker can hold `memory` bytes more beside what its processes run now."""
    return memory <= claims.NEGLIGIBLE or memory <= worker.free_memory()


def _scheduled(item: Item, backend: str) -> Condition:
    """Where the job runs, and what of its spec that leaves without effect."""
    modelled = "" if backend == BackendType.LOCAL_SIMULATOR else ", modelled by Aer with its noise"
    message = f"The job runs on {backend}{modelled}.{without_effect.sentence(item, provider=None)}"
    return Condition(ConditionType.SCHEDULED, ConditionStatus.TRUE, "BackendSelected", message)


def _postpone(tx: Connection, batch: Batch, item: Item, rooms: Rooms) -> None:
    wants = need(item)
    if wants.memory > rooms.largest():
        why = f"takes about {readable(wants.memory)}; the largest worker has {readable(rooms.largest())}"
    else:
        why = f"asks for {wants.cores:g} cores and {readable(wants.memory)}; no worker has both"
    message = f"The simulation {why}. Waiting for one that can hold it."
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
