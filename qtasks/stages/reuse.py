"""Reuse: a job that asks for it takes the stored result of an identical one instead of running.

Identical are jobs of one namespace whose circuits have one fingerprint and show the same registers, with the same
backend, shots, seeds and ways to compile and simulate. No seed is the same as no seed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from qtasks.errors import QTasksError, Unavailable
from qtasks.lifecycle import ConditionStatus, ConditionType, Phase
from qtasks.objects import keys
from qtasks.resources import JobSpec, Reuse
from qtasks.results import JobResult, decode, encode
from qtasks.results.encoding import digest
from qtasks.stages.aftercare import see_to
from qtasks.stages.batch import Batch, Item, spec_of
from qtasks.stages.endings import COMPLETED, STORED
from qtasks.stages.worker import Worker
from qtasks.store import moves, stored
from qtasks.store.records import Condition, Event

log = logging.getLogger(__name__)

_LOOKED_AT = 20
"""Earlier jobs, the newest first, whose other options are compared."""


@dataclass(frozen=True, slots=True)
class _Found:
    """An earlier job's result as this job's own."""

    name: str
    job_id: str
    result: JobResult
    row: dict[str, Any]


def reuse(worker: Worker, batch: Batch) -> Batch:
    """Complete those jobs of `batch` that may take an earlier result and find one; returns the others."""
    asking = [item for item in batch.items.values() if item.spec.execution.reuse is Reuse.IDENTICAL]
    completed = {item.job.id for item in asking if _complete(worker, batch, item)}
    return batch.only(set(batch.items) - completed) if completed else batch


def _complete(worker: Worker, batch: Batch, item: Item) -> bool:
    """Whether the job was ended with an earlier result, or is no longer this claim's to end."""
    found = next(_usable(worker, batch, item), None)
    if found is None:
        return False
    message = f"The result is that of {found.name} ({found.job_id}): same circuit, backend, options and seed."
    with worker.store.begin() as tx:
        held = moves.finish(
            tx,
            batch.claim,
            [item.job.id],
            Phase.COMPLETED,
            event=COMPLETED,
            first=[Event("Reused", message)],
            conditions=[Condition(ConditionType.EXECUTED, ConditionStatus.TRUE, "Reused", message), STORED],
            backend=found.result.provenance.backend,
            cost_micros=0,
            aftercare=item.loose_ends,
        )
        if held:
            moves.keep_results(tx, [found.row])
    worker.notifier.tell(dict.fromkeys(held, Phase.COMPLETED))
    if held and item.loose_ends:
        see_to(worker, item.job.id, result=found.result)
    return True


def _usable(worker: Worker, batch: Batch, item: Item) -> Iterator[_Found]:
    """Earlier results that may be this job's, copied to an object of its own: the earlier job may be deleted."""
    for row in _identical(worker, item):
        try:
            earlier = decode(worker.objects.get(row.object_key, row.offset, row.length), sha256=row.sha256)
        except Unavailable:
            raise
        except QTasksError as error:
            log.warning("the result of job %s cannot be reused: %s", row.id, error)
            continue
        provenance = replace(earlier.provenance, reused_from=earlier.provenance.reused_from or row.id)
        result = replace(earlier, job_id=item.job.id, provenance=provenance)
        yield _Found(row.name, row.id, result, _keep(worker, batch, item, result, row))


def _identical(worker: Worker, item: Item) -> list[Any]:
    execution = item.spec.execution
    assert item.fingerprint is not None and item.analysis is not None, "a job is scheduled when it is validated"
    with worker.store.read() as tx:
        rows = stored.results_of(
            tx,
            fingerprint=item.fingerprint,
            namespace=item.job.namespace,
            shots=item.job.shots,
            seed=execution.seed_simulator,
            limit=_LOOKED_AT,
        )
    mine = _options(item.spec), _registers(item.analysis)
    return [row for row in rows if (_options(spec_of(row.resource)), _registers(row.analysis)) == mine]


def _options(spec: JobSpec) -> tuple[Any, ...]:
    """What of a spec, beside circuit, parameters, shots and seed, may change a result."""
    backend, execution = spec.backend, spec.execution
    return (
        (spec.program, backend.type, backend.name, backend.instance, backend.account),
        (execution.optimization_level, execution.initial_layout, execution.seed_transpiler, execution.method),
    )


def _registers(analysis: Any) -> list[list[Any]]:
    """Names and sizes of the classical registers: a fingerprint has no names, and a result shows them."""
    return [list(register) for register in analysis["registers"]]


def _keep(worker: Worker, batch: Batch, item: Item, result: JobResult, earlier: Any) -> dict[str, Any]:
    """Store the result under a key of this job, and return the row that will point at it."""
    data = encode(result)
    key = keys.result(item.job.namespace, item.job.id, batch.claim.fence)
    worker.objects.put(key, data)
    waited = max(0.0, (batch.claim.clock.now() - item.job.created_at).total_seconds())
    own = {"queue_seconds": round(waited, 6), "total_seconds": round(waited, 6)}
    return {
        "job_id": item.job.id,
        "attempt": item.job.attempt,
        "object_key": key,
        "offset": 0,
        "length": len(data),
        "sha256": digest(data),
        "counts": earlier.counts,
        "metrics": {**earlier.metrics, **own, "reused_from": result.provenance.reused_from},
    }
