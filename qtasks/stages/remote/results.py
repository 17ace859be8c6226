"""The result of a provider's job, with where it came from."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from qtasks.backends.protocol import Outcome, ProviderJob, RemoteBackend
from qtasks.costs.cost import Cost
from qtasks.results import JobResult, Provenance, SamplerPubResult, timestamp, versions
from qtasks.stages.batch import Item, prepared_of
from qtasks.stages.remote.intent import keep_calibration
from qtasks.stages.several import pubs_of
from qtasks.stages.worker import Worker

_SHOWN = (
    "queue_seconds",
    "run_seconds",
    "total_seconds",
    "quantum_seconds",
    "transpiled_depth",
    "transpiled_gates",
    "two_qubit_gates",
    "worker",
)


def started(outcome: Outcome) -> datetime | None:
    """When the device began, as the result says."""
    spans = outcome.metadata.get("execution_spans") or ()
    return min((datetime.fromisoformat(span["start"]) for span in spans), default=None)


def calibration_key(worker: Worker, backend: RemoteBackend, row: Any, said: ProviderJob) -> str | None:
    """The object of the device's calibration when the job ran: often the one that it was compiled for."""
    if row.calibration is None:
        return None
    calibration = backend.calibration(row.device, at=said.running_at or said.finished_at)
    if calibration is None:
        return str(row.calibration_key) if row.calibration_key else None
    return keep_calibration(worker, row.device, calibration)


def result_of(
    worker: Worker,
    item: Item,
    row: Any,
    said: ProviderJob,
    outcome: Outcome,
    cost: Cost,
    calibration: str | None,
) -> JobResult:
    compiled = row.compiled
    created, running, finished = item.job.created_at, said.running_at, said.finished_at
    gates = compiled.get("gates")
    provenance = Provenance(
        circuit_hash=item.fingerprint or "",
        backend=row.device,
        seed_transpiler=item.spec.execution.seed_transpiler,
        optimization_level=item.spec.execution.optimization_level,
        transpiled_depth=compiled.get("depth"),
        transpiled_gates=None if gates is None else sum(n for name, n in gates.items() if name != "barrier"),
        two_qubit_gates=compiled.get("two_qubit_gates"),
        count_ops=gates,
        versions=versions(),
        git_commit=item.git_commit,
        source_origin=item.origin,
        source_sha256=item.sha256,
        submission_time=timestamp(created),
        start_time=_time(running),
        completion_time=_time(finished),
        queue_seconds=_seconds(created, running),
        run_seconds=_seconds(running, finished),
        total_seconds=_seconds(created, finished),
        attempt=row.attempt,
        worker=worker.owner,
        provider=item.spec.backend.type.value,
        provider_job_id=row.provider_job_id,
        account=row.account,
        session=row.session,
        isa_circuit=row.isa_key,
        calibration=calibration,
        queue_position=row.queue_position,
        quantum_seconds=said.quantum_seconds,
        estimated_quantum_seconds=row.estimated_seconds,
        cost=cost.amount,
        price=cost.price or None,
    )
    if item.several:
        pubs = pubs_of(prepared_of(item, worker.objects), outcome.each(), outcome.metadata)
        return JobResult(item.job.id, item.spec.program.value, pubs, provenance)
    pub = SamplerPubResult(
        outcome.registers, outcome.num_clbits, outcome.shots, outcome.counts, outcome.clbits, outcome.metadata
    )
    return JobResult(item.job.id, "sampler", [pub], provenance)


def metrics_of(provenance: Provenance) -> dict[str, Any]:
    """The figures that a list or a status shows without fetching the result."""
    figures = {name: getattr(provenance, name) for name in _SHOWN}
    return {name: value for name, value in figures.items() if value is not None}


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else timestamp(moment)


def _seconds(start: datetime | None, stop: datetime | None) -> float | None:
    return None if start is None or stop is None else round(max(0.0, (stop - start).total_seconds()), 6)
