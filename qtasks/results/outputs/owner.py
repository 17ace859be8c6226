"""Who owns a result in a cluster: the QiskitJob that it is of, as its job's annotations have it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

OWNER_NAME = "quantum.io/owner-name"
OWNER_UID = "quantum.io/owner-uid"
"""Annotations of jobs that the operator has submitted.

Anybody who submits may forge them, and reaches no further than before: Kubernetes looks an owner up in the namespace
of what it owns, which is the job's own, and only what was made for the same job is given one.
"""


@dataclass(frozen=True, slots=True)
class Owner:
    """A QiskitJob of the job's own namespace."""

    name: str
    uid: str

    @classmethod
    def of(cls, resource: Mapping[str, Any]) -> Owner | None:
        """The owner that a job's document names; None for a job that no cluster knows."""
        annotations = resource.get("metadata", {}).get("annotations", {})
        name, uid = annotations.get(OWNER_NAME), annotations.get(OWNER_UID)
        return cls(name, uid) if name and uid else None

    @property
    def reference(self) -> dict[str, str]:
        """The entry of `metadata.ownerReferences`: what it owns goes when it goes, and never keeps it."""
        return {"apiVersion": "quantum.io/v1", "kind": "QiskitJob", "name": self.name, "uid": self.uid}
