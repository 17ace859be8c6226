"""The four kinds that a user writes, as pydantic models: reading, checking and writing them."""

from qtasks.resources.backend import (
    PRESETS,
    BackendSelection,
    BackendSpec,
    BackendType,
    Capabilities,
    JobBackend,
    Preset,
    QiskitBackend,
    Requirements,
    Weights,
)
from qtasks.resources.budget import BudgetSpec, JobBudget, Period, QiskitBudget
from qtasks.resources.circuit import Circuit, CircuitFormat, CircuitSource, ConfigMapRef, GitRef
from qtasks.resources.execution import Execution, Method, Priority, Reuse
from qtasks.resources.job import Backoff, JobSpec, Program, QiskitJob, RetryPolicy, Timeouts
from qtasks.resources.loading import KINDS, dump, load, load_text, parse, to_yaml
from qtasks.resources.metadata import Credentials, Metadata, SecretRef
from qtasks.resources.output import Output, OutputFormat, OutputType
from qtasks.resources.pod import ResourceList, ResourceRequirements, SecurityContext
from qtasks.resources.problems import Problem
from qtasks.resources.quantities import Duration, Money, Quantity
from qtasks.resources.resource import Resource
from qtasks.resources.session import JobSession, QiskitSession, SessionMode, SessionSpec

__all__ = [
    "KINDS",
    "PRESETS",
    "BackendSelection",
    "BackendSpec",
    "BackendType",
    "Backoff",
    "BudgetSpec",
    "Capabilities",
    "Circuit",
    "CircuitFormat",
    "CircuitSource",
    "ConfigMapRef",
    "Credentials",
    "Duration",
    "Execution",
    "GitRef",
    "JobBackend",
    "JobBudget",
    "JobSession",
    "JobSpec",
    "Metadata",
    "Method",
    "Money",
    "Output",
    "OutputFormat",
    "OutputType",
    "Period",
    "Preset",
    "Priority",
    "Problem",
    "Program",
    "QiskitBackend",
    "QiskitBudget",
    "QiskitJob",
    "QiskitSession",
    "Quantity",
    "Requirements",
    "Resource",
    "ResourceList",
    "ResourceRequirements",
    "RetryPolicy",
    "Reuse",
    "SecretRef",
    "SecurityContext",
    "SessionMode",
    "SessionSpec",
    "Timeouts",
    "Weights",
    "dump",
    "load",
    "load_text",
    "parse",
    "to_yaml",
]
