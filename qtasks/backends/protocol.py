"""What every backend offers, and the plain data that goes in and comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from qtasks.errors import QTasksError

LOCAL_SIMULATOR = "local_simulator"


@dataclass(frozen=True, slots=True)
class Program:
    """One circuit with its options, as a stage hands it to a backend."""

    job_id: str
    qpy: bytes
    """The checked circuit, canonical QPY."""
    shots: int
    method: str
    """The simulation method asked for; `automatic` leaves it to the simulator."""
    compiled_for: str
    """The method whose target the circuit is compiled for: a stabilizer circuit may be wider than any state vector."""
    optimization_level: int
    initial_layout: tuple[int, ...] | None = None
    seed_simulator: int | None = None
    seed_transpiler: int | None = None
    memory_limit: int = 0
    """Bytes that the simulation may take."""
    parallel: bool = False
    """Whether more than one thread would make it faster."""


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


class BackendError(QTasksError):
    """A backend could not run a program."""

    reason = "ExecutionError"

    def __init__(self, message: str, *, heals: bool = False, **kwargs: Any) -> None:
        super().__init__(message, **kwargs)
        self.heals = heals
        """Whether trying again may help: only then does the job's retry policy apply."""


class LocalBackend(Protocol):
    """A backend that runs programs in this process, while the claim is held."""

    name: str
    version: str

    def run(self, programs: Sequence[Program]) -> list[Ran | BackendError]:
        """Run `programs`, and answer for each in turn. Counts are those each would have had alone."""
        ...
