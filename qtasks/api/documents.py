"""What is answered, as the OpenAPI document describes it. Nothing is checked against it but by the tests."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from qtasks.lifecycle import Phase


class _Document(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True, populate_by_name=True)


class Problem(_Document):
    """An error (RFC 9457)."""

    type: str
    """`urn:qtasks:` and the class of error: InvalidInput, Conflict, Forbidden, NotFound, JobFailed, Unavailable, …"""
    title: str
    status: int
    detail: str
    """What is wrong, in a sentence."""
    reason: str
    """The code of what is wrong, the same on every way to the queue and in every release."""
    hint: str
    """What to do about it; may be empty."""
    details: dict[str, Any]
    """For programs."""
    instance: str
    """The path that was asked for."""


class Metadata(_Document):
    """What something is called."""

    name: str
    namespace: str = "default"
    uid: str | None = None
    model_config = ConfigDict(extra="allow")


class SubmittedStatus(_Document):
    phase: Phase


class SubmittedMetadata(_Document):
    name: str
    namespace: str
    uid: str
    """The job's id."""


class SubmittedJob(_Document):
    """A job that is in the database, and cannot be lost."""

    api_version: str = Field(alias="apiVersion")
    kind: Literal["QiskitJob"]
    metadata: SubmittedMetadata
    status: SubmittedStatus
    created: bool
    """Whether this request made it; false when its name or idempotency key was there already."""


class SubmittedList(_Document):
    """The jobs of a List, in its order."""

    api_version: str = Field(alias="apiVersion")
    kind: Literal["List"]
    items: list[SubmittedJob]


class JobStatus(_Document):
    """How a job stands; what is not known yet is left out."""

    phase: Phase
    reason: str | None = None
    message: str | None = None
    attempt: int
    cost: Any = None
    conditions: list[dict[str, Any]]
    counts: dict[str, Any] | None = None
    model_config = ConfigDict(extra="allow")


class Job(_Document):
    """A job, in the form of a Kubernetes resource."""

    api_version: str = Field(alias="apiVersion")
    kind: Literal["QiskitJob"]
    metadata: SubmittedMetadata
    spec: dict[str, Any]
    status: JobStatus


class ListMetadata(_Document):
    next: str = Field(alias="continue")
    """The `cursor` of the next page; empty on the last."""


class JobList(_Document):
    """Jobs, the newest first, without their circuits."""

    api_version: Literal["v1"] = Field(alias="apiVersion")
    kind: Literal["List"]
    metadata: ListMetadata
    items: list[Job]


class Items(_Document):
    """A list of documents."""

    items: list[dict[str, Any]]


class Sentences(_Document):
    items: list[str]


class KeptList(_Document):
    """Documents in the form of Kubernetes resources."""

    api_version: Literal["v1"] = Field(alias="apiVersion")
    kind: Literal["List"]
    items: list[dict[str, Any]]


class Kept(_Document):
    """A budget or a session, in the form of a Kubernetes resource."""

    api_version: str = Field(alias="apiVersion")
    kind: str
    metadata: dict[str, Any]
    spec: dict[str, Any]
    status: dict[str, Any] | None = None


class Deleted(_Document):
    """What it was; empty of a backend."""

    model_config = ConfigDict(extra="allow")


class Applied(_Document):
    """What became of a document."""

    api_version: str = Field(alias="apiVersion")
    kind: str
    metadata: dict[str, Any]
    result: Literal["created", "unchanged", "configured"]


class Result(_Document):
    """A result; of several circuits `pubs` has the counts of each, of an estimator evs and stds stand for counts."""

    job_id: str
    counts: Any = None
    """By outcome, Qiskit's keys: the last classical bit comes first. Of an array of parameters, those of each point."""
    shots: Any = None
    metrics: dict[str, Any]
    provenance: dict[str, Any]
    model_config = ConfigDict(extra="allow")


class Event(_Document):
    """What happened to a job."""

    id: int
    time: str
    type: Literal["Normal", "Warning"]
    reason: str
    message: str
    attempt: int
    source: str | None


class Events(_Document):
    items: list[Event]


class Cancelled(_Document):
    cancelled: bool
    """False when the job was final already."""
    phase: Phase


class Asked(_Document):
    uid: str
    """The job that it was about."""


class CancelledMany(_Document):
    cancelled: list[str]
    """Those that this ended."""


class Phases(_Document):
    phases: dict[str, Phase]


class Queues(_Document):
    queues: dict[str, dict[str, Any]]
    """`status.queue` of those that wait, by id."""


class Collected(_Document):
    """What became of each, null where there is no such job."""

    items: list[dict[str, Any] | None]


class Looked(_Document):
    """What came of asking pollers to look."""

    unanswered: list[str]
    """The accounts that no poller has looked at in time."""
    trouble: dict[str, dict[str, str]]
    """`reason` and `message` of accounts whose provider did not answer as it should."""


class Caller(_Document):
    """Who asks."""

    name: str
    principal: bool
    """False for the user of an embedded or a fresh installation, who may do everything."""
    bindings: list[dict[str, Any]]


class Alive(_Document):
    status: Literal["ok"]


class Ready(_Document):
    status: Literal["ok"]
    checks: dict[str, str]


class Explanation(_Document):
    """Every device with its scores, price and wait, the chosen one first."""

    model_config = ConfigDict(extra="allow")


class Accuracy(_Document):
    """How wrong past estimates of starts were; medians in seconds, null without any."""

    jobs: int
    model_config = ConfigDict(extra="allow")
