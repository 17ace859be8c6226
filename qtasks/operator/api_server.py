"""The requests that the operator makes of the Kubernetes API; watching is kopf's."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from qtasks.cluster import configuration
from qtasks.errors import Forbidden, InvalidInput, QTasksError, Unavailable
from qtasks.operator.crds import GROUP, VERSION
from qtasks.operator.kinds import API_VERSION, Key, Object, uid_of

_SECONDS = (3.0, 20.0)
"""To connect, and between two bytes of an answer."""
_PATCH = {"_content_type": "application/merge-patch+json", "field_manager": "qtasks"}
UNREACHED = "ClusterUnavailable"
_LONGEST_MESSAGE = 1024
"""Of an event, as Kubernetes has it."""


class Clash(Exception):
    """Somebody else has changed the resource meanwhile: look at it again."""


class ApiServer:
    """Safe to share between threads. Every method raises Unavailable (`ClusterUnavailable`) while nobody answers,
    Forbidden (`ClusterForbidden`) where the service account has no role for it, and InvalidInput (`ClusterRefused`)."""

    def __init__(self) -> None:
        from kubernetes import client

        api = client.ApiClient(configuration(reason=UNREACHED))
        self._objects, self._core = client.CustomObjectsApi(api), client.CoreV1Api(api)
        self._pool = api.rest_client.pool_manager
        self.answered_at = float("-inf")
        """When it answered last, by the monotonic clock."""

    def close(self) -> None:
        self._pool.clear()

    def served(self) -> set[str]:
        """The plurals of the group that are served: those whose definitions are installed."""
        found = self._ask(self._objects.get_api_resources, GROUP, VERSION)
        return set() if found is None else {str(each["name"]) for each in found.get("resources", ())}

    def get(self, key: Key) -> Object | None:
        """The resource; None when there is none."""
        where = (GROUP, VERSION, key.namespace, key.plural, key.name)
        return self._ask(self._objects.get_namespaced_custom_object, *where)

    def patch(self, key: Key, change: Mapping[str, Any]) -> Object | None:
        """Merge a change into the resource, and give what it is then; None when there is none. Raises Clash when the
        change names another `resourceVersion`."""
        where = (GROUP, VERSION, key.namespace, key.plural, key.name)
        return self._ask(self._objects.patch_namespaced_custom_object, *where, dict(change), **_PATCH)

    def patch_status(self, key: Key, change: Mapping[str, Any]) -> Object | None:
        """The same for its status: `change` is what goes below `status`."""
        where = (GROUP, VERSION, key.namespace, key.plural, key.name)
        body = {"status": dict(change)}
        return self._ask(self._objects.patch_namespaced_custom_object_status, *where, body, **_PATCH)

    def event(self, found: Object, reason: str, message: str, *, warning: bool = False) -> None:
        """Tell of something at a resource, as `kubectl describe` shows it; dropped where it cannot be."""
        metadata = found["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        kind = found.get("kind")
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{name[:230]}.", "namespace": namespace},
            "involvedObject": {
                "apiVersion": API_VERSION,
                "kind": kind,
                "name": name,
                "namespace": namespace,
                "uid": uid_of(found),
            },
            "type": "Warning" if warning else "Normal",
            "reason": reason,
            "message": message if len(message) <= _LONGEST_MESSAGE else message[: _LONGEST_MESSAGE - 1] + "…",
            "source": {"component": "qtasks-operator"},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        try:
            self._ask(self._core.create_namespaced_event, namespace, event)
        except QTasksError:
            # The status says the same, and is written again until it is there.
            return

    def _ask(self, call: Any, *arguments: Any, **options: Any) -> dict[str, Any] | None:
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        try:
            response = call(*arguments, _preload_content=False, _request_timeout=_SECONDS, **options)
            status, body = int(response.status), response.read()
        except ApiException as error:
            status, body = int(error.status or 0), error.body or b""
        except HTTPError as error:
            raise _unavailable(f"it does not answer ({type(error).__name__})") from None
        document = _document(body)
        self.answered_at = time.monotonic()
        if 200 <= status < 300 and document is not None:
            return document
        if status == 404:
            return None
        if status == 409:
            raise Clash
        raise _refusal(status, str((document or {}).get("message", "")))


def _document(body: bytes | str) -> dict[str, Any] | None:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _refusal(status: int, message: str) -> QTasksError:
    if status in (401, 403):
        return Forbidden(
            f"The Kubernetes API refuses the operator (HTTP {status}): {message[:300]}",
            reason="ClusterForbidden",
            hint="Bind the Role qtasks-operator in the namespace (k8s/served-namespace).",
        )
    if status in (400, 413, 422):
        return InvalidInput(f"The cluster does not take it (HTTP {status}): {message[:300]}", reason="ClusterRefused")
    return _unavailable(f"it answers HTTP {status}")


def _unavailable(why: str) -> Unavailable:
    return Unavailable(f"The Kubernetes API cannot be asked: {why}.", reason="ClusterUnavailable")
