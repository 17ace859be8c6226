"""From a request's path to what is asked of which resource. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tests.support.kubernetes.answers import Refused
from tests.support.kubernetes.resources import Resource

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass(frozen=True)
class Request:
    """One request that is about a resource."""

    verb: str
    resource: Resource
    namespace: str
    name: str
    subresource: str

    @property
    def named(self) -> str:
        """The resource as rules name it."""
        return f"{self.resource.plural}/{self.subresource}" if self.subresource else self.resource.plural


def request_of(method: str, path: str, query: Mapping[str, str], resources: Iterable[Resource]) -> Request:
    """Raises Refused (404) for a path that leads nowhere, and (405)."""
    parts = [part for part in path.split("/") if part]
    head = 2 if parts[:1] == ["api"] else 3
    group, rest = ("" if head == 2 else "/".join(parts[1:2])), parts[head:]
    namespace = ""
    if len(rest) > 2 and rest[0] == "namespaces" and rest[2] != "status":
        namespace, rest = rest[1], rest[2:]
    found = next((one for one in resources if rest and (one.group, one.plural) == (group, rest[0])), None)
    if found is None or len(rest) > 3 or parts[head - 1] != found.version:
        raise Refused(404, "the server could not find the requested resource")
    name, subresource = (*rest[1:], "", "")[:2]
    if subresource and not (found.has_status and subresource == "status"):
        raise Refused(404, "the server could not find the requested resource")
    if method == "GET":
        watches = query.get("watch") in ("1", "true")
        verb = "get" if name else "watch" if watches else "list"
    elif method in _VERBS and bool(name) == (method != "POST"):
        verb = _VERBS[method]
    else:
        raise Refused(405, "the server does not allow this method on the requested resource")
    return Request(verb, found, namespace, name, subresource)
