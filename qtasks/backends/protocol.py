"""What every backend offers, and the plain data that goes in and comes out.

Times are aware datetimes in UTC, durations seconds, money US dollars as `Decimal`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from qtasks.backends.compatibility import Capabilities, together
from qtasks.costs.cost import Cost
from qtasks.errors import QTasksError, Unavailable

LOCAL_SIMULATOR = "local_simulator"


@dataclass(frozen=True, slots=True)
class Program:
    """One circuit with its options, as a stage hands it to a backend."""

    job_id: str
    qpy: bytes
    """The checked circuit, canonical QPY."""
    shots: int
    method: str = "automatic"
    """The simulation method asked for; `automatic` leaves it to the simulator."""
    compiled_for: str = "automatic"
    """The method whose target the circuit is compiled for: a stabilizer circuit may be wider than any state vector."""
    optimization_level: int = 1
    initial_layout: tuple[int, ...] | None = None
    seed_simulator: int | None = None
    seed_transpiler: int | None = None
    memory_limit: int = 0
    """Bytes that the simulation may take."""
    parallel: bool = False
    """Whether more than one thread would make it faster."""
    most_threads: int = 0
    """How many it may use at most; 0: as many as are free."""
    device: str = ""
    """The device to run on, or to model; empty where the backend has only one."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a program."""

    counts: Mapping[str, int]
    """Outcomes over the whole classical memory, in hexadecimal; bit 0 is clbit 0."""
    registers: Sequence[tuple[str, int]]
    num_clbits: int
    clbits: Sequence[Sequence[int]] | None
    """The classical memory's layout, as `results.SamplerPubResult` has it."""
    seed_simulator: int
    method: str
    depth: int
    gates: Mapping[str, int]
    two_qubit_gates: int
    transpile_seconds: float
    run_seconds: float
    """Wall time of the simulation; in a batch, this circuit's own."""
    threads: int
    device: str = ""
    """The device that was modelled; empty for a simulation of none."""
    runs: Sequence[Ran] = ()
    """Of a job of several circuits, what came of each; the fields above are then the first's, or those of all: the
    largest depth, and sums of gates and seconds."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """A circuit as a device takes it (an ISA circuit)."""

    device: str
    format: str
    """`qpy`, or `openqasm3` for providers that take text."""
    data: bytes
    """Of a job of several circuits one file of all, which says itself what the classical memory of each is; the fields
    below are then the first's, or those of all: the largest depth, and sums of gates."""
    calibration: str
    """Which calibration of the device it was compiled for: a digest, equal as long as the device is not calibrated
    anew. Empty for a simulator without one."""
    registers: Sequence[tuple[str, int]]
    num_clbits: int
    clbits: Sequence[Sequence[int]] | None
    depth: int
    gates: Mapping[str, int]
    two_qubit_gates: int
    seconds: float
    """What compiling took."""


@dataclass(frozen=True, slots=True)
class Order:
    """A compiled circuit with what the provider is told of it."""

    compiled: Compiled
    shots: int
    tag: str
    """Unique to job and attempt: by it the provider job is found again. At most 64 characters of [a-z0-9-]."""
    labels: tuple[str, ...] = ()
    """The user's labels, as `key:value`."""
    max_execution_seconds: int | None = None
    session: str | None = None
    """The provider's id of the session to run in."""
    seed_simulator: int | None = None


class ProviderState(StrEnum):
    """Where a provider job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"
    """The provider does not know it (any more)."""

    @property
    def final(self) -> bool:
        return self not in (ProviderState.QUEUED, ProviderState.RUNNING)


@dataclass(frozen=True, slots=True)
class ProviderJob:
    """What the provider says of one of its jobs; None is what it does not say."""

    id: str
    state: ProviderState
    tags: tuple[str, ...] = ()
    device: str | None = None
    created_at: datetime | None = None
    running_at: datetime | None = None
    finished_at: datetime | None = None
    quantum_seconds: float | None = None
    """What it used, or, before the end, is expected to use."""
    queue_position: int | None = None
    starts_at: datetime | None = None
    """When the provider expects it to start."""
    code: str = ""
    message: str = ""
    """Why it failed, in the provider's own words."""
    heals: bool = False
    """Of a failed one: whether another try may succeed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a provider job, checked for being complete."""

    counts: Mapping[str, int]
    """As `Ran.counts`."""
    registers: Sequence[tuple[str, int]]
    num_clbits: int
    clbits: Sequence[Sequence[int]] | None
    shots: int
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Plain JSON of the provider's own, such as execution spans."""
    runs: Sequence[Outcome] = ()
    """Of a job of several circuits each one's, in their order; the fields above are then the first's."""

    def each(self) -> Sequence[Outcome]:
        """The outcomes of all circuits; of a job of one circuit this one alone."""
        return self.runs or (self,)


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """How busy a device is."""

    available: bool
    pending_jobs: int | None = None
    wait_seconds: float | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Device:
    """A device that an account may use."""

    name: str
    qubits: int | None
    simulator: bool
    queue: QueueStatus


@dataclass(frozen=True, slots=True)
class Calibration:
    """A device's measured properties at some time."""

    id: str
    """Digest of `data`; equal calibrations have equal ids."""
    data: Mapping[str, Any]
    """Plain JSON in the provider's own form."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What the provider says is left of an account's quantum time."""

    limit_seconds: float | None
    used_seconds: float
    remaining_seconds: float | None
    since: datetime | None = None
    until: datetime | None = None


