"""What is left when a job is final: the user's copy of the result, and moving what was pending. Each step bears
repetition, so the reconciler finishes what a dead worker left."""

from __future__ import annotations

from qtasks.errors import NotFound, QTasksError, Unavailable
from qtasks.lifecycle import ConditionStatus, ConditionType, Phase
from qtasks.objects import keys
from qtasks.resources import CircuitSource, JobSpec
from qtasks.results import JobResult, decode
from qtasks.results.outputs import deliver
from qtasks.stages.batch import stored_spec
from qtasks.stages.worker import Worker
from qtasks.store import jobs, upkeep
from qtasks.store.records import Condition, Event, conditions_of, record, settle_condition


def see_to(worker: Worker, job_id: str, *, result: JobResult | None = None) -> None:
    """Deliver the output of a final job and bring its objects from `pending/` to `completed/`.

    Raises Unavailable when a service is away; the job keeps its mark, and the reconciler comes back to it.
    """
    with worker.store.read() as tx:
        row = jobs.get(tx, job_id)
        payload = next(jobs.payload(tx, [job_id]))
        known = {entry.condition.type for entry in conditions_of(tx, [job_id])[job_id]}
    spec = stored_spec(row.resource["spec"])
    if row.phase == Phase.COMPLETED and spec.output is not None and ConditionType.OUTPUT_DELIVERED not in known:
        _deliver(worker, job_id, row.namespace, spec, result or _stored(worker, row))
    if payload.input_key is not None:
        kept = keys.completed_input(row.namespace, job_id, row.format)
        if payload.input_key != kept:
            _copy(worker, payload.input_key, kept)
            with worker.store.begin() as tx:
                upkeep.moved(tx, job_id, input_key=kept)
        if spec.circuit.source is CircuitSource.INLINE:
            worker.objects.delete(keys.pending_input(row.namespace, job_id, row.format))
        else:
            # Each claim that fetched has a key of its own, also one that lost the job before it could note it.
            for key in list(worker.objects.list(keys.pending(row.namespace, job_id))):
                worker.objects.delete(key)
    worker.objects.delete(keys.pending_circuit(row.namespace, job_id))
    with worker.store.begin() as tx:
        upkeep.tied_up(tx, [job_id])


def _deliver(worker: Worker, job_id: str, namespace: str, spec: JobSpec, result: JobResult) -> None:
    assert spec.output is not None, "called for jobs that have one"
    try:
        where = deliver(spec.output, namespace, result, worker.settings)
    except Unavailable:
        raise
    except QTasksError as error:
        condition = Condition(ConditionType.OUTPUT_DELIVERED, ConditionStatus.FALSE, error.reason, str(error))
        event = Event(error.reason, str(error), warning=True)
    else:
        message = f"The result was delivered to {where}."
        condition = Condition(ConditionType.OUTPUT_DELIVERED, ConditionStatus.TRUE, "Delivered", message)
        event = Event("OutputDelivered", message)
    with worker.store.begin() as tx:
        settle_condition(tx, [job_id], condition)
        record(tx, [job_id], event, source=worker.owner)


def _stored(worker: Worker, row: object) -> JobResult:
    return decode(worker.objects.get(row.result_key, row.result_offset, row.result_length))  # type: ignore[attr-defined]


def _copy(worker: Worker, source: str, target: str) -> None:
    try:
        worker.objects.put(target, worker.objects.get(source))
    except NotFound:
        # Moved before, by a worker that died between deleting and noting it.
        if not worker.objects.exists(target):
            raise
