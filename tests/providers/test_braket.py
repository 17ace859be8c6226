"""`aws_braket` against a loopback Braket and a real S3 server, through the real boto3 and Braket's SDK."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Clbit
from qiskit_aer import AerSimulator

from qtasks.backends.braket import BraketBackend
from qtasks.backends.protocol import (
    BackendError,
    Compiled,
    CredentialsRefused,
    Order,
    Outcome,
    Program,
    ProviderJob,
    ProviderState,
    ProviderUnavailable,
    RemoteBackend,
    Throttled,
)
from qtasks.circuits.formats import dump
from qtasks.config import Account
from qtasks.results import SamplerPubResult
from qtasks.telemetry import exposition, metric
from tests.support.braket_server import DM1, GARNET, RETIRED, SV1, BraketServer
from tests.support.braket_tasks import Task

pytestmark = pytest.mark.system

CREATE, SEARCH = "^/quantum-task$", "^/quantum-tasks$"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def running() -> Iterator[BraketServer]:
    with BraketServer() as server, pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("AWS_", "BRAKET_"))]:
            patch.delenv(name)
        for name, value in server.environment(keys=False).items():
            patch.setenv(name, value)
        yield server


@pytest.fixture
def server(running: BraketServer) -> BraketServer:
    running.reset()
    return running


@pytest.fixture(scope="module")
def shared(running: BraketServer) -> BraketBackend:
    return open_backend(running)


@pytest.fixture
def braket(server: BraketServer, shared: BraketBackend) -> BraketBackend:
    """The one backend of most tests, which has asked nothing of the devices yet."""
    shared._devices.clear()
    return shared


def open_backend(
    server: BraketServer, secret: Callable[[], dict[str, str]] | None = None, **more: Any
) -> BraketBackend:
    account = Account.model_validate(server.account(**more))
    return BraketBackend(account, secret or server.secret)


def bell() -> QuantumCircuit:
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    return circuit


def compiled(braket: RemoteBackend, circuit: QuantumCircuit | None = None, device: str = SV1, **more: Any) -> Compiled:
    return braket.compile(Program("job", dump(bell() if circuit is None else circuit), 100, **more), device)


def order(braket: RemoteBackend, tag: str = "qt-1", shots: int = 100, **more: Any) -> Order:
    return Order(compiled(braket, **more), shots, tag)


def ran(
    server: BraketServer, braket: BraketBackend, circuit: QuantumCircuit, device: str = SV1, **more: Any
) -> Outcome:
    arn = braket.submit(Order(braket.compile(Program("job", dump(circuit), 50, **more), device), 50, "qt-ran"))
    done(server, arn)
    return braket.result(arn)


def done(server: BraketServer, arn: str) -> Task:
    task = server.task(arn)
    task.wait("COMPLETED", "FAILED")
    assert task.status == "COMPLETED", task.failure
    return task


def counts_of(outcome: Outcome) -> dict[str, int]:
    return SamplerPubResult(
        outcome.registers, outcome.num_clbits, outcome.shots, outcome.counts, outcome.clbits
    ).get_counts()


def since() -> datetime:
    return datetime.now(UTC) - timedelta(minutes=1)


def refused(call: Callable[[], Any]) -> BackendError:
    with pytest.raises(BackendError) as caught:
        call()
    return caught.value


# --- circuits and counts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("device", [SV1, DM1, GARNET])
def test_a_bell_pair_is_correlated_on_every_device(server: BraketServer, braket: BraketBackend, device: str) -> None:
    outcome = ran(server, braket, bell(), device)
    assert set(counts_of(outcome)) == {"00", "11"}
    assert sum(outcome.counts.values()) == outcome.shots == 50
    assert list(outcome.registers) == [("meas", 2)]


def scattered() -> QuantumCircuit:
    """Qubits 4 and 2 are in state 1; registers are measured in another order, in part, and one clbit is loose."""
    qubits = QuantumRegister(6, "q")
    first, second = ClassicalRegister(2, "first"), ClassicalRegister(3, "second")
    circuit = QuantumCircuit(qubits, first, second, [Clbit()])
    circuit.x(4)
    circuit.x(2)
    circuit.barrier()
    circuit.measure(4, 4)
    circuit.measure(1, 0)
    circuit.measure(2, 1)
    return circuit


@pytest.mark.parametrize("device", [SV1, DM1, GARNET])
@pytest.mark.parametrize("level", [0, 3])
def test_bits_come_back_where_the_circuit_has_them(
    server: BraketServer, braket: BraketBackend, device: str, level: int
) -> None:
    outcome = ran(server, braket, scattered(), device, optimization_level=level, seed_transpiler=7)
    assert outcome.counts == {hex(0b010010): 50}
    assert counts_of(outcome) == {"0 100 10": 50}
    assert (outcome.num_clbits, outcome.clbits) == (6, [[0, 1], [2, 3, 4]])


def test_the_last_of_two_measurements_into_a_bit_counts(server: BraketServer, braket: BraketBackend) -> None:
    circuit = QuantumCircuit(2, 2)
    circuit.x(0)
    circuit.measure(0, 1)
    circuit.measure(1, 1)
    assert ran(server, braket, circuit).counts == {"0x0": 50}


def shuffling(seed: int) -> QuantumCircuit:
    """A classical circuit: one outcome, whatever the layout, the routing and the optimization."""
    random = Random(seed)
    circuit = QuantumCircuit(5, 5)
    for _ in range(12):
        first, second, third = random.sample(range(5), 3)
        circuit.x(first)
        circuit.ccx(first, second, third) if random.random() < 0.3 else circuit.cx(third, first)
    circuit.measure(random.sample(range(5), 5), random.sample(range(5), 5))
    return circuit


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_compiling_for_a_qpu_changes_no_outcome(server: BraketServer, braket: BraketBackend, level: int) -> None:
    circuit = shuffling(level)
    expected = AerSimulator().run(circuit, shots=1).result().data()["counts"]
    assert ran(server, braket, circuit, GARNET, optimization_level=level).counts == dict.fromkeys(expected, 50)


def test_a_name_of_a_register_cannot_leave_its_comment(server: BraketServer, braket: BraketBackend) -> None:
    circuit = QuantumCircuit(QuantumRegister(1, "q"), ClassicalRegister(1, "c\nx q[0];\u2028x q[0];"))
    circuit.measure(0, 0)
    outcome = ran(server, braket, circuit)
    assert outcome.counts == {"0x0": 50}
    assert list(outcome.registers) == [("c\nx q[0];\u2028x q[0];", 1)]


def test_a_qpu_gets_its_own_gates_and_qubits_in_a_verbatim_box(server: BraketServer, braket: BraketBackend) -> None:
    program = compiled(braket, device=GARNET, optimization_level=3, initial_layout=(5, 6), seed_transpiler=1)
    source = program.data.decode()
    assert "#pragma braket verbatim" in source
    assert "cz $5, $6;" in source and "h $" not in source
    assert "measure $5;" in source and "measure $6;" in source
    assert program.gates["cz"] == program.two_qubit_gates == 1
    assert program.calibration == braket.calibration(GARNET).id  # type: ignore[union-attr]
    assert program.format == "openqasm3"


def test_a_compilation_with_a_seed_can_be_repeated(server: BraketServer, braket: BraketBackend) -> None:
    circuit = QuantumCircuit(5)
    for far in range(1, 5):
        circuit.cx(0, far)
    circuit.measure_all()
    first = compiled(braket, circuit, GARNET, optimization_level=2, seed_transpiler=11)
    assert compiled(braket, circuit, GARNET, optimization_level=2, seed_transpiler=11).data == first.data


def no_verbatim_boxes(properties: dict[str, Any]) -> None:
    properties["action"]["braket.ir.openqasm.program"]["supportedPragmas"] = []


def rigetti(properties: dict[str, Any]) -> None:
    properties["braketSchemaHeader"]["name"] = "braket.device_schema.rigetti.rigetti_device_capabilities"
    properties["paradigm"]["nativeGateSet"] = ["rx", "rz", "iswap"]


@pytest.mark.parametrize("other", [no_verbatim_boxes, rigetti])
def test_what_cannot_be_compiled_here_is_laid_out_by_braket(
    server: BraketServer, braket: BraketBackend, other: Callable[[dict[str, Any]], None]
) -> None:
    other(server.properties(GARNET))
    source = compiled(braket, scattered(), GARNET).data.decode()
    assert "verbatim" not in source and "qubit[3] q;" in source
    assert ran(server, braket, scattered(), GARNET).counts == {hex(0b010010): 50}
    error = refused(lambda: compiled(braket, device=GARNET, initial_layout=(1, 2)))
    assert error.reason == "TranspilerError" and "initialLayout" in error.message


def again() -> QuantumCircuit:
    circuit = QuantumCircuit(1, 2)
    circuit.h(0)
    circuit.measure(0, 0)
    circuit.h(0)
    circuit.measure(0, 0)
    return circuit


def wide() -> QuantumCircuit:
    circuit = QuantumCircuit(7)
    circuit.h(range(7))
    circuit.measure_all()
    return circuit


def branching() -> QuantumCircuit:
    circuit = QuantumCircuit(2, 1)
    circuit.measure(0, 0)
    with circuit.if_test((0, 1)):
        circuit.x(1)
    return circuit


@pytest.mark.parametrize(
    ("circuit", "device", "layout", "reason"),
    [
        (QuantumCircuit(2, 2), SV1, None, "NothingMeasured"),
        (again(), SV1, None, "UnsupportedInstruction"),
        (branching(), GARNET, None, "TranspilerError"),
        (bell(), GARNET, (0, 1), "TranspilerError"),
        (wide(), GARNET, None, "TranspilerError"),
        (bell(), "sv9", None, "NoSuchDevice"),
        (bell(), SV1.replace("sv1", "sv9"), None, "NoSuchDevice"),
    ],
    ids=["unmeasured", "measured twice", "branching", "no such qubit", "too wide", "no name", "no device"],
)
def test_what_cannot_be_compiled_is_refused_for_good(
    server: BraketServer,
    braket: BraketBackend,
    circuit: QuantumCircuit,
    device: str,
    layout: tuple[int, ...] | None,
    reason: str,
) -> None:
    error = refused(lambda: compiled(braket, circuit, device, initial_layout=layout))
    assert (error.reason, error.heals) == (reason, False)
    assert error.hint


# --- devices ----------------------------------------------------------------------------------------------------


def test_devices_are_those_of_the_region_that_are_not_retired(server: BraketServer, braket: BraketBackend) -> None:
    server.set_device(DM1, "OFFLINE")
    found = {device.name: device for device in braket.devices()}
    assert set(found) == {SV1, DM1}
    assert found[SV1].simulator and found[SV1].queue.available and not found[DM1].queue.available
    assert server.count() == 1


def test_a_device_of_another_region_is_asked_for_there(server: BraketServer, braket: BraketBackend) -> None:
    able = braket.capabilities(GARNET)
    assert (able.name, able.qubits, able.max_shots) == ("Garnet", 6, 20_000)
    assert able.basis_gates == {"cz", "prx"} and not able.dynamic_circuits and not able.resets
    assert [request.region for request in server.requests] == ["eu-north-1"]


def test_a_device_is_asked_for_once_for_many_circuits(server: BraketServer, braket: BraketBackend) -> None:
    for name in ("sv1", "SV1", SV1):
        compiled(braket, device=name)
        assert braket.capabilities(name).qubits == 34
    assert server.count() == 1


def test_the_queue_is_asked_for_each_time(server: BraketServer, braket: BraketBackend) -> None:
    assert braket.queue_status(GARNET).pending_jobs == 0
    server.set_device(GARNET, "OFFLINE", queue=">4000")
    status = braket.queue_status(GARNET)
    assert (status.available, status.pending_jobs, status.message) == (False, 4000, "offline")
    assert server.count("GET", "^/device/") == 2


def test_a_calibration_is_equal_until_the_device_is_calibrated_anew(
    server: BraketServer, braket: BraketBackend
) -> None:
    before = braket.calibration(GARNET)
    assert before is not None and before.data["standardized"]["twoQubitProperties"]["1-2"]
    assert braket.calibration(GARNET) == before
    server.recalibrate()
    braket.queue_status(GARNET)
    after = braket.calibration(GARNET, at=datetime.now(UTC))
    assert after is not None and after.id != before.id
    assert braket.calibration(GARNET, at=LONG_AGO) is None
    assert braket.calibration(SV1) is None


# --- submission -------------------------------------------------------------------------------------------------


def test_a_submission_is_one_request_with_all_that_braket_wants(server: BraketServer, braket: BraketBackend) -> None:
    server.hold()
    ready = Order(compiled(braket), 123, "qt-7-1", labels=("team:blue", "what:a*b", "aws:x:y", "alone"))
    server.forget_requests()
    arn = braket.submit(ready)
    assert [(each.method, each.path) for each in server.requests] == [("POST", "/quantum-task")]
    sent = server.task(arn).request
    assert sent["tags"] == {"team": "blue", "what": "a_b", "aws": "x:y", "alone": "", "qtasks": "qt-7-1"}
    assert (sent["shots"], sent["outputS3Bucket"]) == (123, server.bucket)
    assert sent["outputS3KeyPrefix"] == "tests/qtasks/qt-7-1"
    assert json.loads(sent["deviceParameters"])["paradigmParameters"]["qubitCount"] == 2
    assert json.loads(sent["action"])["source"].encode() == ready.compiled.data


def test_a_task_of_a_qpu_is_made_in_its_region(server: BraketServer, braket: BraketBackend) -> None:
    arn = braket.submit(order(braket, device=GARNET))
    assert arn.split(":")[3] == "eu-north-1"
    done(server, arn)
    assert braket.statuses([arn], since=since())[arn].state is ProviderState.DONE
    assert [job.id for job in braket.find("qt-1", since=since())] == [arn]
    assert braket.result(arn).shots == 100


def test_submitting_twice_makes_one_task(server: BraketServer, braket: BraketBackend) -> None:
    ready = order(braket)
    other = open_backend(server)
    assert braket.submit(ready) == braket.submit(ready) == other.submit(ready)
    assert len(server.tasks) == 1


def test_a_tag_of_another_circuit_makes_no_second_task(server: BraketServer, braket: BraketBackend) -> None:
    arn = braket.submit(order(braket))
    with pytest.raises(ProviderUnavailable) as caught:
        braket.submit(order(braket, circuit=scattered()))
    assert caught.value.reason == "SubmittedBefore"
    assert [job.id for job in braket.find("qt-1", since=since())] == [arn]


@pytest.mark.parametrize(
    "fault", [{"drop": True}, {"status": 502, "error": "BadGateway"}], ids=["connection lost", "502"]
)
def test_a_task_whose_answer_was_lost_is_found(
    server: BraketServer, braket: BraketBackend, fault: dict[str, Any]
) -> None:
    server.hold()
    ready = order(braket)
    server.fault("POST", CREATE, when="after", **fault)
    with pytest.raises(ProviderUnavailable):
        braket.submit(ready)
    assert server.count("POST", CREATE) == 1
    (found,) = braket.find("qt-1", since=since())
    assert found == ProviderJob(
        server.tasks[0].arn, ProviderState.QUEUED, tags=("qt-1",), device=SV1, created_at=found.created_at
    )
    assert server.count("POST", SEARCH) == 1
    assert braket.submit(ready) == found.id


def test_what_was_never_submitted_is_looked_for_in_every_region(server: BraketServer, braket: BraketBackend) -> None:
    server.add_tasks(3)
    assert braket.find("qt-9", since=since()) == []
    assert {request.region for request in server.requests} == {
        "us-east-1",
        "us-west-1",
        "us-west-2",
        "eu-west-2",
        "eu-north-1",
    }
    assert server.count() == 5


def test_a_region_that_the_account_may_not_use_holds_no_task(server: BraketServer, braket: BraketBackend) -> None:
    server.fault("POST", SEARCH, skip=1, times=4, status=403, error="AccessDeniedException")
    assert braket.find("qt-9", since=since()) == []
    server.fault("POST", SEARCH, skip=1, status=500)
    with pytest.raises(ProviderUnavailable):
        braket.find("qt-9", since=since())


def test_a_listing_has_the_tasks_of_qtasks_only(server: BraketServer, braket: BraketBackend) -> None:
    server.hold()
    mine = {braket.submit(order(braket, tag, device=device)) for tag, device in (("qt-1", SV1), ("qt-2", GARNET))}
    server.add_tasks(2, prefix="notebook/tasks")
    assert {job.id for job in braket.listing(since=since())} == mine
    assert {job.tags for job in braket.listing(since=since())} == {("qt-1",), ("qt-2",)}


def test_without_a_bucket_brakets_own_is_made(server: BraketServer) -> None:
    braket = open_backend(server, bucket=None)
    for tag in ("qt-1", "qt-2"):
        done(server, braket.submit(order(braket, tag)))
    assert server.task("qt-1").request["outputS3Bucket"] == "amazon-braket-us-east-1-123456789012"
    assert server.task("qt-1").request["outputS3KeyPrefix"] == "qtasks/qt-1"
    assert braket.result(server.task("qt-2").arn).shots == 100


# --- states -----------------------------------------------------------------------------------------------------


def test_a_thousand_waiting_tasks_cost_ten_requests(server: BraketServer, braket: BraketBackend) -> None:
    arns = server.add_tasks(1000)
    found = braket.statuses(arns, since=since())
    assert set(found) == set(arns)
    assert {job.state for job in found.values()} == {ProviderState.QUEUED}
    assert server.count() == server.count("POST", SEARCH) == 10


def test_few_tasks_among_many_are_asked_for_one_by_one(server: BraketServer, braket: BraketBackend) -> None:
    oldest = server.add_tasks(2000, age=3600)[:3]
    found = braket.statuses(oldest, since=datetime.now(UTC) - timedelta(hours=2))
    assert {job.state for job in found.values()} == {ProviderState.QUEUED}
    assert (server.count("POST", SEARCH), server.count("GET", "^/quantum-task/")) == (3, 3)


def test_tasks_made_before_the_time_are_not_searched_for(server: BraketServer, braket: BraketBackend) -> None:
    server.add_tasks(500, age=7200)
    (new,) = server.add_tasks(1)
    assert braket.statuses([new], since=since())[new].state is ProviderState.QUEUED
    assert server.count() == 1


def test_every_state_is_told_apart(server: BraketServer, braket: BraketBackend) -> None:
    server.hold()
    arns = server.add_tasks(7)
    queued, running, completed, failed, broken, cancelled, gone = arns
    server.start(running)
    server.task(completed).move("COMPLETED")
    server.fail(failed, "The program is too deep.")
    server.fail(broken, "Internal service error, try again.")
    server.cancel(cancelled)
    server.lose(gone)
    found = braket.statuses(arns, since=since())
    assert {arn: job.state.value for arn, job in found.items()} == {
        queued: "queued",
        running: "running",
        completed: "done",
        failed: "failed",
        broken: "failed",
        cancelled: "cancelled",
        gone: "lost",
    }
    assert (found[failed].message, found[failed].heals) == ("The program is too deep.", False)
    assert found[broken].heals
    assert found[completed].finished_at is not None and found[queued].finished_at is None
    assert (server.count("POST", SEARCH), server.count("GET", "^/quantum-task/")) == (1, 3)


def test_a_task_that_the_search_does_not_know_yet_is_asked_for(server: BraketServer, braket: BraketBackend) -> None:
    (arn,) = server.add_tasks(1, age=3600)
    found = braket.statuses([arn], since=since())[arn]
    assert (found.state, found.queue_position) == (ProviderState.QUEUED, 1)


def test_cancelling_what_is_final_or_unknown_does_nothing(server: BraketServer, braket: BraketBackend) -> None:
    waiting, final, gone = server.add_tasks(3)
    server.cancel(final)
    server.lose(gone)
    for arn in (waiting, waiting, final, gone):
        braket.cancel(arn)
    assert server.task(waiting).status == "CANCELLED"
    assert server.count("PUT", "/cancel$") == server.count() == 4


# --- results ----------------------------------------------------------------------------------------------------


def test_a_result_is_one_request_and_one_object(server: BraketServer, braket: BraketBackend) -> None:
    arn = braket.submit(order(braket))
    done(server, arn)
    server.forget_requests()
    outcome = braket.result(arn)
    assert server.count() == server.count("GET", "^/quantum-task/") == 1
    assert outcome.metadata["deviceId"] == SV1
    assert outcome.metadata["execution_milliseconds"] > 0
    assert json.dumps(outcome.metadata)


def test_a_result_that_was_spoilt_or_is_gone_is_refused_for_good(server: BraketServer, braket: BraketBackend) -> None:
    arn = braket.submit(order(braket))
    done(server, arn)
    for spoilt in (b"{", None):
        server.put_result(arn, spoilt)
        error = refused(lambda: braket.result(arn))
        assert (error.reason, error.heals) == ("ResultInvalid", False)


def test_there_is_no_result_of_what_is_not_done(server: BraketServer, braket: BraketBackend) -> None:
    (arn,) = server.add_tasks(1)
    assert refused(lambda: braket.result(arn)).reason == "ResultInvalid"
    server.lose(arn)
    assert refused(lambda: braket.result(arn)).reason == "ProviderJobLost"


# --- money ------------------------------------------------------------------------------------------------------


def test_a_simulator_costs_its_time_and_a_qpu_its_shots(server: BraketServer, braket: BraketBackend) -> None:
    assert braket.estimate_cost(compiled(braket), 100).amount == Decimal(
        "0.003750"
    )  # three seconds of a minute's 0.075
    assert braket.estimate_cost(compiled(braket, device=GARNET), 100).amount == Decimal("0.445000")
    arn = braket.submit(order(braket))
    done(server, arn)
    result = server.result(arn)
    result["additionalMetadata"]["simulatorMetadata"]["executionDuration"] = 60_000
    server.put_result(arn, result)
    job = braket.statuses([arn], since=since())[arn]
    server.forget_requests()
    assert braket.actual_cost(job, 100).amount == Decimal("0.075000")
    assert server.count() == 1
    assert braket.actual_cost(job, 100).amount == Decimal("0.075000")
    assert server.count() == 1
    for state in (ProviderState.FAILED, ProviderState.CANCELLED):
        assert braket.actual_cost(ProviderJob("id", state, device=GARNET), 100).amount == 0
    assert braket.actual_cost(ProviderJob("id", ProviderState.LOST, device=GARNET), 100).amount == Decimal("0.445000")


# --- what goes wrong --------------------------------------------------------------------------------------------


def test_credentials_that_expire_are_read_again_once(server: BraketServer) -> None:
    keys = [server.access_key, server.add_key()]
    read: list[str] = []

    def secret() -> dict[str, str]:
        read.append(keys[min(len(read), 1)])
        return server.secret(read[-1])

    braket = open_backend(server, secret)
    braket.authenticate()
    server.expire_keys(keys[0])
    braket.authenticate()
    assert [request.status for request in server.requests] == [200, 403, 200]
    assert read == keys


def test_credentials_that_stay_refused_are_told_and_never_shown(server: BraketServer) -> None:
    braket = open_backend(server)
    server.expire_keys()
    for call in (braket.authenticate, lambda: braket.find("qt-1", since=since()), lambda: braket.queue_status(SV1)):
        server.forget_requests()
        with pytest.raises(CredentialsRefused) as caught:
            call()
        assert server.count() == 2
        secret = server.secret()
        text = f"{caught.value!r} {caught.value} {caught.value.details}"
        assert not any(value in text for value in secret.values())


@pytest.mark.parametrize(
    "secret",
    [{"access-key-id": "AKIAUNKNOWN", "secret-access-key": "x"}, {"access-key-id": "AKIAALONE"}, {}],
    ids=["unknown", "half", "none anywhere"],
)
def test_wrong_or_missing_credentials_are_refused(server: BraketServer, secret: dict[str, str]) -> None:
    with pytest.raises(CredentialsRefused):
        open_backend(server, lambda: secret).authenticate()


def test_without_a_secret_boto3_finds_its_own(server: BraketServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    braket = open_backend(server, dict, endpoint=None, region=None)
    braket.authenticate()
    assert server.requests[0].key == server.access_key


def test_what_an_account_may_not_do_is_told_apart(server: BraketServer, braket: BraketBackend) -> None:
    ready = order(braket)
    server.fault("POST", CREATE, status=403, error="AccessDeniedException")
    error = refused(lambda: braket.submit(ready))
    assert (error.reason, error.heals) == ("ProviderForbidden", False)
    server.fault("POST", SEARCH, status=403, error="AccessDeniedException")
    with pytest.raises(CredentialsRefused):
        braket.find("qt-1", since=since())
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("status", "error", "retry_after"),
    [
        (429, "ThrottlingException", 7.5),
        (429, "ThrottlingException", None),
        (402, "ServiceQuotaExceededException", None),
    ],
)
def test_throttling_is_passed_on_with_its_time(
    server: BraketServer, braket: BraketBackend, status: int, error: str, retry_after: float | None
) -> None:
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    server.fault("POST", SEARCH, times=9, status=status, error=error, headers=headers)
    with pytest.raises(Throttled) as caught:
        braket.find("qt-1", since=since())
    assert caught.value.retry_after == retry_after
    assert server.count() == 1


@pytest.mark.parametrize(
    "fault",
    [{"status": 500}, {"status": 503, "error": "ServiceUnavailable"}, {"drop": True}],
    ids=["500", "503", "connection lost"],
)
def test_trouble_at_braket_is_told_after_one_request(
    server: BraketServer, braket: BraketBackend, fault: dict[str, Any]
) -> None:
    ready = order(braket)
    server.forget_requests()
    server.fault(times=99, **fault)
    for call in (
        lambda: braket.submit(ready),
        braket.authenticate,
        lambda: braket.statuses(["a:b:c:us-east-1:x"], since=since()),
    ):
        with pytest.raises(ProviderUnavailable):
            call()
    assert server.count() == 3
    assert server.tasks == []


def test_a_braket_that_is_not_there_is_unavailable(server: BraketServer) -> None:
    with pytest.raises(ProviderUnavailable):
        open_backend(server, endpoint="http://127.0.0.1:1").authenticate()
    error = refused(open_backend(server, endpoint="nowhere").authenticate)
    assert error.reason == "ProviderMisconfigured"


def test_an_answer_that_does_not_come_is_not_waited_for_long(
    server: BraketServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qtasks.backends.braket.session.READ_SECONDS", 0.2)
    gate = server.gate("POST", "^/devices$")
    with pytest.raises(ProviderUnavailable):
        open_backend(server).authenticate()
    gate.wait()
    gate.open()


def test_a_device_that_is_offline_may_heal_and_a_retired_one_not(server: BraketServer, braket: BraketBackend) -> None:
    ready = order(braket, device=GARNET)
    for status, reason, heals in (("OFFLINE", "DeviceOffline", True), ("RETIRED", "DeviceRetired", False)):
        server.set_device(GARNET, status)
        error = refused(lambda: braket.submit(ready))
        assert (error.reason, error.heals) == (reason, heals)


def test_what_braket_finds_wrong_is_refused_in_its_words(server: BraketServer, braket: BraketBackend) -> None:
    error = refused(lambda: braket.submit(order(braket, shots=200_000)))
    assert (error.reason, error.heals) == ("ProviderRefused", False)
    assert "SV1 runs from 1 to 100000 shots" in error.message
    assert refused(lambda: braket.queue_status(RETIRED.replace("us-west-1", "us-east-1"))).reason == "NoSuchDevice"


def test_there_are_no_sessions_and_no_allowance(server: BraketServer, braket: BraketBackend) -> None:
    assert refused(lambda: braket.open_session(SV1, mode="batch", max_seconds=None)).reason == "SessionsUnsupported"
    assert not braket.session_open("any")
    braket.close_session("any")
    assert braket.allowance() is None
    assert server.count() == 0


# --- processes and accounts -------------------------------------------------------------------------------------


def test_accounts_of_one_process_keep_to_their_own_endpoint_and_tasks(server: BraketServer) -> None:
    other_key = server.add_key()
    mine, other = open_backend(server), open_backend(server, lambda: server.secret(other_key), name="other")
    arn = mine.submit(order(mine))
    assert other.statuses([arn], since=since())[arn].state is ProviderState.LOST
    with BraketServer(server.s3_endpoint) as second:
        away = open_backend(second)
        away.submit(order(away))
        assert len(second.tasks) == 1 and len(server.tasks) == 1


def test_a_forked_process_makes_clients_of_its_own(server: BraketServer, braket: BraketBackend) -> None:
    braket.authenticate()
    made = braket._session._made()
    pid = os.fork()
    if pid == 0:
        try:
            braket.authenticate()
            os._exit(0 if braket._session._made() is not made else 1)
        except BaseException:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert server.count("POST", "^/devices$") == 2


def test_making_one_imports_no_sdk_and_polling_only_boto3(server: BraketServer, tmp_path: Path) -> None:
    script = tmp_path / "poll.py"
    script.write_text(
        "import json, sys\n"
        "from datetime import UTC, datetime\n"
        "from qtasks.backends.registry import open_backend\n"
        "from qtasks.config import Account\n"
        "account, secret = json.loads(sys.argv[1])\n"
        "braket = open_backend(Account.model_validate(account), lambda: secret)\n"
        "assert not {'boto3', 'braket', 'qiskit'} & set(sys.modules), 'made'\n"
        "braket.statuses(['arn:aws:braket:us-east-1:000000000001:quantum-task/x'], since=datetime.now(UTC))\n"
        "assert 'boto3' in sys.modules\n"
        "assert not {'braket', 'qiskit'} & set(sys.modules), 'polled'\n"
    )
    command = [sys.executable, "-W", "error", str(script), json.dumps([server.account(), server.secret()])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    assert server.count() == 2


def test_requests_are_counted_by_what_came_of_them(server: BraketServer, braket: BraketBackend) -> None:
    metric.switch_on()
    try:
        server.throttle("POST", SEARCH, times=1)
        with pytest.raises(Throttled):
            braket.find("qt-none", since=LONG_AGO)
        braket.find("qt-none", since=LONG_AGO)
        counted = [line for line in exposition.text().decode().splitlines() if "requests_total{" in line]
    finally:
        metric.switch_off()
    by_outcome = {line.split('"')[1]: float(line.rpartition(" ")[2]) for line in counted}
    assert by_outcome == {"429": 1, "2xx": server.count() - 1}
