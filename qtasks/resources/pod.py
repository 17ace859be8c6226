"""What a job asks of the pod that runs it: resources and security."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from qtasks.resources.model import Flag, Model, PositiveQuantity, Range, Text
from qtasks.resources.problems import refuse


class ResourceList(Model):
    """Amounts of CPU, memory and storage."""

    cpu: PositiveQuantity | None = None
    """CPU in cores ("2", "500m")."""
    memory: PositiveQuantity | None = None
    """Memory in bytes ("8Gi")."""
    ephemeral_storage: Annotated[PositiveQuantity | None, Field(alias="ephemeral-storage")] = None
    """Local storage in bytes ("10Gi")."""


class ResourceRequirements(Model):
    """What the executor needs, and what it may take at most."""

    requests: ResourceList | None = None
    """What must be free for the job to start."""
    limits: ResourceList | None = None
    """What the job may take at most."""

    @property
    def memory(self) -> int:
        """Bytes that must be free for the job to start."""
        asked = self.requests.memory if self.requests is not None else None
        return asked.bytes if asked is not None else 0

    @property
    def cores(self) -> float:
        """Cores that must be there for the job to start."""
        asked = self.requests.cpu if self.requests is not None else None
        return asked.cores if asked is not None else 0.0

    @property
    def most_memory(self) -> int | None:
        """Bytes that the job may take at most."""
        limit = self.limits.memory if self.limits is not None else None
        return limit.bytes if limit is not None else None

    @property
    def most_cores(self) -> float | None:
        """Cores that the job may take at most."""
        limit = self.limits.cpu if self.limits is not None else None
        return limit.cores if limit is not None else None

    @model_validator(mode="after")
    def _within_limits(self) -> Self:
        if self.requests is not None and self.limits is not None:
            for key, field in ResourceList.model_fields.items():
                request, limit = getattr(self.requests, key), getattr(self.limits, key)
                if request is not None and limit is not None and request > limit:
                    refuse(f"requests.{field.alias}", request.written, f"{request} is more than the limit, {limit}")
        return self


class SeccompProfileType(StrEnum):
    """Seccomp profiles that an executor can have; unconfined is not one of them."""

    RUNTIME_DEFAULT = "RuntimeDefault"


class SeccompProfile(Model):
    """The filter of system calls."""

    type: SeccompProfileType
    """Which profile."""


Capability = Annotated[str, Text(r"^[A-Z][A-Z0-9_]*$", 63, "a capability in capital letters, or ALL")]


class PodCapabilities(Model):
    """Linux capabilities of the executor."""

    drop: tuple[Capability, ...] = ()
    """Capabilities to give up; ALL for every one."""


UserId = Annotated[int, Range(0, 2**31 - 1)]


class SecurityContext(Model):
    """How far the executor is confined; never less than the worker's own confinement."""

    run_as_non_root: Flag | None = None
    """Whether a root user is refused."""
    run_as_user: UserId | None = None
    """User id of the executor."""
    fs_group: UserId | None = None
    """Group id that owns its volumes."""
    seccomp_profile: SeccompProfile | None = None
    """The filter of system calls."""
    capabilities: PodCapabilities | None = None
    """Linux capabilities."""

    @model_validator(mode="after")
    def _not_both(self) -> Self:
        if self.run_as_non_root and self.run_as_user == 0:
            refuse("runAsUser", 0, "0 is root, which runAsNonRoot refuses")
        return self
