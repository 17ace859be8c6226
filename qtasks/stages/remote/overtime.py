"""Jobs that run at a provider for longer than `timeouts.execution` allows are ended, and cancelled there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qtasks.backends.protocol import BackendError, ProviderJob, ProviderState, RemoteBackend
from qtasks.lifecycle import ConditionType, Phase
from qtasks.resources import Duration
from qtasks.stages.batch import item_of, spec_of
from qtasks.stages.endings import fail
from qtasks.stages.worker import Worker
from qtasks.store import jobs, provider_jobs


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
        if _ended(worker, row, payload, limit):
            backend.cancel(row.provider_job_id)


def _ended(worker: Worker, row: Any, payload: Any, limit: Duration) -> bool:
    error = BackendError(
        f"The job ran at the provider for longer than its time limit, {limit}.", reason="ExecutionTimeout"
    )
    with worker.store.begin() as tx:
        claim = provider_jobs.take(tx, row.job_id, row.attempt, owner=worker.owner, lease_seconds=60)
        if claim is None:
            return False
        item = item_of(claim.jobs[0], payload)
        held = fail(tx, claim, item, error, condition=ConditionType.EXECUTED)
    worker.notifier.tell(dict.fromkeys(held, Phase.FAILED))
    return bool(held)
