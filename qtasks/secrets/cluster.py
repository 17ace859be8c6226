"""Secrets of a cluster, through the Kubernetes API: the verb `get` is all that it takes."""

from __future__ import annotations

import base64
from typing import Any

from qtasks.cluster import Cluster, forbidden
from qtasks.errors import InvalidInput, NotFound
from qtasks.secrets.protocol import Secret, as_text

_SECONDS = 5.0
_REASON = "SecretUnavailable"


def read_from_cluster(namespace: str, name: str) -> Secret:
    """The secret of this name; raises as `read_secret`, which has checked the names."""
    shown = f"{namespace}/{name}"
    with Cluster(seconds=_SECONDS, reason=_REASON) as cluster:
        answer = cluster.read("Secret", namespace=namespace, name=name)
        if answer.status in (401, 403):
            raise forbidden(
                answer.status,
                "read",
                f"the secret {shown}",
                verbs=("get",),
                kinds="secrets",
                reason="SecretNotReadable",
            )
        if answer.status == 404:
            raise NotFound(
                f"There is no secret {shown}.",
                reason="SecretNotFound",
                hint=f"Create it: kubectl -n {namespace} create secret generic {name} --from-file=KEY=FILE",
            )
        if answer.status != 200:
            raise cluster.unavailable(f"it answers HTTP {answer.status}")
    return as_text(namespace, name, _decoded(shown, answer.document.get("data") or {}))


def _decoded(shown: str, data: dict[str, Any]) -> dict[str, bytes]:
    try:
        return {key: base64.b64decode(value, validate=True) for key, value in data.items()}
    except (AttributeError, TypeError, ValueError):
        raise InvalidInput(f"The secret {shown} has a value that is not base64.", reason="InvalidSecret") from None
