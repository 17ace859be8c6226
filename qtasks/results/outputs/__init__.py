"""Where a user wants a copy of a result: one protocol, one member per `output.type`; `deliver` picks."""

from __future__ import annotations

from collections.abc import Callable

from qtasks.errors import InvalidInput
from qtasks.results.outputs.protocol import Answer, Ask, Delivery, Means, Output, Question

__all__ = ["OUTPUTS", "Answer", "Ask", "Delivery", "Means", "Output", "Question", "deliver"]


def _configmap(means: Means, _template: str) -> Output:
    from qtasks.results.outputs.cluster import ClusterConfigMapOutput, in_cluster
    from qtasks.results.outputs.configmap import ConfigMapOutput

    if in_cluster(means.settings):
        return ClusterConfigMapOutput(seconds=means.seconds)
    return ConfigMapOutput(means.settings.configmaps)


def _pvc(means: Means, _template: str) -> Output:
    from qtasks.results.outputs.pvc import VolumeOutput

    return VolumeOutput(means.settings.volumes, make_claims=means.settings.volumes_dir is None)


def _s3(means: Means, template: str) -> Output:
    from qtasks.results.outputs.s3 import S3Output

    return S3Output(means, template)


def _gcs(means: Means, template: str) -> Output:
    from qtasks.results.outputs.gcs import GCSOutput

    return GCSOutput(means, template)


OUTPUTS: dict[str, Callable[[Means, str], Output]] = {"configmap": _configmap, "pvc": _pvc, "s3": _s3, "gcs": _gcs}


def deliver(kind: str, job: Delivery, rendered: bytes, means: Means) -> str:
    """Put a copy of a rendered result where the job's `output` of type `kind` says, and say where that is. `job` has
    location and path as they were written, with their fields. May be repeated.

    Raises Unavailable for what may heal, and InvalidInput, NotFound or Forbidden for what does not; none of them
    changes the job's phase, and none says anything that is secret.
    """
    if kind not in OUTPUTS:
        raise InvalidInput(
            f"There is no output of type {kind[:40]!r}.", reason="InvalidOutput", hint=f"Use {', '.join(OUTPUTS)}."
        )
    from qtasks.results.outputs.places import filled

    return OUTPUTS[kind](means, job.location).deliver(filled(job), rendered)
