"""What holds for every backend: one more is one more line in MEMBERS."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit_aer import AerSimulator

from qtasks.backends.aer import AerBackend
from qtasks.backends.compatibility import problems
from qtasks.backends.ibm_simulator import IBMSimulatorBackend
from qtasks.backends.protocol import (
    Backend,
    BackendError,
    Compiled,
    Order,
    Outcome,
    Program,
    ProviderJob,
    ProviderState,
)
from qtasks.backends.registry import open_backend
from qtasks.backends.threads import Cores
from qtasks.circuits.analysis import analyse
from qtasks.circuits.formats import dump
from qtasks.config import Account
from qtasks.errors import QTasksError
from qtasks.results import SamplerPubResult
from tests.support.braket_server import BraketServer
from tests.support.circuits import bell
from tests.support.ibm_server import IBMServer
from tests.support.servers import eventually

pytestmark = pytest.mark.system

SHOTS = 200


@dataclass(frozen=True)
class Member:
    """A backend with a device of it."""

    backend: Backend
    device: str
    secrets: tuple[str, ...] = ()
    """What must never be seen."""
    errors: float = 0.0
    """Share of the shots of a small circuit that noise may spoil."""


@contextmanager
def local_simulator(folder: Path) -> Iterator[Member]:
    yield Member(AerBackend(Cores(folder, 1)), "local_simulator")


@contextmanager
def ibm_simulator(folder: Path) -> Iterator[Member]:
    yield Member(IBMSimulatorBackend(Cores(folder, 1)), "fake_hanoi", errors=0.2)


@contextmanager
def ibm_quantum(folder: Path) -> Iterator[Member]:
    with IBMServer(devices=("lagos",)) as server:
        yield Member(_remote(server.account(), server.secret()), "ibm_lagos", tuple(server.secret().values()))


@contextmanager
def aws_braket(folder: Path) -> Iterator[Member]:
    with BraketServer() as server, pytest.MonkeyPatch.context() as environment:
        for name, value in server.environment(keys=False).items():
            environment.setenv(name, value)
        secret = server.secret()
        yield Member(_remote(server.account(), secret), "SV1", (secret["secret-access-key"],))


def _remote(account: Mapping[str, Any], secret: Mapping[str, str]) -> Backend:
    return open_backend(Account(**{"name": "lab", **account}), lambda: secret)


MEMBERS: dict[str, Callable[[Path], AbstractContextManager[Member]]] = {
    "local_simulator": local_simulator,
    "ibm_simulator": ibm_simulator,
    "ibm_quantum": ibm_quantum,
    "aws_braket": aws_braket,
}


@pytest.fixture(scope="module", params=MEMBERS)
def member(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Member]:
    with MEMBERS[request.param](tmp_path_factory.mktemp("cores")) as opened:
        assert opened.backend.name == request.param
        yield opened


@dataclass(frozen=True)
class Way:
    """What one job went through."""

    compiled: Compiled
    started: datetime
    job: ProviderJob
    outcome: Outcome

    @property
    def counts(self) -> dict[str, int]:
        """Under Qiskit's keys."""
        found = self.outcome
        return SamplerPubResult(found.registers, found.num_clbits, found.shots, found.counts, found.clbits).get_counts()


def compiled(member: Member, circuit: QuantumCircuit, **options: Any) -> Compiled:
    return member.backend.compile(Program("job-1", dump(circuit), SHOTS, **options), member.device)


def since() -> datetime:
    return datetime.now(UTC) - timedelta(minutes=5)


def finished(member: Member, number: str) -> ProviderJob:
    def final() -> ProviderJob | None:
        job = member.backend.statuses([number], since=since())[number]
        return job if job.state.final else None

    return eventually(final, what=f"the end of {number}")


def goes_through(member: Member, circuit: QuantumCircuit, tag: str) -> Way:
    isa = compiled(member, circuit)
    started = datetime.now(UTC)
    number = member.backend.submit(Order(isa, SHOTS, tag, labels=("project:conformance",)))
    job = finished(member, number)
    return Way(isa, started, job, member.backend.result(number))


@pytest.fixture(scope="module")
def way(member: Member) -> Way:
    """A Bell pair's."""
    return goes_through(member, bell(), "conformance-bell-1")


def test_credentials_are_good_also_when_they_were_read_again(member: Member) -> None:
    member.backend.authenticate()
    member.backend.refresh_credentials()
    member.backend.authenticate()


def test_the_device_is_listed_and_in_service(member: Member) -> None:
    names = [device.name for device in member.backend.devices()]
    assert len(names) == len(set(names))
    assert any(name.lower().endswith(member.device.lower()) for name in names), names
    assert member.backend.queue_status(member.device).available


def test_what_a_device_can_do_fits_a_bell_pair(member: Member) -> None:
    able = member.backend.capabilities(member.device)
    assert problems(analyse(bell()), SHOTS, able) == []
    assert able.qubits is None or 2 <= able.qubits < 1000
    assert able.max_shots is None or able.max_shots >= SHOTS


def test_a_circuit_that_is_too_wide_is_refused_before_anything_is_sent(member: Member) -> None:
    wide = QuantumCircuit(200)
    wide.h(range(200))
    wide.t(range(200))
    wide.measure_all()
    found = problems(analyse(wide), SHOTS, member.backend.capabilities(member.device))
    assert [problem.reason for problem in found] in (["TooManyQubits"], ["InsufficientMemory"])


