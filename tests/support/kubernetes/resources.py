"""The resources that are served: those of the core that qtasks speaks of, and those of definitions."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.kubernetes.answers import invalid
from tests.support.kubernetes.schemas import Schema, pruned

_MAX_BYTES = 2**20


@dataclass(frozen=True)
class Resource:
    """One resource of one group."""

    group: str
    version: str
    plural: str
    kind: str
    short_names: tuple[str, ...] = ()
    namespaced: bool = True
    schema: Schema | None = None
    has_status: bool = False

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def accepted(self, new: dict[str, Any], old: Mapping[str, Any] | None) -> dict[str, Any]:
        """What is kept of an object; raises Refused (422)."""
        if self.schema is not None:
            new = pruned(new, self.schema.structural)
            problem = self.schema.problem(new)
            if problem is not None:
                raise invalid(self.kind, self.group, new["metadata"]["name"], problem)
        elif self.kind in ("ConfigMap", "Secret"):
            _check_data(self.kind, new, old)
        return new

    def described(self) -> list[dict[str, Any]]:
        """Its entries in the answer of discovery."""
        verbs = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"]
        entry = {
            "name": self.plural,
            "singularName": self.kind.lower(),
            "namespaced": self.namespaced,
            "kind": self.kind,
            "verbs": verbs,
            "shortNames": list(self.short_names),
        }
        status = {"name": f"{self.plural}/status", "singularName": "", "namespaced": self.namespaced}
        status |= {"kind": self.kind, "verbs": ["get", "patch", "update"]}
        return [entry, status] if self.has_status else [entry]


CORE = (
    Resource("", "v1", "namespaces", "Namespace", ("ns",), namespaced=False),
    Resource("", "v1", "configmaps", "ConfigMap", ("cm",)),
    Resource("", "v1", "secrets", "Secret"),
    Resource("", "v1", "events", "Event", ("ev",)),
)


def defined(definition: Mapping[str, Any]) -> Resource:
    """The resource of a CustomResourceDefinition."""
    spec = definition["spec"]
    (version,) = spec["versions"]
    return Resource(
        group=spec["group"],
        version=version["name"],
        plural=spec["names"]["plural"],
        kind=spec["names"]["kind"],
        short_names=tuple(spec["names"]["shortNames"]),
        schema=Schema(definition),
        has_status="status" in version["subresources"],
    )


def _check_data(kind: str, new: Mapping[str, Any], old: Mapping[str, Any] | None) -> None:
    name = new["metadata"]["name"]
    text, binary = new.get("data") or {}, new.get("binaryData") or {}
    if (
        old is not None
        and old.get("immutable")
        and (text, binary) != (old.get("data") or {}, old.get("binaryData") or {})
    ):
        raise invalid(kind, "", name, "data: Forbidden: field is immutable when `immutable` is set")
    if set(text) & set(binary):
        raise invalid(kind, "", name, "data: Invalid value: duplicate of key present in binaryData")
    if kind == "ConfigMap":
        size = sum(len(value.encode()) for value in text.values())
        size += sum(len(base64.b64decode(value, validate=True)) for value in binary.values())
        if size > _MAX_BYTES:
            raise invalid(kind, "", name, f"[]: Too long: must have at most {_MAX_BYTES} bytes")
    for value in (new["metadata"].get("annotations") or {}).values():
        assert isinstance(value, str), "annotations are texts"
