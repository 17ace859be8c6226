"""Workers that are told to stop."""

from __future__ import annotations

import pytest

from qtasks.lifecycle import Phase
from tests.support.circuits import heavy
from tests.support.stack import Stack
from tests.system.test_faults import reasons, running

pytestmark = pytest.mark.system


def test_a_worker_that_is_told_to_stop_ends_what_it_runs_and_takes_nothing_new(quick_stack: Stack) -> None:
    worker = quick_stack.worker()
    client = quick_stack.client()
    job = client.submit(heavy(20, 20), shots=10)
    running(job)
    waiting = client.submit(heavy(20, 1), shots=10)
    worker.stop()
    assert worker.popen.returncode == 0
    assert job.status() is Phase.COMPLETED
    assert reasons(job)["WorkerLost"] == 0
    assert waiting.status() is Phase.PENDING


def test_a_simulation_that_goes_on_for_too_long_does_not_keep_a_worker_from_stopping(quick_stack: Stack) -> None:
    worker = quick_stack.worker()
    job = quick_stack.client().submit(heavy(22, 600), shots=10)
    running(job)
    worker.stop()
    assert not job.in_final_state()
    assert "its jobs are left to others" in worker.text
    quick_stack.worker()
    quick_stack.control()
    running(job)
    assert job.cancel()
