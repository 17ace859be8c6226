"""What may be written in a job and does nothing where it runs, in this version: it is said, not passed over."""

from __future__ import annotations

from collections.abc import Iterator

from qtasks.resources import BackendType, JobSpec, OutputType
from qtasks.stages.batch import Item
from qtasks.stages.confinement import unmet

_WITH_CREDENTIALS = (OutputType.S3, OutputType.GCS)
_NOT_AT_A_PROVIDER = {
    "method": "execution.method",
    "memory_limit": "execution.memoryLimit",
    "seed_simulator": "execution.seedSimulator",
}
_PODS = {"resources": "spec.resources", "security_context": "spec.securityContext"}


def sentence(item: Item, *, provider: BackendType | None) -> str:
    """A sentence to go behind another, about a job that runs at `provider`, or on a simulator of ours; empty where
    everything has its effect."""
    idle = list(_idle(item, provider))
    return f" Without effect there, in this version: {', '.join(idle)}." if idle else ""


def _idle(item: Item, provider: BackendType | None) -> Iterator[str]:
    spec, execution = item.spec, item.spec.execution
    if provider is None:
        yield from _idle_here(spec)
        return
    yield from (path for name, path in _PODS.items() if name in spec.model_fields_set)
    yield from (path for name, path in _NOT_AT_A_PROVIDER.items() if name in execution.model_fields_set)
    if provider is BackendType.AWS_BRAKET and spec.session is not None:
        yield "spec.session"
    if provider is BackendType.AWS_BRAKET and execution.max_execution_time is not None:
        yield "execution.maxExecutionTime"


def _idle_here(spec: JobSpec) -> Iterator[str]:
    yield from _idle_of_pods(spec)
    if spec.session is not None:
        yield "spec.session"
    # An output without credentials of its own uses the job's.
    used = spec.output is not None and spec.output.type in _WITH_CREDENTIALS and spec.output.credentials is None
    if spec.credentials is not None and not used:
        yield "spec.credentials"


def _idle_of_pods(spec: JobSpec) -> Iterator[str]:
    if spec.security_context is not None:
        yield from (f"spec.{path}" for path in unmet(spec.security_context))
    for name in ("requests", "limits"):
        amounts = getattr(spec.resources, name, None)
        if amounts is not None and amounts.ephemeral_storage is not None:
            # Simulations write no files.
            yield f"spec.resources.{name}.ephemeral-storage"
