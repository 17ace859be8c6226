"""Where circuits run: the backend a job names, how one is chosen for it, and `QiskitBackend`, a registered device."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import model_validator

from qtasks.resources.metadata import Credentials
from qtasks.resources.model import Flag, Model, PositiveDuration, Range, Share, Weight
from qtasks.resources.names import Line, Name
from qtasks.resources.problems import refuse
from qtasks.resources.resource import Resource


class BackendType(StrEnum):
    """Where a circuit can run."""

    LOCAL_SIMULATOR = "local_simulator"
    IBM_SIMULATOR = "ibm_simulator"
    IBM_QUANTUM = "ibm_quantum"
    AWS_BRAKET = "aws_braket"


class JobBackend(Model):
    """Where a job or a session runs."""

    type: BackendType = BackendType.LOCAL_SIMULATOR
    """Kind of backend."""
    name: Line | None = None
    """Name of the device (for aws_braket its ARN); chosen automatically when absent."""
    instance: Line | None = None
    """CRN of the IBM Quantum instance; the account's own when absent."""
    account: Name | None = None
    """Account to run under; the one with most allowance left when absent."""


class Preset(StrEnum):
    """Weights by name."""

    COST_OPTIMIZED = "cost-optimized"
    PERFORMANCE_OPTIMIZED = "performance-optimized"
    BALANCED = "balanced"


class Weights(Model):
    """How much each score counts; only their ratios matter."""

    cost: Weight = 0
    """Weight of a low price."""
    queue_time: Weight = 0
    """Weight of a short wait."""
    capability: Weight = 0
    """Weight of how well the device suits the circuit."""
    availability: Weight = 0
    """Weight of the device being in service."""

    @model_validator(mode="after")
    def _some_count(self) -> Self:
        if not any((self.cost, self.queue_time, self.capability, self.availability)):
            refuse("", None, "at least one weight must be more than zero")
        return self


# The figures of the seed document.
PRESETS = {
    Preset.COST_OPTIMIZED: Weights(cost=0.70, queue_time=0.20, capability=0.05, availability=0.05),
    Preset.PERFORMANCE_OPTIMIZED: Weights(cost=0.05, queue_time=0.05, capability=0.70, availability=0.20),
    Preset.BALANCED: Weights(cost=0.25, queue_time=0.25, capability=0.25, availability=0.25),
}


class Requirements(Model):
    """What a backend must offer to be considered."""

    min_qubits: Annotated[int, Range(1)] | None = None
    """Least number of qubits."""
    max_error: Share | None = None
    """Largest mean gate error, 0 to 1."""
    max_queue_time: PositiveDuration | None = None
    """Longest acceptable wait in the provider's queue, in seconds or as a duration."""


class BackendSelection(Model):
    """How a backend is chosen when the job names none."""

    preset: Preset | None = None
    """Weights by name, instead of `weights`."""
    weights: Weights | None = None
    """How much each score counts; the balanced preset when neither is given."""
    fallback_to_simulator: Flag = False
    """Whether the local simulator is used when no backend qualifies."""
    requirements: Requirements | None = None
    """What a backend must offer to be considered."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.preset is not None and self.weights is not None:
            refuse("preset", self.preset, "give either preset or weights, not both")
        return self

    @property
    def effective_weights(self) -> Weights:
        """The weights to score with: those given, or the preset's."""
        return self.weights or PRESETS[self.preset or Preset.BALANCED]


Qubit = Annotated[int, Range(0)]


class Capabilities(Model):
    """What a device can do; what is absent is asked of the provider."""

    num_qubits: Annotated[int, Range(1)] | None = None
    """Number of qubits."""
    basis_gates: tuple[Line, ...] | None = None
    """Names of the native gates, as Qiskit calls them."""
    coupling_map: tuple[tuple[Qubit, Qubit], ...] | None = None
    """Pairs of qubits that a two-qubit gate can act on; all pairs when absent."""
    max_shots: Annotated[int, Range(1)] | None = None
    """Most shots in one job."""
    simulator: Flag = False
    """Whether the device is a simulator."""
    dynamic_circuits: Flag = False
    """Whether it runs mid-circuit measurement and control flow."""
    mean_error: Share | None = None
    """Mean two-qubit gate error, 0 to 1."""

    @model_validator(mode="after")
    def _couples_its_own(self) -> Self:
        for pair in self.coupling_map or ():
            if pair[0] == pair[1] or max(pair) >= (self.num_qubits or max(pair) + 1):
                refuse("couplingMap", str(list(pair)), f"{list(pair)} is not a pair of two of the device's qubits")
        return self


class BackendSpec(Model):
    """A device that jobs may be sent to."""

    type: BackendType
    """Kind of backend."""
    name: Line | None = None
    """The provider's name of the device (for aws_braket its ARN); metadata.name when absent."""
    instance: Line | None = None
    """CRN of the IBM Quantum instance; the account's own when absent."""
    account: Name | None = None
    """Account to run under; any that may when absent."""
    credentials: Credentials | None = None
    """Where its credentials lie; the account's own when absent."""
    capabilities: Capabilities | None = None
    """What the device can do; asked of the provider when absent."""


class QiskitBackend(Resource):
    """A device that was registered by hand."""

    kind: Literal["QiskitBackend"] = "QiskitBackend"
    """Kind of resource."""
    spec: BackendSpec
    """The device."""
