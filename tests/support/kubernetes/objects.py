"""The objects and their history: versions, generations, finalizers, owners."""

from __future__ import annotations

import copy
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.support.kubernetes.answers import Refused, changed, exists, invalid, not_found
from tests.support.kubernetes.resources import Resource

Object = dict[str, Any]
Key = tuple[str, str, str, str]
"""Group, plural, namespace, name."""

_FIXED = ("uid", "creationTimestamp", "deletionTimestamp", "generation")


@dataclass(frozen=True)
class Change:
    """One change, as watches tell of it."""

    version: int
    type: str
    resource: Resource
    object: Object


class Objects:
    """Safe to share between threads. Every method gives and takes copies."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.history: list[Change] = []
        self.oldest = 0
        """A watch from before this version is told that it is gone."""
        self.version = 0
        self._objects: dict[Key, Object] = {}
        self._resources: dict[Key, Resource] = {}

    def get(self, resource: Resource, namespace: str, name: str) -> Object:
        with self.changed:
            return copy.deepcopy(self._get(_key(resource, namespace, name)))

    def list(self, resource: Resource, namespace: str) -> tuple[list[Object], int]:
        """All of a resource, of a namespace or, for an empty one, of all; and the version of the list."""
        with self.changed:
            found = [
                copy.deepcopy(one)
                for (group, plural, where, _), one in sorted(self._objects.items())
                if (group, plural) == (resource.group, resource.plural) and namespace in ("", where)
            ]
            return found, self.version

    def create(self, resource: Resource, namespace: str, new: Object) -> Object:
        metadata = dict(new.get("metadata") or {})
        if "name" not in metadata:
            if "generateName" not in metadata:
                raise Refused(
                    422, f"{resource.kind} is invalid: metadata.name: Required value: name or generateName is required"
                )
            metadata["name"] = metadata["generateName"] + uuid.uuid4().hex[:5]
        key = _key(resource, namespace, metadata["name"])
        with self.changed:
            if key in self._objects:
                raise exists(resource.plural, resource.group, key[3])
            if resource.namespaced and ("", "namespaces", "", namespace) not in self._objects:
                raise not_found("namespaces", "", namespace)
            found = {name: value for name, value in new.items() if not (resource.has_status and name == "status")}
            found |= {"apiVersion": resource.api_version, "kind": resource.kind}
            metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": _now(), "generation": 1}
            if resource.namespaced:
                metadata["namespace"] = namespace
            for server in ("deletionTimestamp", "resourceVersion"):
                metadata.pop(server, None)
            found["metadata"] = metadata
            found = resource.accepted(found, None)
            self._resources[key] = resource
            return self._keep(key, found, "ADDED")

    def change(self, resource: Resource, namespace: str, name: str, made: Any, *, status: bool = False) -> Object:
        """Let `made` make a new object of the old one; with `status` only that is kept of it, without all but that.

        Raises Refused (404, 409, 422).
        """
        key = _key(resource, namespace, name)
        with self.changed:
            old = self._get(key)
            new = made(copy.deepcopy(old))
            if new["metadata"].get("resourceVersion") not in (None, old["metadata"]["resourceVersion"]):
                raise changed(resource.plural, resource.group, name)
            if status:
                new = {**copy.deepcopy(old), "status": new.get("status")}
            elif resource.has_status:
                new = {**new, "status": old.get("status")}
            if new.get("status") is None:
                new.pop("status", None)
            for field in _FIXED:
                new["metadata"].pop(field, None)
                if field in old["metadata"]:
                    new["metadata"][field] = old["metadata"][field]
            _check_finalizers(old, new, resource)
            new = resource.accepted(new, old)
            if not status and new.get("spec") != old.get("spec"):
                new["metadata"]["generation"] = old["metadata"]["generation"] + 1
            if _without_version(new) == _without_version(old):
                return copy.deepcopy(old)
            if "deletionTimestamp" in new["metadata"] and not new["metadata"].get("finalizers"):
                return self._remove(key, new)
            return self._keep(key, new, "MODIFIED")

    def delete(self, resource: Resource, namespace: str, name: str) -> Object:
        """Delete an object or, where somebody holds it, mark it."""
        key = _key(resource, namespace, name)
        with self.changed:
            found = copy.deepcopy(self._get(key))
            if not found["metadata"].get("finalizers"):
                return self._remove(key, found)
            if "deletionTimestamp" in found["metadata"]:
                return found
            found["metadata"] |= {"deletionTimestamp": _now(), "generation": found["metadata"]["generation"] + 1}
            return self._keep(key, found, "MODIFIED")

    def forget_history(self) -> None:
        """As the API server does after some minutes: watches from before now have to list again."""
        with self.changed:
            self.history.clear()
            self.oldest = self.version

    def since(self, version: int) -> list[Change]:
        """What came after a version. Raises Refused (410) for one that is forgotten. Holds `changed`."""
        if version < self.oldest:
            raise Refused(410, f"too old resource version: {version} ({self.oldest})")
        return [change for change in self.history if change.version > version]

    def _get(self, key: Key) -> Object:
        if key not in self._objects:
            raise not_found(key[1], key[0], key[3])
        return self._objects[key]

    def _keep(self, key: Key, found: Object, kind: str) -> Object:
        self.version += 1
        found = copy.deepcopy(found)
        found["metadata"]["resourceVersion"] = str(self.version)
        self._objects[key] = found
        self.history.append(Change(self.version, kind, self._resources[key], found))
        self.changed.notify_all()
        return copy.deepcopy(found)

    def _remove(self, key: Key, found: Object) -> Object:
        resource = self._resources.pop(key)
        del self._objects[key]
        self.version += 1
        found = copy.deepcopy(found)
        found["metadata"]["resourceVersion"] = str(self.version)
        self.history.append(Change(self.version, "DELETED", resource, found))
        self.changed.notify_all()
        self._collect_garbage(found["metadata"].get("namespace", ""))
        return found

    def _collect_garbage(self, namespace: str) -> None:
        """What had owners in its namespace and has none any more, goes: by uid and name, as the collector looks them
        up."""
        there = {(one["kind"], one["metadata"]["name"], one["metadata"]["uid"]) for one in self._objects.values()}
        for key, one in list(self._objects.items()):
            owners = one["metadata"].get("ownerReferences") or []
            alive = [each for each in owners if (each["kind"], each["name"], each["uid"]) in there]
            if owners and not alive and key[2] == namespace and key in self._objects:
                self._remove(key, one)


def _key(resource: Resource, namespace: str, name: str) -> Key:
    return resource.group, resource.plural, namespace if resource.namespaced else "", name


def _check_finalizers(old: Mapping[str, Any], new: Mapping[str, Any], resource: Resource) -> None:
    added = set(new["metadata"].get("finalizers") or ()) - set(old["metadata"].get("finalizers") or ())
    if added and "deletionTimestamp" in old["metadata"]:
        problem = "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted"
        raise invalid(resource.kind, resource.group, old["metadata"]["name"], problem)


def _without_version(found: Mapping[str, Any]) -> Object:
    return {**found, "metadata": {**found["metadata"], "resourceVersion": ""}}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
