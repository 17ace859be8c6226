"""`PrimitiveJob`: the handle of a run of a primitive, which is a job like any other and is found again by its id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qiskit.primitives import BasePrimitiveJob, PrimitiveResult

from qtasks.client import Client
from qtasks.client import Job as QueuedJob
from qtasks.client.notebook import job_html
from qtasks.primitives.backend_job import error_message
from qtasks.primitives.clients import default_client
from qtasks.primitives.status import FINAL, Status, status_of
from qtasks.primitives.submitting import circuits_of


class PrimitiveJob(BasePrimitiveJob[Any, Status]):  # type: ignore[misc]  # Qiskit has no types
    """A run of `SamplerV2` or `EstimatorV2`. It lives in the queue: dropping the handle does not touch it.

    `job` is the handle that `Client.job` gives, with everything that every job has: `explain`, `logs`, `usage`, ….
    """

    JOB_FINAL_STATES = FINAL

    def __init__(self, job: QueuedJob, circuits: Sequence[Mapping[str, Any]] | None = None) -> None:
        super().__init__(job.job_id())
        self.job = job
        self._circuits = circuits
        self._result: Any = None

    def __repr__(self) -> str:
        return f"<PrimitiveJob {self.job.namespace}/{self.job.name} {self.job_id()}>"

    def _repr_html_(self) -> str:
        return job_html(self.job.to_dict())

    def status(self) -> Status:
        """The state in Qiskit's words: see `Status`."""
        return status_of(self.job.status())

    def done(self) -> bool:
        return self.status() is Status.DONE

    def running(self) -> bool:
        return self.status() is Status.RUNNING

    def cancelled(self) -> bool:
        return self.status() is Status.CANCELLED

    def errored(self) -> bool:
        return self.status() is Status.ERROR

    def in_final_state(self) -> bool:
        return self.status() in FINAL

    def wait_for_final_state(self, timeout: float | None = None, *, progress: bool = False) -> None:
        """Wait until the job is final, at most `timeout` seconds, with `progress` showing a bar. Raises WaitTimeout;
        the job goes on."""
        self.job.wait_for_final_state(timeout, progress=progress)

    def result(self, timeout: float | None = None, *, progress: bool = False) -> PrimitiveResult[Any]:
        """Wait for the job, at most `timeout` seconds, and return Qiskit's own result, a PUB result for each PUB.

        The order of shots in a BitArray is not the one they were run in. Raises JobFailed with the job's own reason,
        and WaitTimeout.
        """
        if self._result is None:
            found = self.job.result(timeout, progress=progress).to_primitive_result()
            if self._circuits is None:
                self._circuits = circuits_of(self.job.to_dict())
            for pub, circuit in zip(found, self._circuits, strict=False):  # none are known of another client's jobs
                pub.metadata.setdefault("circuit_metadata", dict(circuit.get("metadata") or {}))
            self._result = found
        return self._result

    def cancel(self) -> bool:
        """Cancel the job at whatever phase it is; False when it was final already."""
        return self.job.cancel()

    def error_message(self) -> str | None:
        """The reason and the message of a job that failed; None while nothing is wrong."""
        return error_message(self.job)

    def metrics(self) -> dict[str, Any]:
        """Times in seconds, transpiled depth and gates; empty before the job is done."""
        return self.job.metrics()

    def usage(self) -> float:
        """Quantum seconds that the provider counted; 0.0 for a simulation."""
        return self.job.usage()


def job(job_id: str, *, client: Client | None = None, namespace: str | None = None) -> PrimitiveJob:
    """The run with this id, from whichever process it was submitted. Raises NotFound (`JobNotFound`)."""
    return PrimitiveJob((client or default_client()).job(job_id, namespace=namespace))
