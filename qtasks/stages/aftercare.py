"""What is left when a job is final: moving what was pending, and the user's copy of the result. Each step bears
repetition, so the reconciler finishes what a dead worker left."""

from __future__ import annotations

from typing import Any

from qtasks.errors import NotFound
from qtasks.lifecycle import Phase, Queue
from qtasks.objects import keys
from qtasks.resources import CircuitSource
from qtasks.results import JobResult
from qtasks.stages.batch import stored_spec
from qtasks.stages.delivery import FIRST_SECONDS, LEASE_SECONDS, deliver_once
from qtasks.stages.worker import Worker
from qtasks.store import jobs, outputs, upkeep


def see_to(worker: Worker, job_id: str, *, result: JobResult | None = None) -> None:
    """Bring the objects of a final job from `pending/` to `completed/`, and deliver its output, once, in a few seconds;
    what fails is `delivery`'s from then on.

    Raises Unavailable when database or object store are away; the job keeps its mark, and the reconciler comes back.
    """
    with worker.store.read() as tx:
        row = jobs.get(tx, job_id)
        payload = next(jobs.payload(tx, [job_id]))
    spec = stored_spec(row.resource["spec"])
    _move(worker, row, payload, inline=spec.circuit.source is CircuitSource.INLINE)
    wanted = row.phase == Phase.COMPLETED and spec.output is not None
    at_once = worker.settings.deliver_at_once or Queue.POLLING in worker.identity.queues
    with worker.store.begin() as tx:
        attempt = outputs.begin(tx, job_id, lease_seconds=LEASE_SECONDS) if wanted and at_once else None
        if wanted and not at_once:
            outputs.expect(tx, job_id)
        upkeep.tied_up(tx, [job_id])
    if attempt is not None:
        deliver_once(worker, attempt, seconds=FIRST_SECONDS, result=result)


def _move(worker: Worker, row: Any, payload: Any, *, inline: bool) -> None:
    input_key, circuit_key = payload.input_key, payload.circuit_key
    if input_key is not None:
        input_key = keys.completed_input(row.namespace, row.id, row.format)
        _copy(worker, payload.input_key, input_key)
    if circuit_key is not None:
        # What the counts are of is kept with them; of a job without a result nobody asks for it.
        circuit_key = keys.completed_circuit(row.namespace, row.id) if row.phase == Phase.COMPLETED else None
        _copy(worker, payload.circuit_key, circuit_key)
    if (input_key, circuit_key) != (payload.input_key, payload.circuit_key):
        with worker.store.begin() as tx:
            upkeep.moved(tx, row.id, input_key=input_key, circuit_key=circuit_key)
    if input_key is not None and inline:
        worker.objects.delete(keys.pending_input(row.namespace, row.id, row.format))
    elif input_key is not None:
        # Each claim that fetched has a key of its own, also one that lost the job before it could note it.
        for key in list(worker.objects.list(keys.pending(row.namespace, row.id))):
            worker.objects.delete(key)
    worker.objects.delete(keys.pending_circuit(row.namespace, row.id))


def _copy(worker: Worker, source: str, target: str | None) -> None:
    if target is None or source == target:
        return
    try:
        worker.objects.put(target, worker.objects.get(source))
    except NotFound:
        # Moved before, by a worker that died between deleting and noting it.
        if not worker.objects.exists(target):
            raise
