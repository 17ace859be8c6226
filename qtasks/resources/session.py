"""`QiskitSession`: several jobs that share one reservation of a provider."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from qtasks.resources.backend import JobBackend
from qtasks.resources.metadata import Credentials
from qtasks.resources.model import Model, PositiveDuration
from qtasks.resources.names import Name
from qtasks.resources.resource import Resource


class SessionMode(StrEnum):
    """How the provider schedules the jobs of a session."""

    DEDICATED = "dedicated"
    BATCH = "batch"


class JobSession(Model):
    """The session that a job belongs to; jobs that name the same one share it."""

    name: Name
    """Name of the session in the job's namespace."""
    max_time: PositiveDuration | None = None
    """Longest time it stays open from the start of its first job, in seconds or as a duration; an hour when absent."""
    mode: SessionMode | None = None
    """How its jobs are scheduled; the QiskitSession's own, or else dedicated, when absent."""


class SessionSpec(Model):
    """A reservation that jobs share."""

    backend: JobBackend
    """Where its jobs run."""
    max_time: PositiveDuration | None = None
    """Longest time it stays open from the start of its first job, in seconds or as a duration; an hour when absent."""
    mode: SessionMode = SessionMode.DEDICATED
    """How its jobs are scheduled."""
    credentials: Credentials | None = None
    """Where its credentials lie; the account's own when absent."""


class QiskitSession(Resource):
    """Several jobs that share one reservation of a provider."""

    kind: Literal["QiskitSession"] = "QiskitSession"
    """Kind of resource."""
    spec: SessionSpec
    """The reservation."""
