"""The handle of one job. Names follow Qiskit's `JobV1` and `RuntimeJobV2`."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from qtasks.access import Verb
from qtasks.client.provider import queue_position
from qtasks.errors import JobFailed, QTasksError
from qtasks.lifecycle import Phase
from qtasks.results import JobResult, decode
from qtasks.store import provider_jobs, records

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtasks.client.client import Client
    from qtasks.objects import ObjectStore


def stored_result(objects: ObjectStore, row: Any) -> JobResult:
    """The result of a Completed job's row. Raises QTasksError (`ResultCorrupt`) when the stored bytes are not those
    that were written, NotFound when they are gone."""
    data = objects.get(row.result_key, row.result_offset, row.result_length)
    if hashlib.sha256(data).hexdigest() != row.result_sha256:
        raise QTasksError(
            f"The stored result of job {row.name} is not the one that was written.",
            reason="ResultCorrupt",
            hint="Restore the object store from its backup, or run the job again.",
            details={"object_key": row.result_key},
        )
    return decode(data)


class Job:
    """A job in the queue. It lives in the database: closing the notebook, or dropping the handle, does not touch it."""

    def __init__(self, client: Client, job_id: str, name: str, namespace: str, *, created: bool = False) -> None:
        self._client = client
        self._id = job_id
        self.name = name
        self.namespace = namespace
        self.created = created
        """Whether this call made the job; False when its name or idempotency key was there already."""

    def __repr__(self) -> str:
        return f"<Job {self.namespace}/{self.name} {self._id}>"

    def job_id(self) -> str:
        """The id under which any process can find the job again: `client.job(id)`."""
        return self._id

    def status(self) -> Phase:
        """The phase of the job: `Pending`, `Validating`, `Scheduling`, `Running`, `Retrying`, or a final one."""
        self._client._guard.jobs(Verb.GET, [self._id])
        return self._client._phases([self._id])[self._id]

    def in_final_state(self) -> bool:
        return self.status().final

    def done(self) -> bool:
        """Whether the job is Completed."""
        return self.status() is Phase.COMPLETED

    def running(self) -> bool:
        return self.status() is Phase.RUNNING

    def cancelled(self) -> bool:
        return self.status() is Phase.CANCELLED

    def wait_for_final_state(
        self, timeout: float | None = None, *, seen: Callable[[Phase], None] | None = None
    ) -> Phase:
        """Wait until the job is final, at most `timeout` seconds, and return its phase; `seen` is told of each phase.

        Raises WaitTimeout; the job goes on.
        """
        last: list[Phase] = []

        def note(_job_id: str, phase: Phase) -> None:
            if not last or last[-1] is not phase:
                last.append(phase)
                if seen is not None:
                    seen(phase)

        self._client.wait([self], timeout=timeout, seen=note)
        return last[-1]

    def result(self, timeout: float | None = None) -> JobResult:
        """Wait for the job, at most `timeout` seconds, and return its result.

        Raises JobFailed with the job's own reason and message when it failed or was cancelled, WaitTimeout when it is
        not final in time, and QTasksError (reason `ResultCorrupt`) when the stored bytes are not those that were
        written.
        """
        phase = self.wait_for_final_state(timeout)
        row = self._client._row(self._id, Verb.RESULTS)
        if phase is not Phase.COMPLETED:
            raise JobFailed(
                f"Job {self.name} {phase.value.lower()}: {row.message}",
                reason=row.reason,
                hint="",
                details={"job_id": self._id, "phase": phase.value},
            )
        return stored_result(self._client._objects, row)

    def cancel(self) -> bool:
        """Cancel the job at whatever phase it is; False when it was final already."""
        return bool(self._client.cancel([self]))

    def metrics(self) -> dict[str, Any]:
        """Times in seconds, transpiled depth and gates, method and seed; empty before the job is Completed."""
        return dict(self._client._row(self._id).metrics or {})

    def provider_job_id(self) -> str | None:
        """The provider's id of the latest attempt's job; None for a simulation, and until the provider has answered."""
        found = self._client._row(self._id).provider_job_id
        return None if found is None else str(found)

    def usage(self) -> float:
        """Quantum seconds that the provider counted for the job, all attempts together; 0.0 for a simulation."""
        self._client._guard.jobs(Verb.GET, [self._id])
        with self._client._store.read() as tx:
            rows = provider_jobs.all_of(tx, self._id)
        return float(sum(row.quantum_seconds or 0.0 for row in rows))

    def queue_position(self) -> int | None:
        """The job's place in its provider's queue, 1 for the next; None where it waits in none, or nobody knows."""
        return queue_position(self._client._row(self._id))

    def logs(self, *, after: int = 0) -> str:
        """What happened to the job and what its source printed, a line each with its time in UTC."""
        self._client._guard.jobs(Verb.LOGS, [self._id])
        with self._client._store.read() as tx:
            events = records.events_of(tx, self._id, after=after)
        return "".join(
            f"{event.at:%Y-%m-%dT%H:%M:%S.%f}Z {'WARNING' if event.warning else 'INFO   '} "
            f"{event.reason}: {event.message}\n"
            for _, event in events
        )

    def to_dict(self) -> dict[str, Any]:
        """The job as `{apiVersion, kind, metadata, spec, status}`, in the form of a Kubernetes resource."""
        return self._client.describe(self._id)
