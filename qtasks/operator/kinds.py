"""The kinds that are watched, and what is read of their objects. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qtasks.operator.crds import GROUP, VERSION

Object = Mapping[str, Any]
"""A resource as the API server has it: `{apiVersion, kind, metadata, spec, status}`."""

JOBS, BUDGETS, SESSIONS, BACKENDS = "qiskitjobs", "qiskitbudgets", "qiskitsessions", "qiskitbackends"
PLURALS = (JOBS, BUDGETS, SESSIONS, BACKENDS)
KIND = {
    JOBS: "QiskitJob",
    BUDGETS: "QiskitBudget",
    SESSIONS: "QiskitSession",
    BACKENDS: "QiskitBackend",
}
FINALIZER = f"{GROUP}/qtasks"
"""Keeps a resource until what stands for it in qtasks was ended."""
API_VERSION = f"{GROUP}/{VERSION}"


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """One resource."""

    plural: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.plural.removesuffix('s')} {self.namespace}/{self.name}"


def key_of(plural: str, found: Object) -> Key:
    metadata = found["metadata"]
    return Key(plural, metadata["namespace"], metadata["name"])


def uid_of(found: Object) -> str:
    return str(found["metadata"]["uid"])


def generation_of(found: Object) -> int:
    return int(found["metadata"].get("generation", 1))


def status_of(found: Object) -> Mapping[str, Any]:
    return found.get("status") or {}


def is_held(found: Object) -> bool:
    """Whether it cannot go without us."""
    return FINALIZER in (found["metadata"].get("finalizers") or ())


def is_ending(found: Object) -> bool:
    """Whether somebody has deleted it."""
    return found["metadata"].get("deletionTimestamp") is not None


def condition_of(found: Object, kind: str) -> Mapping[str, Any] | None:
    return next((one for one in status_of(found).get("conditions") or () if one.get("type") == kind), None)
