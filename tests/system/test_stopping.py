"""Workers that are told to stop."""

from __future__ import annotations

import pytest

from qtasks.lifecycle import Phase
from tests.support.circuits import heavy
from tests.support.house import House
from tests.system.test_faults import reasons, running

pytestmark = pytest.mark.system


def test_a_worker_that_is_told_to_stop_ends_what_it_runs_and_takes_nothing_new(house: House) -> None:
    [worker] = house.workers(1)
    client = house.client()
    job = client.submit(heavy(20, 10), shots=10)
    running(job)
    waiting = client.submit(heavy(20, 1), shots=10)
    worker.stop()
    assert worker.popen.returncode == 0
    assert job.status() is Phase.COMPLETED
    assert reasons(job)["WorkerLost"] == 0
    assert waiting.status() is Phase.PENDING


def test_a_simulation_that_goes_on_for_too_long_does_not_keep_a_worker_from_stopping(house: House) -> None:
    house.workers(0)
    worker = house.stack.worker(QTASKS_STOP_SECONDS="1")
    job = house.client().submit(heavy(22, 600), shots=10)
    running(job)
    worker.stop()
    assert not job.in_final_state()
    assert "its jobs are left to others" in worker.text
    house.workers(1)
    with house.watched():
        running(job)
        assert job.cancel()
