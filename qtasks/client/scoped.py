"""What several namespaces have, put together: devices, costs. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from qtasks.store import costs as spending

Document = dict[str, Any]
Scope = tuple[str, ...] | None
_ADDED = ("spent", "reserved", "quantumSeconds", "jobs", "unpriced")


def all_of(scope: Scope, found: Callable[[str | None], Sequence[Document]]) -> list[Document]:
    """What is found in each namespace of a scope, which None stands for all of."""
    return [one for where in ((None,) if scope is None else scope) for one in found(where)]


def one_device_each(documents: Sequence[Document]) -> list[Document]:
    """Devices that several namespaces have, once each, with all the names that they were registered as."""
    found: dict[tuple[Any, str], Document] = {}
    for document in documents:
        there = found.setdefault((document["account"], document["name"]), document)
        if there is not document:
            there["registeredAs"] = list(dict.fromkeys([*there["registeredAs"], *document["registeredAs"]]))
            if "namespaces" in document:
                there["namespaces"] = [*there.get("namespaces", []), *document["namespaces"]]
    return list(found.values())


def added_up(by: str, groups: Sequence[Document]) -> list[Document]:
    """The costs of several namespaces together, in the order of `client.budgets.costs`."""
    name = by.removeprefix(spending.LABEL)
    found: dict[Any, Document] = {}
    for group in groups:
        there = found.get(group[name])
        found[group[name]] = dict(group) if there is None else there | {key: there[key] + group[key] for key in _ADDED}
    if by == "month":
        return sorted(found.values(), key=lambda one: one[name] or "")
    return sorted(found.values(), key=lambda one: (-one["spent"] - one["reserved"], one[name] or ""))
