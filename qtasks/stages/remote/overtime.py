"""Jobs that run at a provider for longer than their time limit or their money allows are ended, and cancelled there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from qtasks.backends.protocol import BackendError, ProviderJob, ProviderState, RemoteBackend
from qtasks.costs.simulator import micros
from qtasks.lifecycle import ConditionType, Phase
from qtasks.resources import Money
from qtasks.stages.batch import item_of, spec_of
from qtasks.stages.endings import fail
from qtasks.stages.worker import Worker
from qtasks.store import alerts, jobs, ledger, provider_jobs


def end_overtime(worker: Worker, backend: RemoteBackend, rows: Sequence[Any], said: Mapping[str, ProviderJob]) -> None:
    """End those of `rows`, open provider jobs, whose time limit ran out while they ran. Waiting in the provider's queue
    does not count."""
    for row in rows:
        job = said.get(row.provider_job_id)
        if job is None or job.state is not ProviderState.RUNNING or row.running_at is None:
            continue
        with worker.store.read() as tx:
            payload = next(jobs.payload(tx, [row.job_id]))
        limit = spec_of(payload.resource).timeouts.execution
        if limit is None or (row.now - row.running_at).total_seconds() <= limit.seconds:
            continue
        message = f"The job ran at the provider for longer than its time limit, {limit}."
        if _ended(worker, row, payload, BackendError(message, reason="ExecutionTimeout")):
            backend.cancel(row.provider_job_id)


def end_overspent(worker: Worker, backend: RemoteBackend, rows: Sequence[Any], said: Mapping[str, ProviderJob]) -> None:
    """End those of `rows` that have cost more by now than was reserved for them: what they are billed, they are billed.

    A provider that is told when to stop does so itself; this holds for the others, such as Braket's simulators.
    """
    running = [row for row in rows if row.running_at is not None and _runs(said.get(row.provider_job_id))]
    with worker.store.read() as tx:
        reserved = ledger.open_charges(tx, [row.job_id for row in running]) if running else {}
    for row in running:
        charge = reserved.get((row.job_id, row.attempt))
        if charge is None or charge.micros is None:
            continue
        with worker.store.read() as tx:
            full = jobs.get(tx, row.job_id)
            payload = next(jobs.payload(tx, [row.job_id]))
        if not charge.periods and spec_of(payload.resource).budget is None:
            continue
        used = (row.now - row.running_at).total_seconds()
        so_far = replace(said[row.provider_job_id], quantum_seconds=used, state=ProviderState.RUNNING)
        cost = backend.actual_cost(so_far, full.shots)
        if cost.amount is None:
            continue
        with worker.store.begin() as tx:
            alerts.tell_job(tx, row.job_id, so_far_micros=micros(cost.amount))
        if micros(cost.amount) <= charge.micros:
            continue
        message = (
            f"The job has cost about {Money.from_micros(micros(cost.amount))} so far, more than the "
            f"{Money.from_micros(charge.micros)} that its budget has for it ({cost.price})."
        )
        if _ended(worker, row, payload, BackendError(message, reason="BudgetExceeded")):
            backend.cancel(row.provider_job_id)


def _runs(job: ProviderJob | None) -> bool:
    return job is not None and job.state is ProviderState.RUNNING


def _ended(worker: Worker, row: Any, payload: Any, error: BackendError) -> bool:
    with worker.store.begin() as tx:
        claim = provider_jobs.take(tx, row.job_id, row.attempt, owner=worker.owner, lease_seconds=60)
        if claim is None:
            return False
        item = item_of(claim.jobs[0], payload)
        held = fail(tx, claim, item, error, condition=ConditionType.EXECUTED)
    worker.notifier.tell(dict.fromkeys(held, Phase.FAILED))
    return bool(held)
