"""From a resource of the cluster to what is handed to qtasks. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qtasks.operator.kinds import Object, uid_of
from qtasks.results.outputs.owner import OWNER_NAME, OWNER_UID

MANAGED = "quantum.io/managed-by"
"""A label of the jobs that an operator has submitted: by it they are listed at once."""
MANAGER = "qtasks-operator"
SELECTOR = f"{MANAGED}={MANAGER}"

_TOOLS = ("kubectl.kubernetes.io/", "kopf.zalando.org/")
"""Before annotations that tools keep for themselves: the first has the whole resource in it."""
_LONGEST_NAME = 253


def resource_document(found: Object) -> dict[str, Any]:
    """The resource as a document that `qtasks apply` would take: labels and annotations are the user's."""
    metadata = found["metadata"]
    annotations = {
        key: value for key, value in (metadata.get("annotations") or {}).items() if not key.startswith(_TOOLS)
    }
    own = {
        "name": metadata["name"],
        "namespace": metadata["namespace"],
        "labels": dict(metadata.get("labels") or {}),
        "annotations": annotations,
    }
    return {
        "apiVersion": found["apiVersion"],
        "kind": found["kind"],
        "metadata": {key: value for key, value in own.items() if value},
        "spec": found["spec"],
    }


def job_document(found: Object, *, name: str | None = None) -> dict[str, Any]:
    """The job of a QiskitJob, under its own name or another, with the mark of who owns its results.

    Whatever the user wrote in place of the marks is overwritten.
    """
    document = resource_document(found)
    metadata = dict(document["metadata"])
    metadata["labels"] = {**metadata.get("labels", {}), MANAGED: MANAGER}
    owner = {OWNER_NAME: metadata["name"], OWNER_UID: uid_of(found)}
    metadata["annotations"] = {**metadata.get("annotations", {}), **owner}
    metadata["name"] = name or metadata["name"]
    return {**document, "metadata": metadata}


def other_name(found: Object) -> str:
    """The name of its job where another job has the resource's own: as after `kubectl delete` and `apply`."""
    tail = f"-{uid_of(found)[:8]}"
    return f"{found['metadata']['name'][: _LONGEST_NAME - len(tail)].rstrip('-.')}{tail}"


def is_of(document: Mapping[str, Any], found: Object) -> bool:
    """Whether a job's document is of the job of this resource."""
    metadata = document["metadata"]
    marks = metadata.get("annotations", {}).get(OWNER_UID), metadata.get("labels", {}).get(MANAGED)
    return bool(metadata["namespace"] == found["metadata"]["namespace"]) and marks == (uid_of(found), MANAGER)


def changed_fields(there: Mapping[str, Any], wanted: Mapping[str, Any], path: str = "spec") -> list[str]:
    """The paths of the fields in which two specs differ, in their order."""
    found = []
    for key in dict.fromkeys((*there, *wanted)):
        old, new = there.get(key), wanted.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += changed_fields(old, new, f"{path}.{key}")
        elif old != new:
            found.append(f"{path}.{key}")
    return found
