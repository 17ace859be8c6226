"""From a submission to the rows of a job."""

from __future__ import annotations

import hashlib

from qtasks.client.submission import Submission
from qtasks.objects import keys
from qtasks.resources import CircuitSource
from qtasks.settings import Settings
from qtasks.store.ids import new_id
from qtasks.store.jobs import NewJob


def new_job(
    submission: Submission,
    *,
    namespace: str,
    idempotency_key: str | None,
    settings: Settings,
) -> NewJob:
    """The rows of a submission. A circuit too large for its row gets an object key instead; the caller writes it."""
    job_id = new_id()
    job = submission.template.job
    spec, metadata, data = job.spec, job.metadata, submission.data
    small = data is None or len(data) <= settings.inline_input_bytes
    return NewJob(
        id=job_id,
        namespace=namespace,
        name=metadata.name or f"job-{job_id[-12:]}",
        idempotency_key=idempotency_key,
        priority=spec.execution.priority.level,
        shots=submission.shots,
        batchable=submission.batchable,
        total_seconds=spec.timeouts.total.seconds if spec.timeouts.total is not None else None,
        labels=metadata.labels or {},
        resource=submission.template.resource,
        spec_hash=_spec_hash(submission),
        format=submission.format,
        data=data if small else None,
        object_key=None if small else keys.pending_input(namespace, job_id, str(submission.format)),
        sha256=None if data is None else hashlib.sha256(data).hexdigest(),
        # A circuit from Git has a commit of its own, known when it is fetched.
        git_commit=None if spec.circuit.source is CircuitSource.GIT else submission.git_commit,
        kept_seconds=None if spec.ttl_after_finished is None else spec.ttl_after_finished.seconds,
    )


def _spec_hash(submission: Submission) -> str:
    # The template's part holds the reference of a circuit that is yet to be fetched.
    digest = hashlib.sha256(submission.template.spec)
    digest.update(submission.data or b"")
    return digest.hexdigest()
