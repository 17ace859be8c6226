"""A result in a ConfigMap of a cluster, through the Kubernetes API."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from qtasks.cluster import Answer, Cluster, forbidden, is_there
from qtasks.errors import InvalidInput, NotFound, QTasksError
from qtasks.results.outputs.configmap import KEY, MAX_BYTES, check_names, too_large
from qtasks.results.outputs.protocol import Delivery
from qtasks.settings import Settings

_MANAGER = "qtasks"
_NOTES = "quantum.io/"
_MADE_FOR = f"{_NOTES}made-for"
"""Says of a ConfigMap that it was made for a job's result; never set on one that was there before."""
_REASON = "OutputUnavailable"


def in_cluster(settings: Settings) -> bool:
    """Whether ConfigMaps are those of a cluster: no folder was set for them, and there is a cluster."""
    return settings.configmaps_dir is None and is_there()


class ClusterConfigMapOutput:
    """An Output that sets the key `results` of the ConfigMap named by the output's `location`, and makes the ConfigMap
    where there is none.

    One merge patch names that key alone, so the server keeps all others, whoever writes them meanwhile. Bytes that are
    no text go into `binaryData`, as Kubernetes has it. What is made for the job of a QiskitJob is owned by that, and
    goes when it is deleted; a ConfigMap of somebody else's is nobody's to take with it.
    """

    def __init__(self, *, seconds: float) -> None:
        self._seconds = seconds

    def deliver(self, job: Delivery, rendered: bytes) -> str:
        """Write it, and give its name.

        Raises InvalidInput (`InvalidOutput`, `ConfigMapTooLarge`), NotFound (`NamespaceNotFound`), Forbidden
        (`OutputForbidden`) or Unavailable (`OutputUnavailable`).
        """
        check_names(job.namespace, job.location, "a ConfigMap")
        if len(rendered) > MAX_BYTES:
            raise too_large(job, len(rendered))
        change = {"metadata": {"annotations": _annotations(job)}, **_data(rendered)}
        with Cluster(seconds=self._seconds, reason=_REASON) as cluster:
            answer = _patch(cluster, job, change)
            if answer.status == 404:
                answer = _create(cluster, job, rendered)
                if answer.status == 409:  # somebody else has made it meanwhile
                    answer = _patch(cluster, job, change)
            if answer.status not in (200, 201):
                raise _refused(cluster, job, len(rendered), answer)
            owners = owned(job, answer.document)
            if owners is not None:
                answer = _patch(cluster, job, {"metadata": owners})
                if answer.status not in (200, 404):
                    raise _refused(cluster, job, len(rendered), answer)
        return f"ConfigMap {job.namespace}/{job.location}, key {KEY}"


def _patch(cluster: Cluster, job: Delivery, change: dict[str, Any]) -> Answer:
    merge = {"field_manager": _MANAGER, "_content_type": "application/merge-patch+json"}
    return cluster.ask("patch_namespaced_config_map", job.location, job.namespace, change, **merge)


def _create(cluster: Cluster, job: Delivery, rendered: bytes) -> Answer:
    data = {name: keys for name, values in _data(rendered).items() if (keys := _kept(values))}
    metadata: dict[str, Any] = {"name": job.location, "namespace": job.namespace, "annotations": _annotations(job)}
    if job.owner is not None:
        metadata["annotations"] |= {_MADE_FOR: job.job_id}
        metadata["ownerReferences"] = [job.owner.reference]
    new = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **data}
    return cluster.ask("create_namespaced_config_map", job.namespace, new, field_manager=_MANAGER)


def owned(job: Delivery, found: Mapping[str, Any]) -> dict[str, Any] | None:
    """What is to be changed in the metadata of a ConfigMap so that the job's owner is one of its owners; None for
    nothing.

    Only what was made for this job is given an owner, or has one more beside that of another job that it was made for:
    so a ConfigMap that others rely on goes with no job, and one of two jobs with the same output does not take the
    other's result along. An owner more never makes it go sooner.
    """
    metadata = found.get("metadata") or {}
    made_for = (metadata.get("annotations") or {}).get(_MADE_FOR)
    references = metadata.get("ownerReferences") or []
    if job.owner is None or made_for is None or job.owner.uid in [each.get("uid") for each in references]:
        return None
    if made_for != job.job_id and not any(each.get("kind") == job.owner.reference["kind"] for each in references):
        return None
    # The list is replaced as a whole: with the version, no owner that comes meanwhile is lost.
    return {"ownerReferences": [*references, job.owner.reference], "resourceVersion": metadata.get("resourceVersion")}


def _data(rendered: bytes) -> dict[str, dict[str, str | None]]:
    """The key, as text where it is text; not in the other of the two places at the same time, which is refused."""
    try:
        return {"data": {KEY: rendered.decode()}, "binaryData": {KEY: None}}
    except UnicodeDecodeError:
        return {"data": {KEY: None}, "binaryData": {KEY: base64.b64encode(rendered).decode()}}


def _kept(values: dict[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in values.items() if value is not None}


def _annotations(job: Delivery) -> dict[str, str]:
    return {f"{_NOTES}job-id": job.job_id, f"{_NOTES}job": job.name, f"{_NOTES}format": job.format}


def _refused(cluster: Cluster, job: Delivery, size: int, answer: Answer) -> QTasksError:
    shown, status, message = f"ConfigMap {job.namespace}/{job.location}", answer.status, answer.message
    if status in (401, 403):
        verbs = ("create", "patch")
        return forbidden(status, "write", shown, verbs=verbs, kinds="configmaps", reason="OutputForbidden")
    if status == 404:
        return NotFound(
            f"There is no namespace {job.namespace} in the cluster.",
            reason="NamespaceNotFound",
            hint="Namespaces of qtasks are those of the cluster: create it there.",
        )
    if status == 413 or "must have at most" in message or "too large" in message:
        return too_large(job, size)
    if status == 422 and "immutable" in message:
        return InvalidInput(f"{shown} is immutable.", reason="InvalidOutput", hint="Name another in output.location.")
    if 400 <= status < 500 and status not in (408, 409, 429):
        return InvalidInput(f"The cluster does not take {shown} (HTTP {status}).", reason="InvalidOutput")
    return cluster.unavailable(f"it answers HTTP {status}")
