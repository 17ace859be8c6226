"""Orders that run in this process: their outcomes, their failures, and how long both are kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from qiskit import QuantumCircuit

from qtasks.backends.aer import AerBackend
from qtasks.backends.protocol import BackendError, Compiled, Order, Program, ProviderState
from qtasks.backends.threads import Cores
from qtasks.circuits.formats import dump
from tests.support.circuits import bell


@pytest.fixture
def aer(tmp_path: Path) -> AerBackend:
    return AerBackend(Cores(tmp_path, 1))


def compiled(aer: AerBackend, circuit: QuantumCircuit) -> Compiled:
    return aer.compile(Program("job", dump(circuit), 10, seed_transpiler=1), "local_simulator")


def test_an_order_has_the_counts_of_a_run_with_its_seed(aer: AerBackend) -> None:
    (ran,) = aer.run([Program("job", dump(bell()), 1000, seed_simulator=5)])
    job = aer.submit(Order(compiled(aer, bell()), 1000, "tag", seed_simulator=5))
    assert aer.result(job).counts == ran.counts  # type: ignore[union-attr]


def test_a_run_that_fails_is_a_failed_job_with_the_reason(aer: AerBackend) -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.h(0)
    job = aer.submit(Order(compiled(aer, circuit), 10, "tag"))
    status = aer.statuses([job], since=datetime.now(UTC))[job]
    assert (status.state, status.code, status.heals) == (ProviderState.FAILED, "NothingMeasured", False)
    with pytest.raises(BackendError, match=r"no counts") as refused:
        aer.result(job)
    assert refused.value.reason == "NothingMeasured"


def test_the_last_256_jobs_are_kept(aer: AerBackend) -> None:
    order = Order(compiled(aer, bell()), 1, "tag")
    jobs = [aer.submit(order) for _ in range(257)]
    since = datetime.now(UTC) - timedelta(minutes=5)
    states = [status.state for status in aer.statuses(jobs, since=since).values()]
    assert states == [ProviderState.LOST] + [ProviderState.DONE] * 256
    assert [job.id for job in aer.find("tag", since=since)] == jobs[1:], "the oldest first"
    with pytest.raises(BackendError, match=r"does not know"):
        aer.result(jobs[0])


def test_jobs_are_listed_from_a_time_on(aer: AerBackend) -> None:
    aer.submit(Order(compiled(aer, bell()), 1, "early"))
    between = datetime.now(UTC)
    late = aer.submit(Order(compiled(aer, bell()), 1, "late", labels=("early",)))
    assert [job.id for job in aer.listing(since=between)] == [late]
    assert aer.find("early", since=between) == [], "a label is no tag"


def test_what_a_machine_cannot_hold_is_refused(aer: AerBackend) -> None:
    memory = aer.capabilities("local_simulator").memory
    assert memory is not None and memory >= 16 * 2**20
