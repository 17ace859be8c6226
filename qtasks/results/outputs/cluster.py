"""A result in a ConfigMap of a cluster, through the Kubernetes API."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

from qtasks.errors import Forbidden, InvalidInput, NotFound, QTasksError, Unavailable
from qtasks.results.outputs.configmap import KEY, MAX_BYTES, check_names, too_large
from qtasks.results.outputs.protocol import Delivery
from qtasks.settings import Settings

_CONNECT_SECONDS = 3.0
_MANAGER = "qtasks"
_NOTES = "quantum.io/"
_ANSWER_BYTES = 2**16


def in_cluster(settings: Settings) -> bool:
    """Whether ConfigMaps are those of a cluster: no folder was set for them, and there is a cluster."""
    return settings.configmaps_dir is None and bool(_kubeconfig() or "KUBERNETES_SERVICE_HOST" in os.environ)


class ClusterConfigMapOutput:
    """An Output that sets the key `results` of the ConfigMap named by the output's `location`, and makes the ConfigMap
    where there is none.

    One merge patch names that key alone, so the server keeps all others, whoever writes them meanwhile. Bytes that are
    no text go into `binaryData`, as Kubernetes has it.
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
        api = _api()
        change = {"metadata": {"annotations": _annotations(job)}, **_data(rendered)}
        status, body = self._patch(api, job, change)
        if status == 404:
            status, body = self._create(api, job, rendered)
            if status == 409:  # somebody else has made it meanwhile
                status, body = self._patch(api, job, change)
        if status not in (200, 201):
            raise _refused(job, len(rendered), status, body)
        return f"ConfigMap {job.namespace}/{job.location}, key {KEY}"

    def _patch(self, api: Any, job: Delivery, change: dict[str, Any]) -> tuple[int, str]:
        return self._ask(
            api.patch_namespaced_config_map,
            job.location,
            job.namespace,
            change,
            _content_type="application/merge-patch+json",
        )

    def _create(self, api: Any, job: Delivery, rendered: bytes) -> tuple[int, str]:
        data = {name: keys for name, values in _data(rendered).items() if (keys := _kept(values))}
        metadata = {"name": job.location, "namespace": job.namespace, "annotations": _annotations(job)}
        new = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **data}
        return self._ask(api.create_namespaced_config_map, job.namespace, new)

    def _ask(self, call: Any, *arguments: Any, **options: Any) -> tuple[int, str]:
        """Status and message of what the server says."""
        from kubernetes import client
        from urllib3.exceptions import HTTPError

        timeout = (min(_CONNECT_SECONDS, self._seconds), self._seconds)
        try:
            response = call(
                *arguments, field_manager=_MANAGER, _preload_content=False, _request_timeout=timeout, **options
            )
            return int(response.status), _message(response.read(_ANSWER_BYTES))
        except client.ApiException as error:
            return int(error.status or 0), _message(error.body)
        except HTTPError as error:
            raise _unavailable(f"it does not answer as expected ({type(error).__name__})") from None


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


def _message(body: Any) -> str:
    try:
        return str(json.loads(body or b"{}").get("message", ""))
    except (ValueError, AttributeError, RecursionError):
        return ""


def _refused(job: Delivery, size: int, status: int, message: str) -> QTasksError:
    shown = f"ConfigMap {job.namespace}/{job.location}"
    if status in (401, 403):
        return Forbidden(
            f"qtasks may not write {shown} (HTTP {status}).",
            reason="OutputForbidden",
            hint="Let its service account `create` and `patch` configmaps in that namespace.",
        )
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
    return _unavailable(f"it answers HTTP {status}")


def _api() -> Any:
    from kubernetes import client, config

    try:
        configuration = client.Configuration()
        path = _kubeconfig()
        if path:
            config.load_kube_config(path, client_configuration=configuration)
        else:
            config.load_incluster_config(client_configuration=configuration)
    except Exception as error:  # the client raises what its parsers do, for a kubeconfig that it cannot read
        raise _unavailable(f"the cluster's configuration cannot be read ({type(error).__name__})") from None
    configuration.retries = False
    return client.CoreV1Api(client.ApiClient(configuration))


def _kubeconfig() -> str:
    """The kubeconfig files; empty when there are none, or the pod's own account is to be used."""
    if named := os.environ.get("KUBECONFIG"):
        return named
    own = Path("~/.kube/config").expanduser()
    return str(own) if "KUBERNETES_SERVICE_HOST" not in os.environ and own.is_file() else ""


def _unavailable(why: str) -> Unavailable:
    return Unavailable(f"The Kubernetes API cannot be asked: {why}.", reason="OutputUnavailable")