class BackendError(QTasksError):
    """A backend could not run a program."""

    reason = "ExecutionError"

    def __init__(self, message: str, *, heals: bool = False, **kwargs: Any) -> None:
        super().__init__(message, **kwargs)
        self.heals = heals
        """Whether trying again may help: only then does the job's retry policy apply."""


class ProviderUnavailable(Unavailable):
    """The provider did not answer as it should (network, 5xx): the request may have been carried out or not."""

    reason = "ProviderUnavailable"
    hint = "The job is kept, and goes on by itself when the provider answers again."


class Throttled(ProviderUnavailable):
    """The provider asks for patience (429): the request was not carried out."""

    reason = "ProviderThrottled"

    def __init__(self, message: str, *, retry_after: float | None = None, **kwargs: Any) -> None:
        super().__init__(message, **kwargs)
        self.retry_after = retry_after
        """Seconds that the provider asks to wait; None where it does not say."""


class CredentialsRefused(Unavailable):
    """The provider does not take the account's credentials, also after they were read and exchanged anew."""

    reason = "CredentialsRefused"
    hint = "Correct the account's secret; its jobs are kept and go on by themselves."


def refuse_together(programs: Sequence[Program], able: Capabilities) -> None:
    """Raises BackendError where a backend cannot run these programs as one job."""
    for problem in together(len(programs), able, alike=len({program.shots for program in programs}) == 1):
        raise BackendError(problem.message, reason=problem.reason, hint=problem.hint)


class Backend(Protocol):
    """One way to run circuits: the simulator of this process, or one account with a provider.

    Any method that asks a provider raises ProviderUnavailable, Throttled or CredentialsRefused, and BackendError for
    what is refused for good. No method blocks for longer than about twenty seconds, or repeats what costs money.
    """

    name: str
    """A `BackendType`."""

    def authenticate(self) -> None:
        """Make sure that the credentials are good."""
        ...

    def refresh_credentials(self) -> None:
        """Read the credentials again and forget every token made from them."""
        ...

    def devices(self) -> list[Device]:
        """The devices that may be used."""
        ...

    def capabilities(self, device: str) -> Capabilities: ...

    def queue_status(self, device: str) -> QueueStatus: ...

    def compile(self, program: Program, device: str) -> Compiled:
        """The ISA circuit of a program. Raises BackendError (`TranspilerError`, `NoSuchDevice`, …)."""
        ...

    def estimate_cost(self, compiled: Compiled, shots: int) -> Cost: ...

    def submit(self, order: Order) -> str:
        """Hand over a circuit; returns the provider's id of the job.

        After ProviderUnavailable it may exist nevertheless: look it up with `find` before submitting again.
        """
        ...

    def find(self, tag: str, *, since: datetime) -> list[ProviderJob]:
        """The provider jobs with this tag, made after `since`; the oldest first. At most one, if all went well."""
        ...

    def listing(self, *, since: datetime) -> Iterator[ProviderJob]:
        """Every job of qtasks that was made with this account after `since`."""
        ...

    def statuses(self, ids: Collection[str], *, since: datetime) -> dict[str, ProviderJob]:
        """Where these jobs stand, asked for in bulk; those that the provider does not know are LOST. `since`: no later
        than the oldest was made."""
        ...

    def result(self, provider_job_id: str) -> Outcome:
        """The result of a job that is DONE."""
        ...

    def cancel(self, provider_job_id: str) -> None:
        """Ask for a job to be cancelled; nothing happens when it is final."""
        ...

    def actual_cost(self, job: ProviderJob, shots: int) -> Cost:
        """What a final job cost."""
        ...


class LocalBackend(Backend, Protocol):
    """A backend that runs programs in this process, while the claim is held."""

    version: str

    def run(self, programs: Sequence[Program]) -> list[Ran | BackendError]:
        """Run `programs`, and answer for each in turn. Counts are those each would have had alone."""
        ...


class RemoteBackend(Backend, Protocol):
    """A backend at a provider, where a job goes on without this process."""

    idempotent: bool
    """Whether submitting twice under one tag makes one job."""

    def compile_all(self, programs: Sequence[Program], device: str) -> Compiled:
        """The ISA circuits of all runs of a job, as one order. Raises BackendError as `compile` does, and for what the
        provider does not take as one job (`OneCircuitPerTask`, `ShotsDiffer`)."""
        ...

    def allowance(self) -> Allowance | None:
        """What is left of the account's quantum time; None where the provider does not say."""
        ...

    def calibration(self, device: str, *, at: datetime | None = None) -> Calibration | None:
        """The device's calibration now, or at some time; None for what has none."""
        ...

    def open_session(self, device: str, *, mode: str, max_seconds: int | None) -> str:
        """Open a session (`dedicated` or `batch`); returns the provider's id. Raises BackendError
        (`SessionsUnsupported`)."""
        ...

    def session_open(self, session: str) -> bool:
        """Whether the provider still takes jobs in this session."""
        ...

    def close_session(self, session: str) -> None:
        """Close a session; nothing happens when it is closed."""
        ...
