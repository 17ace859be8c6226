"""How a circuit is executed: shots, optimization, priority, simulation."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from qtasks.resources.model import Model, Number, PositiveDuration, PositiveQuantity, Range, Seed
from qtasks.resources.names import Line


class Priority(StrEnum):
    """How urgent a job is, the least urgent first."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"

    @property
    def level(self) -> int:
        """The priority as the broker and the tables have it: 0, 3, 6 or 9, the most urgent lowest."""
        return {"urgent": 0, "high": 3, "normal": 6, "low": 9}[self.value]


class Method(StrEnum):
    """Aer's simulation methods that give counts and need no GPU."""

    AUTOMATIC = "automatic"
    STATEVECTOR = "statevector"
    DENSITY_MATRIX = "density_matrix"
    STABILIZER = "stabilizer"
    MATRIX_PRODUCT_STATE = "matrix_product_state"
    EXTENDED_STABILIZER = "extended_stabilizer"


class Reuse(StrEnum):
    """Whether a stored result may answer a job."""

    NEVER = "never"
    IDENTICAL = "identical"


def _distinct(qubits: tuple[int, ...]) -> tuple[int, ...]:
    if not qubits or len(set(qubits)) < len(qubits):
        raise PydanticCustomError("not_allowed", "{allowed}", {"allowed": "distinct physical qubits, at least one"})
    return qubits


Shots = Annotated[int, Range(1, 100_000)]
Layout = Annotated[tuple[Annotated[int, Range(0)], ...], AfterValidator(_distinct)]


class Execution(Model):
    """How the circuit is executed."""

    shots: Shots = 1024
    """Number of times the circuit is executed, 1 to 100000."""
    optimization_level: Annotated[int, Range(0, 3)] = 1
    """The transpiler's optimization, from 0 (none) to 3 (heavy)."""
    priority: Priority = Priority.NORMAL
    """Which jobs go first; urgent needs a right of its own."""
    seed_simulator: Seed | None = None
    """Seed of the simulator's random numbers; made and recorded when absent."""
    seed_transpiler: Seed | None = None
    """Seed of the transpiler's random numbers; the transpiler draws its own when absent."""
    initial_layout: Layout | None = None
    """Physical qubit of each qubit of the circuit, in order; chosen by the transpiler when absent."""
    memory_limit: PositiveQuantity | None = None
    """Most memory that the simulation may take, in bytes ("8Gi"); the worker's own limit when absent."""
    method: Method = Method.AUTOMATIC
    """Simulation method of Aer."""
    max_execution_time: PositiveDuration | None = None
    """Most quantum time that the provider may use, in seconds or as a duration; the provider's limit when absent."""
    parameters: dict[Line, Number] = Field(default_factory=dict)
    """Values that the circuit's parameters are bound to, by name."""
    reuse: Reuse = Reuse.NEVER
    """With identical, the stored result of the same circuit, backend, options and seed is returned if there is one."""
