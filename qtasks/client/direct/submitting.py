"""Submitting: the rows of jobs and their first events in one transaction, then a hint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from qtasks.client.admission import Admission
from qtasks.client.direct.rows import new_job
from qtasks.client.gateway import Handle
from qtasks.client.submission import Submission
from qtasks.errors import Conflict, Forbidden, Unavailable
from qtasks.queue import DEEP_ENOUGH, Hint
from qtasks.resources import Metadata
from qtasks.store import jobs
from qtasks.store.jobs import Existing, NewJob
from qtasks.telemetry import traces

if TYPE_CHECKING:
    from qtasks.client.direct.installation import Installation

_CHUNK = 1000


class Submitting:
    """What one caller of an installation submits; safe to share between threads."""

    def __init__(self, installation: Installation, admission: Admission) -> None:
        self._installation = installation
        self._admission = admission

    def submit(
        self,
        submissions: Sequence[Submission],
        namespace: str,
        keys: Sequence[str | None],
        *,
        strict: bool,
        source: str,
    ) -> list[Handle]:
        """See `Gateway.submit`. `source`: who is named by the jobs' first event."""
        began = traces.now()
        Metadata(namespace=namespace)  # refuses what is no name: it becomes part of object keys
        settings = self._installation.settings
        new = [
            new_job(
                submission,
                namespace=namespace if strict else submission.template.namespace or namespace,
                idempotency_key=key,
                settings=settings,
            )
            for submission, key in zip(submissions, keys, strict=True)
        ]
        caller = self._admission.require(new)
        for submission, job in zip(submissions, new, strict=True):
            if job.object_key is not None and submission.data is not None:
                self._installation.objects.put(job.object_key, submission.data)
        existing: dict[str, Existing] = {}
        try:
            with self._admission.transaction(caller) as tx:
                for start in range(0, len(new), _CHUNK):
                    existing |= jobs.submit(tx, new[start : start + _CHUNK], source=source)
                _refuse_conflicts(new, existing)
                self._admission.admit(tx, [job for job in new if job.id not in existing], caller)
        except (Conflict, Forbidden):
            self._forget_inputs(new)
            raise
        self._forget_inputs([job for job in new if job.id in existing])
        fresh = [job for job in new if job.id not in existing]
        self._hint(fresh)
        if traces.on():
            each = {job.id: {"job": job.name, "namespace": namespace, "priority": job.priority} for job in fresh}
            traces.submitted(each, since=began, source=source)
        return [_handle(job, existing.get(job.id)) for job in new]

    def _forget_inputs(self, unwanted: Iterable[NewJob]) -> None:
        """Delete the circuits of jobs that were not inserted."""
        for job in unwanted:
            if job.object_key is not None:
                self._installation.objects.delete(job.object_key)

    def _hint(self, fresh: Sequence[NewJob]) -> None:
        batch = self._installation.settings.batch_size
        # When the broker is away the jobs are safe all the same: the reconciler publishes for them.
        with suppress(Unavailable):
            for job in fresh[: DEEP_ENOUGH * batch : batch]:
                self._installation.publisher.suggest(Hint(job.queue, job.id, job.name, job.priority))


def _handle(job: NewJob, existing: Existing | None) -> Handle:
    if existing is not None:
        return Handle(existing.id, existing.name, job.namespace)
    return Handle(job.id, job.name, job.namespace, created=True)


def _refuse_conflicts(new: Sequence[NewJob], existing: Mapping[str, Existing]) -> None:
    for job in new:
        there = existing.get(job.id)
        if there is not None and not there.by_key and there.spec_hash != job.spec_hash:
            raise Conflict(
                f"Job {job.name} exists in namespace {job.namespace} with another spec.",
                reason="JobExists",
                hint="Submit it under another name: a job's spec never changes.",
                details={"job_id": there.id},
            )
