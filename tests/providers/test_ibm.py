"""`IBMBackend` with the real client library, against a provider on loopback."""

from __future__ import annotations

import email.utils
import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Clbit

from qtasks.backends.ibm import IBMBackend
from qtasks.backends.protocol import (
    BackendError,
    Compiled,
    CredentialsRefused,
    Order,
    Outcome,
    Program,
    ProviderState,
    ProviderUnavailable,
    Throttled,
)
from qtasks.circuits.formats import dump, load_canonical
from qtasks.config import Account
from qtasks.errors import QTasksError
from qtasks.results import SamplerPubResult as PubResult
from qtasks.telemetry import exposition, metric
from tests.support.ibm_server import IBMServer
from tests.support.servers import eventually

pytestmark = pytest.mark.system

DEVICE = "ibm_lagos"
JOBS = r"/jobs$"


@pytest.fixture(scope="module")
def running() -> Iterator[IBMServer]:
    with IBMServer() as server:
        yield server


@pytest.fixture(scope="module")
def warm(running: IBMServer) -> IBMBackend:
    """One backend for the module, whose token and device are fetched."""
    backend = backend_of(running)
    backend.compile(program(), DEVICE)
    return backend


@pytest.fixture
def server(running: IBMServer, warm: IBMBackend) -> Iterator[IBMServer]:
    """The server without jobs, faults and recorded requests, and with the device idle."""
    warm.authenticate()
    running.forget_requests()
    running.hold()
    yield running
    running.clear_faults()
    running.wait_idle()
    running.remove_jobs()


@pytest.fixture
def backend(server: IBMServer, warm: IBMBackend) -> IBMBackend:
    return warm


def backend_of(server: IBMServer, secret: dict[str, str] | None = None, **changes: Any) -> IBMBackend:
    account = Account(name="lab", **{**server.account(), **changes})
    return IBMBackend(account, lambda: server.secret() if secret is None else secret)


def bell() -> QuantumCircuit:
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    return circuit


def program(circuit: QuantumCircuit | None = None, **changes: Any) -> Program:
    return Program("job-1", dump(circuit or bell()), 100, **changes)


def order(backend: IBMBackend, tag: str = "job-1-1", *, circuit: QuantumCircuit | None = None, **changes: Any) -> Order:
    return Order(backend.compile(program(circuit), DEVICE), 100, tag, **changes)


def a_minute_ago() -> datetime:
    return datetime.now(UTC) - timedelta(minutes=1)


def ran(backend: IBMBackend, server: IBMServer, circuit: QuantumCircuit) -> Outcome:
    number = backend.submit(order(backend, circuit=circuit))
    server.finish(number)
    return backend.result(number)


def named(outcome: Outcome) -> dict[str, int]:
    return PubResult(outcome.registers, outcome.num_clbits, outcome.shots, outcome.counts, outcome.clbits).get_counts()


# One job's way


def test_making_a_backend_imports_no_library_and_asks_nothing() -> None:
    code = (
        "import sys; from qtasks.backends.ibm import IBMBackend; from qtasks.config import Account;"
        "IBMBackend(Account(name='lab', provider='ibm_quantum'), lambda: 1 / 0);"
        "print({'qiskit_ibm_runtime', 'qiskit', 'requests'} & sys.modules.keys())"
    )
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert made.stdout.strip() == "set()"


def test_a_job_is_submitted_with_one_request_and_collected_with_one_more(
    backend: IBMBackend, server: IBMServer
) -> None:
    number = backend.submit(order(backend))
    assert [(one.method, one.path) for one in server.requests] == [("POST", "/api/v1/jobs")]
    server.finish(number)
    outcome = backend.result(number)
    assert [(one.method, one.path) for one in server.requests[1:]] == [("GET", f"/api/v1/jobs/{number}/results")]
    assert set(outcome.counts) == {"0x0", "0x3"}
    assert sum(outcome.counts.values()) == outcome.shots == 100
    assert outcome.registers == [("meas", 2)]
    assert outcome.clbits is None
    assert len(outcome.metadata["execution_spans"]) == 1


