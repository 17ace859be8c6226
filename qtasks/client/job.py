"""The handle of one job. Names follow Qiskit's `JobV1` and `RuntimeJobV2`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtasks.client.progress import watching
from qtasks.lifecycle import Phase
from qtasks.results import JobResult

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qtasks.client.client import Client


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

    def _repr_html_(self) -> str:
        from qtasks.client.notebook import job_html

        return job_html(self.to_dict())

    def job_id(self) -> str:
        """The id under which any process can find the job again: `client.job(id)`."""
        return self._id

    def status(self) -> Phase:
        """The phase of the job: `Pending`, `Validating`, `Scheduling`, `Running`, `Retrying`, or a final one."""
        return self._client._gateway.phases([self._id])[self._id]

    def in_final_state(self) -> bool:
        """Whether the job is Completed, Failed or Cancelled."""
        return self.status().final

    def done(self) -> bool:
        """Whether the job is Completed."""
        return self.status() is Phase.COMPLETED

    def running(self) -> bool:
        """Whether the job is Running."""
        return self.status() is Phase.RUNNING

    def cancelled(self) -> bool:
        """Whether the job is Cancelled."""
        return self.status() is Phase.CANCELLED

    def wait_for_final_state(
        self,
        timeout: float | None = None,
        *,
        seen: Callable[[Phase], None] | None = None,
        progress: bool = False,
    ) -> Phase:
        """Wait until the job is final, at most `timeout` seconds, and return its phase; `seen` is told of each phase,
        and with `progress` a bar shows it, in a notebook and on a terminal.

        Raises WaitTimeout; the job goes on.
        """
        last: list[Phase] = []

        def note(_job_id: str, phase: Phase) -> None:
            if not last or last[-1] is not phase:
                last.append(phase)
                show(self._id, phase)
                if seen is not None:
                    seen(phase)

        with watching({self._id: self.name}, show=progress) as show:
            self._client.wait([self], timeout=timeout, seen=note)
        return last[-1]

    def result(self, timeout: float | None = None, *, progress: bool = False) -> JobResult:
        """Wait for the job, at most `timeout` seconds, with `progress` showing a bar, and return its result.

        Raises JobFailed with the job's own reason and message when it failed or was cancelled, WaitTimeout when it is
        not final in time, NotFound (reason `ResultExpired`) when the namespace keeps results no longer, and QTasksError
        (reason `ResultCorrupt`) when the stored bytes are not those that were written.
        """
        self.wait_for_final_state(timeout, progress=progress)
        return self._client._gateway.result(self._id)

    def plot_histogram(self, **options: Any) -> Any:
        """The counts of the job's result as a matplotlib figure: see `JobResult.plot_histogram`."""
        return self.result().plot_histogram(**options)

    def cancel(self) -> bool:
        """Cancel the job at whatever phase it is; False when it was final already."""
        return bool(self._client.cancel([self]))

    def delete(self) -> None:
        """Delete the job with its circuit, events and result, cancelling it first where it goes on; what it cost stays
        in the books. Raises Conflict (`JobNotSettled`) while its provider has not said what it costs."""
        self._client._gateway.delete_job(self._id)

    def redeliver(self) -> None:
        """Have the result delivered to the job's `spec.output` again, as after its secret was corrected; how that goes
        is in condition OutputDelivered. Raises Conflict (`JobNotCompleted`), InvalidInput (`NoOutput`)."""
        self._client._gateway.redeliver(self._id)

    def metrics(self) -> dict[str, Any]:
        """Times in seconds, transpiled depth and gates, method and seed; empty before the job is Completed."""
        return dict(self._status().get("metrics", {}))

    def provider_job_id(self) -> str | None:
        """The provider's id of the latest attempt's job; None for a simulation, and until the provider has answered."""
        found = self._status().get("provider", {}).get("jobId")
        return None if found is None else str(found)

    def usage(self) -> float:
        """Quantum seconds that the provider counted for the job, all attempts together; 0.0 for a simulation."""
        attempts = self._status().get("attempts", [])
        return float(sum(attempt.get("quantumSeconds", 0.0) for attempt in attempts))

    def queue_position(self) -> int | None:
        """The job's place in its provider's queue, 1 for the next; None where it waits in none, or nobody knows."""
        found = self._status().get("provider", {}).get("queuePosition")
        return None if found is None else int(found)

    def _status(self) -> Mapping[str, Any]:
        status: Mapping[str, Any] = self._client.describe(self._id)["status"]
        return status

    def logs(self, *, after: int = 0) -> str:
        """What happened to the job and what its source printed, a line each with its time in UTC."""
        return "".join(
            f"{event['time']} {_level(event):<7} {event['reason']}: {event['message']}\n"
            for event in self._client.events(self._id, after=after)
        )

    def to_dict(self) -> dict[str, Any]:
        """The job as `{apiVersion, kind, metadata, spec, status}`, in the form of a Kubernetes resource."""
        return self._client.describe(self._id)


def _level(event: Mapping[str, Any]) -> str:
    """As logs call it."""
    if event["type"] == "Warning":
        return "WARNING"
    return "DEBUG" if event["reason"] == "Debug" else "INFO"