def test_a_circuit_is_compiled_for_the_device(member: Member, way: Way) -> None:
    isa = way.compiled
    assert isa.two_qubit_gates == 1 and isa.depth >= 2 and isa.seconds >= 0
    assert (list(isa.registers), isa.num_clbits) == ([("c", 2)], 2)
    assert isa.calibration == compiled(member, bell()).calibration


def test_what_cannot_be_compiled_is_told_as_such(member: Member) -> None:
    with pytest.raises(BackendError) as refused:
        compiled(member, bell(), initial_layout=(0, 1, 2, 3))
    assert refused.value.reason == "TranspilerError" and refused.value.hint and not refused.value.heals


def test_a_job_has_a_price_before_and_after(member: Member, way: Way) -> None:
    for cost in (member.backend.estimate_cost(way.compiled, SHOTS), member.backend.actual_cost(way.job, SHOTS)):
        assert cost.amount is not None and 0 <= cost.amount < 100
        assert cost.price


def test_a_job_reaches_its_end_and_keeps_its_tag(member: Member, way: Way) -> None:
    assert way.job.state is ProviderState.DONE
    assert "conformance-bell-1" in way.job.tags
    listed = {job.id: job for job in member.backend.listing(since=since())}
    assert listed[way.job.id].state is ProviderState.DONE


def test_a_job_is_found_by_its_tag(member: Member, way: Way) -> None:
    assert [job.id for job in member.backend.find("conformance-bell-1", since=since())] == [way.job.id]
    assert member.backend.find("conformance-bell", since=since()) == []


def test_a_bell_pair_is_measured_alike(member: Member, way: Way) -> None:
    counts = way.counts
    assert sum(counts.values()) == way.outcome.shots == SHOTS
    odd = counts.get("01", 0) + counts.get("10", 0)
    assert odd <= member.errors * SHOTS
    assert min(counts["00"], counts["11"]) > SHOTS / 5


def several_registers() -> QuantumCircuit:
    a, b, c = ClassicalRegister(2, "a"), ClassicalRegister(1, "b"), ClassicalRegister(3, "c")
    circuit = QuantumCircuit(QuantumRegister(3, "q"), a, b, c)
    circuit.x([0, 2])
    circuit.measure([0, 1, 2], [a[1], b[0], c[2]])
    return circuit


def part_of_the_qubits() -> QuantumCircuit:
    circuit = QuantumCircuit(4, 2)
    circuit.x([1, 2])
    circuit.measure([2, 3], [1, 0])
    return circuit


def another_order() -> QuantumCircuit:
    circuit = QuantumCircuit(3, 3)
    circuit.x(0)
    circuit.measure([0, 1, 2], [2, 0, 1])
    return circuit


def far_apart() -> QuantumCircuit:
    """Qubits that a device has to bring together."""
    circuit = QuantumCircuit(5, 5)
    circuit.x(0)
    for qubit in range(1, 5):
        circuit.cx(0, qubit)
    circuit.x(3)
    circuit.measure(range(5), range(5))
    return circuit


@pytest.mark.parametrize("build", [several_registers, part_of_the_qubits, another_order, far_apart])
def test_bits_come_back_where_they_were_measured_to(member: Member, build: Callable[[], QuantumCircuit]) -> None:
    circuit = build()
    (expected,) = AerSimulator().run(circuit, shots=1).result().get_counts()
    counts = goes_through(member, circuit, f"conformance-{build.__name__.replace('_', '-')}").counts
    assert sum(counts.values()) == SHOTS
    assert counts.get(expected, 0) >= (1 - 2 * member.errors) * SHOTS, counts


def test_after_submitting_twice_with_one_tag_find_shows_what_there_is(member: Member, way: Way) -> None:
    order = Order(way.compiled, SHOTS, "conformance-twice")
    numbers = [member.backend.submit(order) for _ in range(2)]
    assert {job.id for job in member.backend.find(order.tag, since=since())} == set(numbers)
    assert all(finished(member, number).state is ProviderState.DONE for number in numbers)


def test_cancelling_a_job_that_is_over_changes_nothing(member: Member, way: Way) -> None:
    member.backend.cancel(way.job.id)
    after = member.backend.statuses([way.job.id], since=since())[way.job.id]
    assert after.state is ProviderState.DONE
    assert member.backend.result(way.job.id).counts == way.outcome.counts


def test_an_unknown_job_is_lost_and_its_neighbour_is_not(member: Member, way: Way) -> None:
    unknown = way.job.id[:-8] + "0" * 8
    found = member.backend.statuses([unknown, way.job.id], since=since())
    assert {number: job.state for number, job in found.items()} == {
        unknown: ProviderState.LOST,
        way.job.id: ProviderState.DONE,
    }


def test_no_secret_shows(member: Member, way: Way) -> None:
    told = [repr(member.backend), repr(way)]
    for attempt in (
        lambda: member.backend.result(way.job.id[:-8] + "0" * 8),
        lambda: compiled(replace(member, device="no-such-device"), bell()),
        lambda: compiled(member, bell(), initial_layout=(0, 0)),
    ):
        try:
            attempt()
        except QTasksError as error:
            told.append(f"{error!r} {error} {error.details} {error.__cause__!r} {error.__context__!r}")
    assert len(told) >= 4
    assert not [text for text in told for secret in member.secrets if secret in text]
