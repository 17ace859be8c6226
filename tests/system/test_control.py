"""What a user may set and stop: cancel at every phase, timeouts, retries, and what becomes of a broken set-up."""

from __future__ import annotations

import resource
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import text

from qtasks.client import Client, Job
from qtasks.costs.simulator import charge
from qtasks.errors import Conflict, InvalidInput, JobFailed, NotFound, WaitTimeout
from qtasks.lifecycle import Phase
from qtasks.resources import QiskitJob
from tests.support import insides
from tests.support.circuits import BELL_QASM, BELL_SOURCE, bell, heavy, small_qasm
from tests.support.house import House
from tests.support.processes import pool_processes
from tests.support.servers import eventually
from tests.support.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("watched")]


def running(job: Job) -> None:
    eventually(lambda: job.status() is Phase.RUNNING, what="the job running")


def spec(code: str = BELL_SOURCE, **parts: object) -> QiskitJob:
    return QiskitJob(spec={"circuit": {"source": "inline", "code": code}, **parts})


def test_a_waiting_job_is_cancelled_for_good(house: House) -> None:
    house.workers(1)
    client = house.client()
    with house.paused():
        job = client.submit(bell())
        assert job.cancel()
        assert not job.cancel()
    other = client.submit(bell())
    other.result(30)
    assert job.status() is Phase.CANCELLED
    with pytest.raises(JobFailed, match="Cancelled by request") as failure:
        job.result(5)
    assert failure.value.reason == "Cancelled"


def test_a_running_simulation_is_stopped_and_its_worker_takes_the_next_job(house: House) -> None:
    house.workers(1)
    client = house.client()
    job = client.submit(heavy(20, 2000), shots=10)
    running(job)
    assert job.cancel()
    assert client.submit(bell()).result(30).get_counts()
    assert job.status() is Phase.CANCELLED


def test_a_job_between_stages_is_cancelled(house: House) -> None:
    house.workers(1)
    client = house.client()
    with house.paused():
        worker = house.stack.worker("validation")
        job = client.submit(bell())
        eventually(lambda: job.status() is Phase.SCHEDULING, what="validation")
        assert job.cancel()
        worker.stop()
    client.submit(bell()).result(30)
    assert job.status() is Phase.CANCELLED


def test_a_simulation_ends_at_its_time_limit(house: House) -> None:
    house.workers(1)
    client = house.client()
    code = "from qiskit import QuantumCircuit\nqc = QuantumCircuit(20)\nfor k in range(600):\n    qc.rx(k, range(20))\n"
    code += "    for q in range(19):\n        qc.cx(q, q + 1)\nqc.measure_all()\n"
    job = client.submit(spec(code, timeouts={"execution": "2s"}, execution={"shots": 10}))
    with pytest.raises(JobFailed) as failure:
        job.result(60)
    assert failure.value.reason == "ExecutionTimeout"
    assert client.submit(bell()).result(30).get_counts()


def test_a_source_that_never_ends_fails_at_its_validation_timeout(house: House) -> None:
    house.workers(1)
    client = house.client()
    job = client.submit(spec("while True:\n    pass\n", timeouts={"validation": "1s"}))
    with pytest.raises(JobFailed) as failure:
        job.result(60)
    assert failure.value.reason == "ValidationTimeout"


def test_a_job_whose_total_time_runs_out_is_ended_wherever_it_is(house: House) -> None:
    client = house.client()
    with house.paused():
        job = client.submit(spec(timeouts={"total": "500ms"}))
        with pytest.raises(JobFailed) as failure:
            job.result(30)
    assert failure.value.reason == "TotalTimeout"


