"""`QTasksJob`: the handle of `QTasksBackend.run`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qiskit.providers import JobV1

from qtasks.client.notebook import job_html
from qtasks.lifecycle import Phase
from qtasks.primitives.qiskit_result import qiskit_result
from qtasks.primitives.status import job_status
from qtasks.primitives.submitting import circuits_of

if TYPE_CHECKING:
    from qiskit.result import Result

    from qtasks.client import Job


class QTasksJob(JobV1):  # type: ignore[misc]  # Qiskit has no types
    """A run of circuits on a `QTasksBackend`. It lives in the queue: dropping the handle does not touch it.

    `job` is the handle that `Client.job` gives.
    """

    def __init__(
        self, backend: Any, job: Job, circuits: Sequence[Mapping[str, Any]] | None, *, memory: bool = False
    ) -> None:
        super().__init__(backend, job.job_id())
        self.job = job
        self._circuits = circuits
        self._memory = memory
        self._result: Any = None

    def __repr__(self) -> str:
        return f"<QTasksJob {self.job.namespace}/{self.job.name} {self.job_id()}>"

    def _repr_html_(self) -> str:
        return job_html(self.job.to_dict())

    def submit(self) -> None:
        """Nothing: a job is submitted before it has a handle."""

    def status(self) -> Any:
        """The state as `qiskit.providers.JobStatus`."""
        return job_status(self.job.status())

    def wait_for_final_state(self, timeout: float | None = None, wait: float = 5, callback: Any = None) -> None:
        """Wait until the job is final, at most `timeout` seconds; `callback` is told (job id, JobStatus, this job) of
        each new state. `wait` is of no use: who waits is woken. Raises WaitTimeout; the job goes on."""
        seen = None if callback is None else lambda phase: callback(self.job_id(), job_status(phase), self)
        self.job.wait_for_final_state(timeout, seen=seen)

    def result(self, timeout: float | None = None, *, progress: bool = False) -> Result:
        """Wait for the job, at most `timeout` seconds, with `progress` showing a bar, and return Qiskit's Result, an
        experiment for each circuit.

        Raises JobFailed with the job's own reason, and WaitTimeout.
        """
        if self._result is None:
            found = self.job.result(timeout, progress=progress)
            circuits = self._circuits
            if circuits is None:
                circuits = circuits_of(self.job.to_dict())
            self._result = qiskit_result(found, circuits, backend=self._backend.name, memory=self._memory)
        return self._result

    def cancel(self) -> bool:
        """Cancel the job at whatever phase it is; False when it was final already."""
        return self.job.cancel()

    def error_message(self) -> str | None:
        """The reason and the message of a job that failed; None while nothing is wrong."""
        return error_message(self.job)


def error_message(job: Job) -> str | None:
    """The reason and the message of a job that failed; None while nothing is wrong."""
    status = job.to_dict()["status"]
    if status["phase"] != Phase.FAILED:
        return None
    return f"{status.get('reason', 'Failed')}: {status.get('message', '')}"