def test_the_provider_is_told_tags_labels_and_the_longest_execution_time(
    backend: IBMBackend, server: IBMServer
) -> None:
    labels = ("project:alpha", "x" * 87, *(f"l:{number}" for number in range(9)))
    backend.submit(order(backend, labels=labels, max_execution_seconds=30))
    (job,) = server.jobs
    assert job.tags[:3] == ["job-1-1", "qtasks", "project:alpha"]
    assert len(job.tags) == 8
    assert job.max_seconds == 30
    assert job.session_id is None
    assert job.payload["program_id"] == "executor"


def test_a_compiled_circuit_has_the_devices_gates_and_the_layout_asked_for(backend: IBMBackend) -> None:
    compiled = backend.compile(program(initial_layout=(3, 5), seed_transpiler=7), DEVICE)
    circuit = load_canonical(compiled.data)
    assert set(circuit.count_ops()) <= {"cx", "id", "rz", "sx", "x", "measure", "barrier"}
    assert {circuit.find_bit(qubit).index for one in circuit.get_instructions("cx") for qubit in one.qubits} == {3, 5}
    assert (compiled.device, compiled.format, compiled.two_qubit_gates) == (DEVICE, "qpy", 1)
    assert compiled.registers == [("meas", 2)]
    assert compiled.depth > 2
    calibration = backend.calibration(DEVICE)
    assert calibration is not None
    assert compiled.calibration == calibration.id


def test_compiling_again_asks_nothing_and_is_much_faster(backend: IBMBackend, server: IBMServer) -> None:
    fez = [backend.compile(program(), "ibm_fez") for _ in range(2)]
    assert fez[1].seconds < fez[0].seconds / 2
    assert server.count("GET", r"/backends/ibm_fez/") == 2


def test_a_layout_that_the_device_does_not_have_is_refused(backend: IBMBackend) -> None:
    with pytest.raises(BackendError, match="could not be compiled for ibm_lagos") as refused:
        backend.compile(program(initial_layout=(0, 50)), DEVICE)
    assert refused.value.reason == "TranspilerError"
    assert not refused.value.heals


def test_a_circuit_wider_than_the_device_is_refused(backend: IBMBackend) -> None:
    wide = QuantumCircuit(8, 8)
    wide.measure(range(8), range(8))
    with pytest.raises(BackendError) as refused:
        backend.compile(program(wide), DEVICE)
    assert refused.value.reason == "TranspilerError"


def test_counts_are_over_all_registers_with_the_first_lowest(backend: IBMBackend, server: IBMServer) -> None:
    low, high = ClassicalRegister(2, "low"), ClassicalRegister(3, "items")
    circuit = QuantumCircuit(QuantumRegister(3), low, high)
    circuit.x(0)
    circuit.x(2)
    circuit.measure(0, low[0])
    circuit.measure(2, high[2])
    outcome = ran(backend, server, circuit)
    assert outcome.counts == {hex(0b100_01): 100}
    assert outcome.registers == [("low", 2), ("items", 3)]
    assert named(outcome) == {"100 01": 100}


def test_registers_that_share_bits_and_bits_of_no_register_come_back(backend: IBMBackend, server: IBMServer) -> None:
    bits = [Clbit() for _ in range(4)]
    circuit = QuantumCircuit(QuantumRegister(3), bits)
    circuit.add_register(ClassicalRegister(bits=[bits[2], bits[0]], name="a"))
    circuit.add_register(ClassicalRegister(bits=[bits[0]], name="b"))
    circuit.x([0, 1])
    circuit.measure([0, 1, 2], [bits[0], bits[3], bits[2]])
    outcome = ran(backend, server, circuit)
    assert outcome.counts == {hex(0b1001): 100}
    assert (outcome.num_clbits, outcome.clbits) == (4, [[2, 0], [0]])
    assert named(outcome) == {"10 1 10": 100}


def test_a_circuit_with_feed_forward_runs(backend: IBMBackend, server: IBMServer) -> None:
    circuit = QuantumCircuit(2, 2)
    circuit.x(0)
    circuit.measure(0, 0)
    with circuit.if_test((0, True)):
        circuit.x(1)
    circuit.measure(1, 1)
    assert ran(backend, server, circuit).counts == {"0x3": 100}


