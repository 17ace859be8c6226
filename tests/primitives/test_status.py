"""The state of a primitive's job, to code written for IBM's primitives and to code written for Qiskit's."""

from __future__ import annotations

import pytest
from qiskit.providers import JobStatus
from qiskit.providers.jobstatus import JOB_FINAL_STATES

from qtasks.lifecycle import Phase
from qtasks.primitives.status import FINAL, Status, job_status, status_of


@pytest.mark.parametrize("phase", list(Phase))
def test_every_phase_has_a_state_that_is_final_when_the_phase_is(phase: Phase) -> None:
    assert (status_of(phase) in FINAL) == phase.final
    assert (job_status(phase) in JOB_FINAL_STATES) == phase.final
    assert status_of(phase) == job_status(phase)


def test_a_state_equals_the_word_of_ibms_runtime_and_qiskits_own() -> None:
    state = status_of(Phase.COMPLETED)
    assert state == "DONE"
    assert state == JobStatus.DONE
    assert JobStatus.DONE in (state,)
    assert state in JOB_FINAL_STATES
    assert state.name == "DONE"
    assert state != "ERROR"
    assert state != JobStatus.ERROR
    assert str(Status.RUNNING) == "RUNNING"