def test_a_failure_that_may_heal_is_retried_by_its_policy(house: House) -> None:
    [worker] = house.workers(1)
    client = house.client()
    code = "from qiskit import QuantumCircuit\nqc = QuantumCircuit(24)\nqc.rx(0.5, range(24))\n"
    code += "for q in range(23):\n    qc.cx(q, q + 1)\nqc.measure_all()\n"
    [pool] = pool_processes(worker)
    # 256 MiB of state do not fit into half of that: the machine is short of memory, for now.
    used = int(Path(f"/proc/{pool}/statm").read_text().split()[0]) * resource.getpagesize()
    resource.prlimit(pool, resource.RLIMIT_AS, (used + 2**27, resource.RLIM_INFINITY))
    policy = {"maxRetries": 3, "backoff": {"initial": "1s", "maximum": "4s", "multiplier": 2}}
    job = client.submit(spec(code, retryPolicy=policy, execution={"shots": 10}))
    eventually(lambda: job.status() is Phase.RETRYING, what="the first attempt failing")
    resource.prlimit(pool, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert job.wait_for_final_state(90) is Phase.COMPLETED
    tried = job.to_dict()["status"]["attempts"]
    assert tried[0]["outcome"] == "Failed"
    assert tried[0]["reason"] == "OutOfMemory"
    assert tried[-1]["outcome"] == "Completed"
    assert [attempt["attempt"] for attempt in tried] == list(range(1, len(tried) + 1))


def test_a_job_goes_to_the_namespace_that_it_names_or_else_to_its_clients(quick_stack: Stack) -> None:
    with Client(quick_stack.settings, namespace="team") as client:
        assert client.submit(bell()).namespace == "team"
        assert client.submit(spec(BELL_SOURCE)).namespace == "team"
        named = QiskitJob(metadata={"namespace": "other"}, spec=spec().spec)
        assert client.submit(named).namespace == "other"
        assert client.submit(named, namespace="third").namespace == "third"


def test_what_cannot_heal_is_not_retried(house: House) -> None:
    house.workers(1)
    job = house.client().submit(BELL_QASM.replace("cx q[0],q[1];", "cx q[0],r[1];"))
    with pytest.raises(JobFailed, match="line 6") as failure:
        job.result(30)
    assert failure.value.reason == "InvalidCircuit"
    assert job.to_dict()["status"]["attempt"] == 1


def test_a_worker_survives_every_kind_of_bad_input(house: House) -> None:
    [worker] = house.workers(1)
    client = house.client()
    bad = [
        "this is not python (",
        "import os\nos._exit(3)\n",
        "raise ValueError('no')\n",
        "from qiskit import QuantumCircuit\na = QuantumCircuit(1)\nb = QuantumCircuit(2)\n",
        "x = 1\n",
        "from qiskit import QuantumCircuit\nqc = QuantumCircuit(2)\nqc.h(0)\n",
        b"QISKIT\x12\x02 broken",
        "OPENQASM 3.0;\nqubit q;\nfoo q;\n",
        "import ctypes\nctypes.string_at(0)\n",
        "x = bytearray(10**12)\n",
    ]
    jobs = [client.submit(circuit) for circuit in bad]
    client.wait(jobs, timeout=120)
    assert {job.status() for job in jobs} == {Phase.FAILED}
    for job in jobs:
        status = job.to_dict()["status"]
        assert status["reason"] != "InternalError", status
        assert status["message"].endswith((".", ")", "`"))
    assert client.submit(bell()).result(30).get_counts()
    assert worker.popen.poll() is None


def test_one_idempotency_key_gives_one_job(quick_stack: Stack) -> None:
    client = quick_stack.client()
    first = client.submit(bell(), idempotency_key="once")
    assert client.submit(bell(), idempotency_key="once").job_id() == first.job_id()
    assert client.submit(bell(), idempotency_key="once", namespace="elsewhere").job_id() != first.job_id()
    assert len(client.jobs(all_namespaces=True)) == 2


def test_a_name_is_taken_once(quick_stack: Stack) -> None:
    client = quick_stack.client()
    first = client.submit(bell(), name="mine")
    assert client.submit(bell(), name="mine").job_id() == first.job_id()
    with pytest.raises(Conflict, match="with another spec"):
        client.submit(bell(), name="mine", shots=5)


def test_submit_many_is_all_or_none(quick_stack: Stack) -> None:
    client = quick_stack.client()
    client.submit(bell(), name="taken")
    with pytest.raises(InvalidInput):
        client.submit_many([bell(), 17])
    documents = [
        {"kind": "QiskitJob", "apiVersion": "quantum.io/v1", "metadata": {"name": name}, "spec": {"circuit": circuit}}
        for name, circuit in (
            ("free", {"source": "inline", "code": BELL_SOURCE}),
            ("taken", {"source": "inline", "code": BELL_SOURCE}),
        )
    ]
    with pytest.raises(Conflict):
        client.submit_many(documents)
    assert [job.name for job in client.jobs()] == ["taken"]


def test_lists_and_handles_find_jobs_again(quick_stack: Stack) -> None:
    client = quick_stack.client()
    job = client.submit(bell(), name="findable", labels={"algorithm": "bell", "team": "a"})
    client.submit(small_qasm(1), labels={"algorithm": "other"})
    assert [found.name for found in client.jobs(labels={"algorithm": "bell"})] == ["findable"]
    assert [found.name for found in client.jobs(labels="algorithm in (bell, ghz),team!=b")] == ["findable"]
    assert len(client.jobs(phase="Pending", limit=1)) == 1
    assert client.job(job.job_id()).name == "findable"
    with pytest.raises(NotFound):
        client.job("unknown")
    with pytest.raises(WaitTimeout):
        job.result(0.05)


def test_a_worker_refuses_an_older_schema_and_says_how_to_mend_it(
    make_stack: Callable[..., Stack], postgres_url: str, redis_url: str
) -> None:
    stack = make_stack(database_url=postgres_url, broker_url=redis_url)
    client = stack.client()
    with insides.store(client).begin() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    worker = stack.run("worker")
    assert worker.popen.wait(60) != 0
    assert "qtasks db upgrade" in worker.text or "newer" in worker.text


def test_a_source_sees_no_environment_and_its_output_is_in_the_logs(house: House) -> None:
    house.workers(1)
    code = "import os\nprint('environment:', dict(os.environ))\n" + BELL_SOURCE
    job = house.client().submit(spec(code))
    job.result(30)
    assert house.secret not in job.logs()
    assert "environment: {" in job.logs()


def test_a_field_without_effect_is_accepted_and_said_to_be_so(house: House) -> None:
    house.workers(1)
    job = house.client().submit(spec(session={"name": "vqe"}))
    job.result(30)
    [scheduled] = [known for known in job.to_dict()["status"]["conditions"] if known["type"] == "Scheduled"]
    assert scheduled["message"].endswith("Without effect there, in this version: spec.session.")


def test_simulator_time_is_charged_at_the_rate_that_is_set(house: House) -> None:
    with house.paused():
        worker = house.stack.worker(QTASKS_SIMULATOR_RATE="1.60")
        job = house.client().submit(bell())
        cost = job.result(30).provenance.simulator_cost
        worker.stop()
    assert cost == charge(job.metrics()["run_seconds"], Decimal("1.60"))
    assert cost > 0
    assert job.to_dict()["status"]["cost"] == f"${cost.normalize():f}"


def test_a_lone_large_simulation_has_every_thread_and_a_small_one_has_one(
    make_stack: Callable[..., Stack], postgres_url: str, redis_url: str
) -> None:
    stack = make_stack(database_url=postgres_url, broker_url=redis_url, worker_threads=2)
    stack.worker(concurrency=2)
    client = stack.client()
    small, large = client.submit(bell()), client.submit(heavy(18, 10), shots=10)
    client.wait([small, large], timeout=60)
    assert small.metrics()["threads"] == 1
    assert large.metrics()["threads"] == 2