def test_a_job_shows_how_it_stands_until_it_is_done(backend: IBMBackend, server: IBMServer) -> None:
    number = backend.submit(order(backend))
    queued = backend.statuses([number], since=a_minute_ago())[number]
    assert (queued.state, queued.device) == (ProviderState.QUEUED, DEVICE)
    assert queued.tags == ("job-1-1", "qtasks")
    assert queued.quantum_seconds == 3.5
    server.start(number)
    assert backend.statuses([number], since=a_minute_ago())[number].state is ProviderState.RUNNING
    server.finish(number)
    done = backend.statuses([number], since=a_minute_ago())[number]
    assert done.state is ProviderState.DONE
    assert done.quantum_seconds == 1 + 100 / 4096
    assert done.created_at is not None
    assert done.finished_at is not None
    assert done.created_at <= done.finished_at <= datetime.now(UTC)
    assert backend.actual_cost(done, 100).quantum_seconds == done.quantum_seconds


@pytest.mark.parametrize(
    ("message", "code", "heals"),
    [
        ("Internal error.", 9999, True),
        ("The backend is offline for maintenance.", 1520, True),
        ("The instruction cx on qubits (0, 5) is not supported by the target system.", 1517, False),
        ("Error in the validation process of the job.", 1002, False),
    ],
)
def test_a_failed_job_has_the_providers_words_and_says_whether_it_may_heal(
    backend: IBMBackend, server: IBMServer, message: str, code: int, heals: bool
) -> None:
    number = backend.submit(order(backend))
    server.fail(number, message, code)
    failed = backend.statuses([number], since=a_minute_ago())[number]
    assert (failed.state, failed.message, failed.code, failed.heals) == (
        ProviderState.FAILED,
        message,
        str(code),
        heals,
    )


def test_a_job_that_ran_too_long_has_failed_for_good(backend: IBMBackend, server: IBMServer) -> None:
    number = backend.submit(order(backend, max_execution_seconds=1))
    server.run_too_long(number)
    job = backend.statuses([number], since=a_minute_ago())[number]
    assert (job.state, job.code, job.heals) == (ProviderState.FAILED, "1305", False)


def test_a_job_cancelled_elsewhere_and_one_that_was_lost_are_told_apart(backend: IBMBackend, server: IBMServer) -> None:
    cancelled, lost = (backend.submit(order(backend, tag)) for tag in ("one", "two"))
    server.cancel_elsewhere(cancelled)
    server.lose(lost)
    states = backend.statuses([cancelled, lost, "../backends"], since=a_minute_ago())
    assert states[cancelled].state is ProviderState.CANCELLED
    assert states[lost].state is ProviderState.LOST
    assert states["../backends"].state is ProviderState.LOST


def test_cancelling_ends_a_job_and_does_nothing_to_a_final_or_unknown_one(
    backend: IBMBackend, server: IBMServer
) -> None:
    number = backend.submit(order(backend))
    backend.cancel(number)
    assert server.jobs[0].status == "Cancelled"
    backend.cancel(number)
    backend.cancel("d0000000000000000000")
    assert [one.status for one in server.requests if one.path.endswith("/cancel")] == [204, 409, 404]


def test_a_job_is_found_by_its_tag_alone(backend: IBMBackend, server: IBMServer) -> None:
    numbers = [backend.submit(order(backend, tag)) for tag in ("job-1-1", "job-1-2")]
    server.forget_requests()
    assert [job.id for job in backend.find("job-1-2", since=a_minute_ago())] == [numbers[1]]
    assert backend.find("job-1", since=a_minute_ago()) == []
    assert server.count() == 2
    assert {job.id for job in backend.listing(since=a_minute_ago())} == set(numbers)


# Bulk


def test_a_round_over_ten_thousand_waiting_jobs_costs_fifty_requests(backend: IBMBackend, server: IBMServer) -> None:
    numbers = server.add_jobs(10_000, "waiting", device=DEVICE)
    states = backend.statuses(numbers, since=a_minute_ago())
    assert server.count() == server.count("GET", JOBS) == 50
    assert states.keys() == set(numbers)
    assert {job.state for job in states.values()} == {ProviderState.QUEUED}


