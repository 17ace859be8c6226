"""Where a user wants a copy of a result: one protocol, one member per `output.type`; `deliver` picks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from qtasks.errors import InvalidInput
from qtasks.results.formats import render
from qtasks.results.model import JobResult
from qtasks.results.outputs.configmap import ConfigMapOutput
from qtasks.results.outputs.protocol import Delivery, Output
from qtasks.settings import Settings

__all__ = ["OUTPUTS", "Delivery", "Output", "OutputSpec", "deliver"]

OUTPUTS: dict[str, Callable[[Settings], Output]] = {
    "configmap": lambda settings: ConfigMapOutput(settings.configmaps),
}


class OutputSpec(Protocol):
    """What is read of a job's `spec.output`."""

    @property
    def type(self) -> str: ...
    @property
    def location(self) -> str | None: ...
    @property
    def format(self) -> str | None: ...


def deliver(output_spec: OutputSpec, namespace: str, result: JobResult, settings: Settings) -> str:
    """Put a copy of the result where the job's `output` says, and say where that is. May be repeated.

    Raises InvalidInput (`OutputUnsupported`, `FormatUnsupported`, `InvalidOutput`, `ConfigMapTooLarge`), Forbidden
    (`OutputForbidden`) or Unavailable (`OutputUnavailable`); none of them changes the job's phase.
    """
    kind = str(output_spec.type)
    if kind not in OUTPUTS:
        raise InvalidInput(
            f"This version of qtasks delivers results to {', '.join(sorted(OUTPUTS))} only, not to {kind}.",
            reason="OutputUnsupported",
            hint=f"The queue keeps its own copy: qtasks results {result.job_id}",
        )
    rendered = render(result, str(output_spec.format or "json"))
    delivery = Delivery(namespace, result.job_id, output_spec.location or "")
    return OUTPUTS[kind](settings).deliver(delivery, rendered)
