"""`QiskitJob`: one circuit to run."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from qtasks.resources.backend import BackendSelection, JobBackend
from qtasks.resources.budget import JobBudget
from qtasks.resources.circuit import Circuit, CircuitFormat
from qtasks.resources.execution import Execution
from qtasks.resources.metadata import Credentials
from qtasks.resources.model import Flag, Model, Number, PositiveDuration, Range
from qtasks.resources.names import Url
from qtasks.resources.output import Output
from qtasks.resources.pod import ResourceRequirements, SecurityContext
from qtasks.resources.problems import refuse
from qtasks.resources.quantities import Duration
from qtasks.resources.resource import Resource
from qtasks.resources.session import JobSession


class Program(StrEnum):
    """Which Qiskit primitive runs the circuit."""

    SAMPLER = "sampler"
    ESTIMATOR = "estimator"


class Backoff(Model):
    """How long to wait before a retry."""

    initial: Duration = Duration("30s")
    """Wait before the first retry, in seconds or as a duration."""
    maximum: Duration = Duration("300s")
    """Longest wait, in seconds or as a duration."""
    multiplier: Annotated[Number, Range(1)] = 2
    """Factor by which each wait is longer than the one before."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.initial > self.maximum:
            refuse("initial", self.initial.written, f"{self.initial} is more than backoff.maximum, {self.maximum}")
        return self


class RetryPolicy(Model):
    """How often what may heal is tried again; what cannot heal never is."""

    max_retries: Annotated[int, Range(0, 100)] = 3
    """Most retries after the first attempt."""
    backoff: Backoff = Backoff()
    """How long to wait before a retry."""


class Timeouts(Model):
    """How long each part of a job may take."""

    validation: PositiveDuration = Duration("60s")
    """Longest time for validation, in seconds or as a duration."""
    execution: PositiveDuration | None = None
    """Longest time for execution, in seconds or as a duration; no limit when absent."""
    total: PositiveDuration | None = None
    """Longest time from submit to the end, in seconds or as a duration; no limit when absent."""


class JobSpec(Model):
    """What is to be run, where and how."""

    backend: JobBackend = JobBackend()
    """Where the job runs."""
    circuit: Circuit
    """What is run."""
    program: Program = Program.SAMPLER
    """Which Qiskit primitive runs it."""
    execution: Execution = Field(default_factory=Execution)
    """How it is executed."""
    session: JobSession | None = None
    """The session that the job belongs to."""
    budget: JobBudget | None = None
    """What the job may cost."""
    output: Output | None = None
    """Where a copy of the result is written; the queue keeps its own anyway."""
    webhook: Url | None = None
    """Address that is told of the job's end, by a POST of JSON."""
    resources: ResourceRequirements | None = None
    """What the executor needs, and what it may take at most."""
    credentials: Credentials | None = None
    """Where the credentials of backend and output lie; the account's own when absent."""
    backend_selection: BackendSelection | None = None
    """How a backend is chosen when the job names none."""
    retry_policy: RetryPolicy = RetryPolicy()
    """How often what may heal is tried again."""
    timeouts: Timeouts = Timeouts()
    """How long each part of the job may take."""
    security_context: SecurityContext | None = None
    """How far the executor is confined."""
    ttl_after_finished: Duration | None = None
    """How long job and result are kept after the end, in seconds or as a duration; at most what is the namespace's own
    (`retention` in QTASKS_CONFIG), which counts when absent."""
    debug: Flag = False
    """Whether detailed logs are kept."""

    @model_validator(mode="after")
    def _values_once(self) -> Self:
        if self.circuit.format is CircuitFormat.PUBS and self.execution.parameters:
            refuse(
                "execution", None, "parameters belong to one circuit; with circuit.format pubs each PUB has its values"
            )
        return self


class QiskitJob(Resource):
    """One circuit to run."""

    kind: Literal["QiskitJob"] = "QiskitJob"
    """Kind of resource."""
    spec: JobSpec
    """What is to be run, where and how."""
