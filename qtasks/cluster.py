"""The Kubernetes API, asked by the official client: where it is, as whom it is asked, and what comes of it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from qtasks.errors import Forbidden, Unavailable

_CONNECT_SECONDS = 3.0
_ANSWER_BYTES = 2**22
"""Most that an API server sends for a ConfigMap or a Secret: 1 MiB, which base64 and JSON make longer."""


def in_pod() -> bool:
    return "KUBERNETES_SERVICE_HOST" in os.environ


def kubeconfig() -> str:
    """The kubeconfig files with absolute paths; empty when there are none, or the pod's own account is to be used."""
    if named := os.environ.get("KUBECONFIG"):
        return os.pathsep.join(str(Path(path).expanduser().absolute()) for path in named.split(os.pathsep) if path)
    own = Path("~/.kube/config").expanduser()
    return str(own) if not in_pod() and own.is_file() else ""


def is_there() -> bool:
    """Whether there is a cluster to ask: this is a pod, or its user has a kubeconfig."""
    return in_pod() or bool(kubeconfig())


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API server answered; its repr shows nothing of the body, which may be a secret."""

    status: int
    document: dict[str, Any] = field(repr=False)

    @property
    def message(self) -> str:
        """What the server says of a refusal."""
        return str(self.document.get("message", ""))


class Cluster:
    """The API server, for a few questions: each takes `seconds` at most from the last byte that came.

    What keeps it from answering at all is raised as Unavailable with this `reason`; what it refuses is an Answer.
    """

    def __init__(self, *, seconds: float, reason: str) -> None:
        from kubernetes import client

        self._seconds, self._reason = seconds, reason
        self._api = client.CoreV1Api(client.ApiClient(configuration(reason=reason)))

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self._api.api_client.rest_client.pool_manager.clear()

    def read(self, kind: Literal["ConfigMap", "Secret"], *, namespace: str, name: str) -> Answer:
        """The ConfigMap or the Secret of this name: the verb is `get`, so no other is seen."""
        call = {"ConfigMap": "read_namespaced_config_map", "Secret": "read_namespaced_secret"}[kind]
        answer = self.ask(call, name, namespace)
        if answer.status == 200 and answer.document.get("kind") != kind:
            raise self.unavailable(f"it answered with something else than a {kind}")
        return answer

    def ask(self, call: str, *arguments: Any, **options: Any) -> Answer:
        """Call the function of this name of the client's core API."""
        from kubernetes import client
        from urllib3.exceptions import HTTPError

        timeout = (min(_CONNECT_SECONDS, self._seconds), self._seconds)
        function = getattr(self._api, call)
        try:
            with function(*arguments, _preload_content=False, _request_timeout=timeout, **options) as response:
                status, body = int(response.status), response.read(_ANSWER_BYTES + 1)
        except client.ApiException as error:
            status, body = int(error.status or 0), error.body or b""
        except HTTPError as error:
            raise self.unavailable(f"it does not answer as expected ({type(error).__name__})") from None
        if len(body) > _ANSWER_BYTES:
            raise self.unavailable("its answer is too long")
        return Answer(status, self._decoded(status, body))

    def _decoded(self, status: int, body: bytes | str) -> dict[str, Any]:
        try:
            found = json.loads(body)
        except (ValueError, RecursionError) as error:
            if status >= 300:  # the status says enough
                return {}
            raise self.unavailable(f"it does not answer as expected ({type(error).__name__})") from None
        return found if isinstance(found, dict) else {}

    def unavailable(self, why: str) -> Unavailable:
        return _unavailable(why, reason=self._reason)


def configuration(*, reason: str) -> Any:
    """The client's `Configuration`: of the kubeconfig, or of the pod's service account. Raises Unavailable."""
    from kubernetes import client, config

    files, found = kubeconfig(), client.Configuration()
    try:
        if files:
            config.load_kube_config(files, client_configuration=found)
        else:
            config.load_incluster_config(client_configuration=found)
    except Exception as error:  # the client raises what its parsers do, for a kubeconfig that it cannot read
        raise _unavailable(
            f"the cluster's configuration cannot be read ({type(error).__name__})",
            reason=reason,
            hint=""
            if files
            else "A pod needs the token of its service account (automountServiceAccountToken, or a projected volume); "
            "elsewhere set KUBECONFIG.",
        ) from None
    found.retries = False
    return found


def forbidden(status: int, what: str, shown: str, *, verbs: tuple[str, ...], kinds: str, reason: str) -> Forbidden:
    """The refusal of what the pod's account has no role for: `what` is read or write, `kinds` such as `secrets`."""
    allowed = " and ".join(f"`{verb}`" for verb in verbs)
    return Forbidden(
        f"qtasks may not {what} {shown} (HTTP {status}).",
        reason=reason,
        hint=f"Let its service account {allowed} {kinds} in that namespace.",
    )


def _unavailable(why: str, *, reason: str, hint: str = "") -> Unavailable:
    return Unavailable(f"The Kubernetes API cannot be asked: {why}.", reason=reason, hint=hint)