def test_jobs_that_ended_are_looked_up_in_pages_too(backend: IBMBackend, server: IBMServer) -> None:
    waiting = server.add_jobs(300, "waiting", device=DEVICE)
    ended = server.add_jobs(150, "ended", device=DEVICE, status="Failed")
    states = backend.statuses([*waiting, *ended], since=a_minute_ago())
    assert server.count() == 3
    assert sum(job.state is ProviderState.FAILED for job in states.values()) == 150


def test_a_few_jobs_among_many_are_asked_for_one_by_one(backend: IBMBackend, server: IBMServer) -> None:
    numbers = server.add_jobs(2_000, "waiting", device=DEVICE)
    backend.statuses(numbers[:3], since=a_minute_ago())
    assert server.count() <= 5


def test_paging_ends_when_jobs_leave_the_list_meanwhile(backend: IBMBackend, server: IBMServer) -> None:
    numbers = server.add_jobs(1_000, "waiting", device=DEVICE)
    states = {}
    for job in backend.listing(since=a_minute_ago()):
        states[job.id] = job
        if len(states) == 200:
            for gone in numbers[:500]:
                server.lose(gone)
    assert set(numbers[500:]) <= states.keys()
    assert server.count() <= 5


# What goes wrong


def test_after_a_502_the_job_that_was_made_is_found_and_there_is_one(backend: IBMBackend, server: IBMServer) -> None:
    server.fault("POST", JOBS, status=502, when="after")
    with pytest.raises(ProviderUnavailable, match="502 when submitting a job"):
        backend.submit(order(backend))
    assert server.count("POST", JOBS) == 1
    (found,) = backend.find("job-1-1", since=a_minute_ago())
    assert [found.id] == [job.id for job in server.jobs]


@pytest.mark.parametrize("when", ["before", "after"])
def test_after_a_lost_answer_the_tag_says_whether_there_is_a_job(
    backend: IBMBackend, server: IBMServer, when: str
) -> None:
    server.fault("POST", JOBS, when=when)  # type: ignore[arg-type]
    with pytest.raises(ProviderUnavailable):
        backend.submit(order(backend))
    assert server.count("POST", JOBS) == 1
    assert len(backend.find("job-1-1", since=a_minute_ago())) == len(server.jobs) == (when == "after")


def test_an_expired_token_is_exchanged_anew_and_the_job_made_once(backend: IBMBackend, server: IBMServer) -> None:
    server.expire_tokens()
    number = backend.submit(order(backend))
    assert [job.id for job in server.jobs] == [number]
    assert [one.status for one in server.requests] == [401, 200, 200]


def test_a_token_that_expires_between_two_pages_costs_one_page_more(backend: IBMBackend, server: IBMServer) -> None:
    numbers = server.add_jobs(1_000, "waiting", device=DEVICE)
    for number, _ in enumerate(backend.listing(since=a_minute_ago())):
        if number == 300:
            server.expire_tokens()
    assert number == len(numbers) - 1
    assert (server.count("GET", JOBS), server.count("POST", "/identity/token$")) == (6, 1)


