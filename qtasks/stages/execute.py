"""Execution: the circuits run, their results are stored, then the rows that point at them are committed."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from qtasks.backends.protocol import BackendError, Program, Ran
from qtasks.backends.sizing import noisy_size, size
from qtasks.circuits.analysis import Analysis
from qtasks.costs.simulator import charge, micros
from qtasks.lifecycle import Phase
from qtasks.objects import keys
from qtasks.resources import BackendType
from qtasks.results import JobResult, Provenance, SamplerPubResult, encode, timestamp, versions
from qtasks.results.pack import pack
from qtasks.stages.aftercare import see_to
from qtasks.stages.batch import Batch, Item, circuit_of, prepared_of
from qtasks.stages.debugging import note_runs
from qtasks.stages.endings import COMPLETED, EXECUTED, STORED, fail_or_retry
from qtasks.stages.fit import memory_limit, most_threads
from qtasks.stages.remote.handover import hand_over
from qtasks.stages.remote.intent import keep_calibration
from qtasks.stages.several import pubs_of, simulate
from qtasks.stages.worker import Worker
from qtasks.store import ledger, moves
from qtasks.store.ids import new_id
from qtasks.telemetry import traces

_BATCH_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Finished:
    """One job that ran: its result, and the row that will point at it."""

    result: JobResult
    data: bytes
    row: dict[str, Any]
    cost_micros: int


def time_limit(batch: Batch) -> float | None:
    """Seconds that executing `batch` may take: its strictest job's limit, when one has any.

    Jobs are batched because they should take milliseconds; one that hangs all the same must not hold its neighbours.
    """
    if any(item.account is not None for item in batch.items.values()):
        return None  # the job runs at its provider, and every question to it has a limit of its own
    limits = [
        limit.seconds
        for item in batch.items.values()
        for limit in (item.spec.timeouts.execution, item.spec.execution.max_execution_time)
        if limit is not None
    ]
    if len(batch.items) > 1:
        limits.append(_BATCH_SECONDS)
    return min(limits, default=None)


def execute(worker: Worker, batch: Batch) -> None:
    """Run the circuits of `batch` and complete their jobs; one that runs at a provider is handed over to it."""
    if next(iter(batch.items.values())).account is not None:
        hand_over(worker, batch)
        return
    started = batch.claim.clock.now()
    outcomes = _run(worker, batch)
    failed = {job_id: outcome for job_id, outcome in outcomes.items() if isinstance(outcome, BackendError)}
    ran = {job_id: outcome for job_id, outcome in outcomes.items() if isinstance(outcome, Ran)}
    finished = _store(worker, batch, ran, started)

    def commit(tx: Any) -> tuple[set[str], dict[str, Phase]]:
        held: set[str] = set()
        for (cost, aftercare), ids in _alike(batch, finished).items():
            held |= moves.finish(
                tx,
                batch.claim,
                ids,
                Phase.COMPLETED,
                event=COMPLETED,
                conditions=[EXECUTED, STORED],
                cost_micros=cost,
                aftercare=aftercare,
            )
        moves.keep_results(tx, [finished[job_id].row for job_id in held])
        note_runs(tx, worker, batch, ran, held)
        if worker.settings.simulator_rate:
            _settle(tx, worker, batch, held, finished)
        ended = {job_id: fail_or_retry(tx, batch.claim, batch.items[job_id], error) for job_id, error in failed.items()}
        return held, {job_id: phase for job_id, phase in ended.items() if phase is not None}

    # The result is stored; a database that is away must not cost the simulation that gave it.
    held, ended = worker.store.insist(commit, seconds=300)
    worker.notifier.tell({**dict.fromkeys(held, Phase.COMPLETED), **ended})
    for job_id, item in batch.items.items():
        if job_id in held and item.loose_ends:
            see_to(worker, job_id, result=finished[job_id].result)


def _settle(tx: Any, worker: Worker, batch: Batch, ids: Collection[str], finished: Mapping[str, Finished]) -> None:
    """Charge what the simulations cost, in place of what was reserved for them."""
    price = f"${worker.settings.simulator_rate} a second (QTASKS_SIMULATOR_RATE)"
    for job_id in sorted(ids):
        ledger.settle(
            tx,
            job_id,
            batch.items[job_id].job.attempt,
            micros=finished[job_id].cost_micros,
            quantum_seconds=0.0,
            price=price,
            reason="simulated",
        )


def _run(worker: Worker, batch: Batch) -> dict[str, Ran | BackendError]:
    """What came of each circuit; those of one backend share its calls."""
    by_backend: dict[BackendType, list[Item]] = defaultdict(list)
    for item in batch.items.values():
        by_backend[item.simulator].append(item)
    outcomes: dict[str, Ran | BackendError] = {}
    for backend, items in by_backend.items():
        alone = [item for item in items if item.several]
        for item in alone:  # the runs of one job have calls of their own
            outcomes[item.job.id] = simulate(worker, item)
            items.remove(item)
        ran = worker.local(backend).run([_program(worker, item) for item in items])
        outcomes |= zip((item.job.id for item in items), ran, strict=True)
    return {job_id: outcomes[job_id] for job_id in batch.items}


def _program(worker: Worker, item: Item) -> Program:
    execution = item.spec.execution
    analysis = Analysis(**dict(item.analysis or {}))
    sized = size if item.simulator is BackendType.LOCAL_SIMULATOR else noisy_size
    fit = sized(analysis, method=execution.method.value, shots=execution.shots)
    return Program(
        job_id=item.job.id,
        qpy=circuit_of(item, worker.objects),
        shots=execution.shots,
        method=execution.method.value,
        compiled_for=fit.compiled_for,
        optimization_level=execution.optimization_level,
        initial_layout=execution.initial_layout,
        seed_simulator=execution.seed_simulator,
        seed_transpiler=execution.seed_transpiler,
        memory_limit=memory_limit(item.spec) or worker.identity.memory,
        parallel=fit.parallel,
        most_threads=most_threads(item.spec),
        device=item.device or "",
    )


def _store(worker: Worker, batch: Batch, ran: Mapping[str, Ran], started: datetime) -> dict[str, Finished]:
    """Write the results, many in one object, and prepare the rows that point at them."""
    if not ran:
        return {}
    completed = batch.claim.clock.now()
    results = {
        job_id: _result(worker, batch.items[job_id], outcome, started, completed) for job_id, outcome in ran.items()
    }
    encoded = {job_id: encode(result) for job_id, result in results.items()}
    namespace = batch.claim.jobs[0].namespace
    blob, places = pack(list(encoded.values()))
    if len(encoded) == 1:
        # One key per fence: a worker that lost its claim must not write over the result of the one that has it.
        key = keys.result(namespace, next(iter(encoded)), batch.claim.fence)
    else:
        key = keys.result_batch(namespace, new_id())
    with traces.span("result.store", list(encoded), bytes=len(blob)):
        worker.objects.put(key, blob)
    finished = {}
    for (job_id, result), (offset, length, sha256) in zip(results.items(), places, strict=True):
        counts = result.summary()
        cost = result.provenance.simulator_cost or Decimal(0)
        finished[job_id] = Finished(
            result,
            encoded[job_id],
            {
                "job_id": job_id,
                "attempt": batch.items[job_id].job.attempt,
                "object_key": key,
                "offset": offset,
                "length": length,
                "sha256": sha256,
                "counts": counts if len(json.dumps(counts)) <= worker.settings.counts_summary_bytes else None,
                "metrics": _metrics(result.provenance, ran[job_id]),
            },
            micros(cost),
        )
    return finished


def _result(worker: Worker, item: Item, ran: Ran, started: datetime, completed: datetime) -> JobResult:
    created = item.job.created_at
    backend = worker.local(item.simulator)
    provenance = Provenance(
        circuit_hash=item.fingerprint or "",
        backend=ran.device or backend.name,
        backend_version=backend.version,
        calibration=_calibration(worker, ran.device),
        method=ran.method,
        seed_simulator=ran.seed_simulator,
        seed_transpiler=item.spec.execution.seed_transpiler,
        optimization_level=item.spec.execution.optimization_level,
        transpiled_depth=ran.depth,
        transpiled_gates=sum(count for name, count in ran.gates.items() if name != "barrier"),
        two_qubit_gates=ran.two_qubit_gates,
        count_ops=ran.gates,
        versions=versions(),
        git_commit=item.git_commit,
        source_origin=item.origin,
        source_sha256=item.sha256,
        submission_time=timestamp(created),
        start_time=timestamp(started),
        completion_time=timestamp(completed),
        queue_seconds=_seconds(started - created),
        run_seconds=ran.run_seconds,
        total_seconds=_seconds(completed - created),
        attempt=item.job.attempt,
        worker=worker.owner,
        threads=ran.threads,
        simulator_cost=charge(ran.run_seconds, worker.settings.simulator_rate),
    )
    if item.several:
        return JobResult(
            item.job.id, item.spec.program.value, pubs_of(prepared_of(item, worker.objects), ran.runs), provenance
        )
    pub = SamplerPubResult(ran.registers, ran.num_clbits, item.spec.execution.shots, ran.counts, ran.clbits)
    return JobResult(item.job.id, "sampler", [pub], provenance)


def _calibration(worker: Worker, device: str) -> str | None:
    """The object of the calibration that a device was modelled with."""
    if not device:
        return None
    calibration = worker.ibm_simulator.calibration(device)
    return None if calibration is None else keep_calibration(worker, device, calibration)


def _metrics(provenance: Provenance, ran: Ran) -> dict[str, Any]:
    """The figures that a list or a status shows without fetching the result."""
    return {
        "queue_seconds": provenance.queue_seconds,
        "run_seconds": provenance.run_seconds,
        "total_seconds": provenance.total_seconds,
        "transpile_seconds": ran.transpile_seconds,
        "transpiled_depth": provenance.transpiled_depth,
        "transpiled_gates": provenance.transpiled_gates,
        "two_qubit_gates": provenance.two_qubit_gates,
        "method": provenance.method,
        "seed_simulator": provenance.seed_simulator,
        "threads": provenance.threads,
        "worker": provenance.worker,
    }


def _alike(batch: Batch, finished: Mapping[str, Finished]) -> dict[tuple[int, bool], list[str]]:
    """The finished jobs by what their rows have in common, so that one statement writes many."""
    alike: dict[tuple[int, bool], list[str]] = defaultdict(list)
    for job_id, done in finished.items():
        alike[done.cost_micros, batch.items[job_id].loose_ends].append(job_id)
    return alike


def _seconds(span: timedelta) -> float:
    return round(max(0.0, span.total_seconds()), 6)
