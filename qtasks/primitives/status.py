"""The state of a job in Qiskit's words."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from qiskit.providers import JobStatus

from qtasks.lifecycle import Phase

_STATES = {
    Phase.PENDING: "QUEUED",
    Phase.VALIDATING: "VALIDATING",
    Phase.SCHEDULING: "QUEUED",
    Phase.RETRYING: "QUEUED",
    Phase.RUNNING: "RUNNING",
    Phase.COMPLETED: "DONE",
    Phase.FAILED: "ERROR",
    Phase.CANCELLED: "CANCELLED",
}


class Status(StrEnum):
    """The state of a primitive's job: equal to the word that `RuntimeJobV2.status()` gives, and to the `JobStatus` that
    Qiskit's own primitives give, so that code written for either goes on.

    In a set or as a key it is the word.
    """

    INITIALIZING = "INITIALIZING"
    QUEUED = "QUEUED"
    VALIDATING = "VALIDATING"
    RUNNING = "RUNNING"
    CANCELLED = "CANCELLED"
    DONE = "DONE"
    ERROR = "ERROR"

    def __eq__(self, other: object) -> bool:
        return str.__eq__(self, other.name if isinstance(other, JobStatus) else other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__


FINAL = (Status.DONE, Status.CANCELLED, Status.ERROR)


def status_of(phase: Phase) -> Status:
    return Status(_STATES[phase])


def job_status(phase: Phase) -> Any:
    """The `qiskit.providers.JobStatus` of a phase."""
    return JobStatus[_STATES[phase]]