def test_a_token_is_renewed_before_its_end_and_serves_while_it_cannot_be(
    server: IBMServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qtasks.backends.ibm.transport._RENEW_AFTER", 0.0)
    backend = backend_of(server)
    backend.devices()
    backend.devices()
    assert server.count("POST", "/identity/token$") == 2
    server.iam_down()
    assert backend.devices()
    assert server.count("GET", "/backends$") == 3
    assert 401 not in {one.status for one in server.requests}


def test_a_key_that_was_changed_in_the_secret_is_read_again(server: IBMServer) -> None:
    old, secret = server.key, server.secret()
    backend = backend_of(server, secret)
    backend.authenticate()
    try:
        server.change_key("another-key-0123456789")
        with pytest.raises(CredentialsRefused, match="did not take the account's API key"):
            backend.devices()
        secret["token"] = server.key
        assert backend.devices()
    finally:
        server.change_key(old)


def test_a_second_401_refuses_the_credentials(backend: IBMBackend, server: IBMServer) -> None:
    server.fault("POST", JOBS, status=401, message="Invalid credentials.", times=2)
    with pytest.raises(CredentialsRefused, match="Invalid credentials"):
        backend.submit(order(backend))
    assert server.count("POST", JOBS) == 2
    assert server.jobs == []


def test_an_unknown_key_is_refused_and_appears_nowhere(server: IBMServer) -> None:
    backend = backend_of(server, {"token": "unknown-key-9876543210"})
    with pytest.raises(CredentialsRefused) as refused:
        backend.authenticate()
    assert "unknown-key" not in f"{refused.value!r} {refused.value}"
    assert refused.value.__cause__ is refused.value.__context__ is None


def test_a_key_that_the_provider_repeats_is_hidden(backend: IBMBackend, server: IBMServer) -> None:
    server.fault("POST", JOBS, status=400, message=f"What is {server.key} good for?")
    with pytest.raises(BackendError) as refused:
        backend.submit(order(backend))
    assert server.key not in str(refused.value)
    assert "What is … good for?" in str(refused.value)


def test_an_account_without_a_key_is_told_what_to_do(server: IBMServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("QISKIT_IBM_TOKEN", "QISKIT_IBM_CHANNEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("qiskit_ibm_runtime.accounts.management._DEFAULT_ACCOUNT_CONFIG_JSON_FILE", "/nowhere.json")
    with pytest.raises(CredentialsRefused, match="no API key for the account lab"):
        backend_of(server, {}).devices()


def test_what_the_account_may_not_use_is_forbidden_for_good(backend: IBMBackend, server: IBMServer) -> None:
    server.fault("POST", JOBS, status=403, code=1200, message="You are not authorized.")
    with pytest.raises(BackendError, match=r"You are not authorized \(code 1200\)") as refused:
        backend.submit(order(backend))
    assert (refused.value.reason, refused.value.heals) == ("ProviderForbidden", False)


def test_a_key_without_the_instance_is_refused_when_it_is_tried(server: IBMServer) -> None:
    with pytest.raises(CredentialsRefused):
        backend_of(server, instance="crn:v1:bluemix:public:quantum-computing:us-east:a/1:2::").authenticate()


@pytest.mark.parametrize("date", [False, True])
def test_throttling_says_how_long_to_wait(backend: IBMBackend, server: IBMServer, date: bool) -> None:
    moment = email.utils.format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    server.throttle(retry_after=moment if date else 60)
    with pytest.raises(Throttled, match="Too many requests") as throttled:
        backend.submit(order(backend))
    assert throttled.value.retry_after == pytest.approx(60, abs=3)
    assert server.count("POST", JOBS) == 1


def test_throttling_without_a_time_has_none(backend: IBMBackend, server: IBMServer) -> None:
    server.throttle()
    with pytest.raises(Throttled) as throttled:
        backend.devices()
    assert throttled.value.retry_after is None
    assert server.count() == 1


@pytest.mark.parametrize("status", [500, 503, 504])
def test_a_provider_in_trouble_is_asked_once(backend: IBMBackend, server: IBMServer, status: int) -> None:
    server.fault("*", "", status=status, times=None)
    started = time.monotonic()
    with pytest.raises(ProviderUnavailable, match=str(status)):
        backend.devices()
    with pytest.raises(ProviderUnavailable, match=str(status)):
        backend.submit(order(backend))
    assert time.monotonic() - started < 2
    assert server.count() == 2


def test_while_iam_is_down_a_good_token_serves_and_the_key_never_travels(
    backend: IBMBackend, server: IBMServer
) -> None:
    server.iam_down()
    assert backend.devices()
    with pytest.raises(ProviderUnavailable, match="IAM answered 503"):
        backend_of(server).devices()
    server.expire_tokens()
    with pytest.raises(ProviderUnavailable, match="IAM answered 503"):
        backend.devices()
    server.clear_faults()
    assert backend.devices()
    assert server.tokens.raw_keys_seen == 0


def test_a_provider_that_cannot_be_reached_is_unavailable() -> None:
    with IBMServer() as gone:
        backend = backend_of(gone)
        backend.authenticate()
    with pytest.raises(ProviderUnavailable, match="the connection failed"):
        backend.devices()


def test_an_answer_that_takes_too_long_is_given_up(
    backend: IBMBackend, server: IBMServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qtasks.backends.ibm.transport.TIMEOUTS", (0.5, 0.2))
    server.latency(JOBS, 0.5)
    with pytest.raises(ProviderUnavailable, match="it took too long"):
        backend.submit(order(backend))
    assert len(eventually(lambda: server.jobs, what="the job")) == 1


def test_what_ibm_refuses_comes_with_its_words_and_code(backend: IBMBackend, server: IBMServer) -> None:
    server.fault("POST", JOBS, status=400, code=1211, message="The job's input is too large.")
    with pytest.raises(BackendError, match=r"too large \(code 1211\)") as refused:
        backend.submit(order(backend))
    assert (refused.value.reason, refused.value.heals) == ("ProviderRefused", False)
    assert refused.value.details == {"status": 400, "code": "1211"}


def test_a_device_that_is_not_there_is_no_such_device(backend: IBMBackend) -> None:
    with pytest.raises(BackendError, match="no device called ibm_nowhere") as refused:
        backend.compile(program(), "ibm_nowhere")
    assert refused.value.reason == "NoSuchDevice"
    lost = order(backend)
    compiled = Compiled(**{field: getattr(lost.compiled, field) for field in Compiled.__slots__} | {"device": "gone"})
    with pytest.raises(BackendError) as refused:
        backend.submit(Order(compiled, 100, "job-1-1"))
    assert refused.value.reason == "NoSuchDevice"


def test_a_used_up_instance_takes_no_job_for_now(backend: IBMBackend, server: IBMServer) -> None:
    server.instances[0].consumed_seconds = 600
    try:
        allowance = backend.allowance()
        assert allowance is not None
        assert (allowance.limit_seconds, allowance.used_seconds, allowance.remaining_seconds) == (600, 600, 0)
        assert allowance.until == datetime(2026, 1, 29, tzinfo=UTC)
        with pytest.raises(BackendError, match="usage limit") as refused:
            backend.submit(order(backend))
    finally:
        server.instances[0].consumed_seconds = 0
    assert (refused.value.reason, refused.value.heals) == ("AllowanceExhausted", True)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: text.replace('"meas":{', '"other":{'),
        lambda text: text.replace('"shots":100', '"shots":99'),
        lambda text: "Traceback: it broke",
    ],
)
def test_a_broken_result_is_refused(backend: IBMBackend, server: IBMServer, damage: Any) -> None:
    number = backend.submit(order(backend))
    server.finish(number)
    job = server.jobs[0]
    assert job.result is not None
    job.result = damage(job.result)
    with pytest.raises(BackendError, match="result is not whole") as refused:
        backend.result(number)
    assert refused.value.reason == "ResultInvalid"


def test_the_result_of_a_job_that_ibm_s_own_sampler_submitted_is_read_too(
    backend: IBMBackend, server: IBMServer
) -> None:
    import numpy as np
    from qiskit.primitives import BitArray, DataBin, PrimitiveResult, SamplerPubResult
    from qiskit_ibm_runtime.json import RuntimeEncoder

    alpha = BitArray.from_counts({"01": 3, "11": 1})
    beta = BitArray.from_bool_array(np.array([[True], [True], [True], [False]]))
    made = PrimitiveResult([SamplerPubResult(DataBin(alpha=alpha, beta=beta, shape=()))], metadata={"version": 2})
    (job_id,) = server.add_jobs(1, "another-tool", status="Completed")
    (job,) = [job for job in server.jobs if job.id == job_id]
    job.result = json.dumps(made, cls=RuntimeEncoder)
    outcome = backend.result(job_id)
    assert (outcome.registers, outcome.num_clbits, outcome.shots) == ([("alpha", 2), ("beta", 1)], 3, 4)
    pub = PubResult(outcome.registers, 3, 4, outcome.counts)
    assert pub.get_counts() == {"1 01": 3, "0 11": 1}


def test_a_result_that_is_not_there_yet_is_asked_for_later(backend: IBMBackend, server: IBMServer) -> None:
    number = backend.submit(order(backend))
    with pytest.raises(ProviderUnavailable, match="no result yet"):
        backend.result(number)
    server.lose(number)
    with pytest.raises(BackendError) as refused:
        backend.result(number)
    assert refused.value.reason == "NotFound"


@pytest.mark.parametrize("answer", ["<html>Sign in</html>", {"jobs": [{"id": "x"}], "count": 1}, {}, []])
def test_an_answer_that_is_none_of_ibms_is_unavailable(backend: IBMBackend, server: IBMServer, answer: Any) -> None:
    server.fault("GET", JOBS, status=200, body=answer)
    with pytest.raises(ProviderUnavailable):
        backend.find("job-1-1", since=a_minute_ago())


# Devices, sessions, money


def test_devices_tell_how_they_do_and_what_they_can(backend: IBMBackend, server: IBMServer) -> None:
    server.add_jobs(3, "waiting", device=DEVICE)
    server.devices["ibm_fez"].online = False
    server.devices["ibm_fez"].message = "maintenance"
    try:
        lagos, fez = backend.devices()
        queue = backend.queue_status("ibm_fez")
    finally:
        server.devices["ibm_fez"].online = True
        server.devices["ibm_fez"].message = "active"
    assert (lagos.name, lagos.qubits, lagos.simulator) == (DEVICE, 7, False)
    assert (lagos.queue.available, lagos.queue.pending_jobs) == (True, 3)
    assert (fez.queue.available, fez.queue.message) == (False, "maintenance")
    assert (queue.available, queue.message) == (False, "maintenance")
    assert server.count() == 2
    able = backend.capabilities(DEVICE)
    assert (able.qubits, able.max_shots) == (7, 100_000)
    assert server.count() == 2


def test_a_calibration_is_the_one_of_its_time(server: IBMServer) -> None:
    backend = backend_of(server)
    before = backend.compile(program(), DEVICE)
    assert backend.calibration(DEVICE) == backend.calibration(DEVICE)
    try:
        server.recalibrate(DEVICE)
        now, then = backend.calibration(DEVICE), backend.calibration(DEVICE, at=a_minute_ago())
        assert now is not None
        assert then is not None
        assert now.id != then.id == before.calibration
        assert then.data["qubits"][0][0]["value"] < now.data["qubits"][0][0]["value"]
        assert backend.compile(program(), DEVICE).calibration == before.calibration
        backend.refresh_credentials()
        assert backend.compile(program(), DEVICE).calibration == now.id
    finally:
        server.devices[DEVICE].changes.clear()


def test_a_device_without_a_calibration_is_compiled_for(server: IBMServer) -> None:
    backend = backend_of(server)
    server.fault("GET", "/properties$", status=200, body={}, times=None)
    assert backend.calibration(DEVICE) is None
    assert backend.compile(program(), DEVICE).calibration == ""


def test_a_session_takes_jobs_until_it_is_closed(backend: IBMBackend, server: IBMServer) -> None:
    session = backend.open_session(DEVICE, mode="dedicated", max_seconds=300)
    assert backend.session_open(session)
    backend.submit(order(backend, session=session))
    assert server.jobs[0].session_id == session
    assert (server.sessions[session].mode, server.sessions[session].max_seconds) == ("dedicated", 300)
    backend.close_session(session)
    backend.close_session(session)
    assert not backend.session_open(session)
    with pytest.raises(BackendError) as refused:
        backend.submit(order(backend, "job-1-2", session=session))
    assert refused.value.reason == "SessionClosed"
    backend.close_session("no-such-session")
    assert not backend.session_open("no-such-session")


def test_the_open_plan_has_no_dedicated_sessions() -> None:
    with IBMServer(plan="open", devices=("lagos",)) as server:
        backend = backend_of(server)
        with pytest.raises(BackendError, match="open plan") as refused:
            backend.open_session(DEVICE, mode="dedicated", max_seconds=None)
        assert refused.value.reason == "SessionsUnsupported"
        assert backend.session_open(backend.open_session(DEVICE, mode="batch", max_seconds=None))


def test_an_estimate_grows_with_the_shots_from_two_seconds(backend: IBMBackend) -> None:
    compiled = backend.compile(program(), DEVICE)
    few, many = backend.estimate_cost(compiled, 1), backend.estimate_cost(compiled, 100_000)
    assert few.quantum_seconds == pytest.approx(2.0, abs=0.001)
    assert many.quantum_seconds == pytest.approx(2 + 100_000 * 252e-6, rel=0.02)
    assert many.amount is not None
    assert many.amount > Decimal(0)


# Instances, endpoints, processes


def test_the_instance_of_the_accounts_plan_is_taken_never_just_the_last() -> None:
    with IBMServer(plan="premium", devices=("lagos",)) as server:
        server.add_instance("free", "open")
        premium = backend_of(server, instance=None)
        premium.authenticate()
        assert premium._connection.crn == server.crn
        assert server.count() == 5  # a token, the search, two plans, the usage
        byname = backend_of(server, instance="free")
        assert byname._connection.crn == server.instances[1].crn
        with pytest.raises(QTasksError, match=r"test-instance \(premium\), free \(open\)") as unclear:
            backend_of(server, instance=None, plan="flex").authenticate()
        assert unclear.value.reason == "AmbiguousInstance"


def test_accounts_with_different_endpoints_get_along_in_one_process(backend: IBMBackend, server: IBMServer) -> None:
    with IBMServer(key="the-other-key", devices=("lagos",)) as other:
        there = backend_of(other)
        there.submit(order(there))
        backend.submit(order(backend))
        assert (len(server.jobs), len(other.jobs)) == (1, 1)


def test_the_librarys_environment_variables_say_where_and_who(
    server: IBMServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    backend = backend_of(server, {}, endpoint=None, instance=None)
    assert backend.devices()
    assert backend._connection.crn == server.crn
    assert server.count("GET", "^/experimental/api/v1/backends$") == 1


def test_a_saved_account_of_the_library_is_used(
    server: IBMServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("QISKIT_IBM_TOKEN", raising=False)
    saved = tmp_path / "saved.json"
    kept = {"channel": "ibm_quantum_platform", "token": server.key, "url": server.endpoint, "instance": server.crn}
    saved.write_text(json.dumps({"default-ibm-quantum-platform": kept}))
    monkeypatch.setattr("qiskit_ibm_runtime.accounts.management._DEFAULT_ACCOUNT_CONFIG_JSON_FILE", str(saved))
    assert backend_of(server, {}, endpoint=None, instance=None).devices()


def test_threads_may_share_a_backend(backend: IBMBackend, server: IBMServer) -> None:
    server.add_jobs(5, "waiting", device=DEVICE)
    server.expire_tokens()
    names = [DEVICE, "ibm_fez"] * 40
    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(lambda name: backend.queue_status(name).pending_jobs, names))
    assert seen == [5, 0] * 40


def _ask_in_a_child(backend: IBMBackend, device: str, answers: Any) -> None:
    answers.put({(os.getpid(), backend.queue_status(device).pending_jobs) for _ in range(30)})


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # a fork is the point
def test_a_forked_process_has_a_connection_of_its_own(backend: IBMBackend, server: IBMServer) -> None:
    """A connection that was made before the fork would give each process some of the other's answers."""
    server.add_jobs(5, "waiting", device=DEVICE)
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    devices = (DEVICE, "ibm_fez")
    children = [context.Process(target=_ask_in_a_child, args=(backend, device, answers)) for device in devices]
    for child in children:
        child.start()
    mine = {backend.queue_status(DEVICE).pending_jobs for _ in range(30)}
    for child in children:
        child.join(30)
        assert child.exitcode == 0
    seen = [answers.get() for _ in children]
    assert mine == {5}
    assert sorted(pending for one in seen for _, pending in one) == [0, 5]


def test_requests_are_counted_by_what_came_of_them(backend: IBMBackend, server: IBMServer) -> None:
    metric.switch_on()
    try:
        server.throttle()
        with pytest.raises(Throttled):
            backend.devices()
        server.clear_faults()
        backend.devices()
        counted = [line for line in exposition.text().decode().splitlines() if "requests_total{" in line]
    finally:
        metric.switch_off()
    by_outcome = {line.split('"')[1]: float(line.rpartition(" ")[2]) for line in counted}
    assert by_outcome == {"429": 1, "2xx": server.count() - 1}
