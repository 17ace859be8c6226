"""Devices, budgets and costs of the namespaces that the caller may see, and what each change of them asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from qtasks.access import Verb
from qtasks.client import budgets as money
from qtasks.client.submission import is_resource, jobs_of
from qtasks.errors import NotFound
from qtasks.resources import Metadata, QiskitBackend, QiskitBudget
from qtasks.resources.budget import BudgetSelector
from qtasks.store import costs as spending

if TYPE_CHECKING:
    from qtasks.client.client import Client

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


def require_to_change(
    client: Client, verb: Verb, name: str, namespace: str, resource: QiskitBudget | None = None
) -> None:
    """Raise Forbidden unless the caller may apply, or without a resource delete, a budget. One that is for jobs of
    other namespaces, or was, is for who may do so in all of them. Raises NotFound (`BudgetNotFound`) for one that the
    caller may not know of."""
    if resource is None:
        client._guard.known(Verb.GET, namespace, name, missing_budget(name, namespace))
    spans = resource is not None and resource.spans_namespaces(namespace)
    try:
        there = money.budget(client, name, namespace)
    except NotFound:
        there = None
    if there is not None:
        chosen = BudgetSelector.model_validate(there["spec"].get("selector", {})).namespaces
        spans = spans or (chosen is not None and set(chosen) != {namespace})
    client._guard.may(verb, None if spans else namespace, name, again=True)


def missing_budget(name: str, namespace: str) -> NotFound:
    """What is said of a budget that is not there."""
    return money._not_found(name, namespace)


def missing_backend(name: str, namespace: str) -> NotFound:
    """What is said of a device that is not there."""
    return NotFound(
        f"There is no backend {name} for namespace {namespace}.",
        reason="BackendNotFound",
        hint="`qtasks get backends` lists them; a new account's appear when it has been visited.",
    )


def namespace_of(client: Client, resource: QiskitBackend, namespace: str | None) -> str:
    """The namespace in which a device is registered that is applied with `namespace`."""
    if namespace is not None:
        return Metadata(namespace=namespace).namespace
    metadata = resource.metadata
    return metadata.namespace if "namespace" in metadata.model_fields_set else client.namespace


def namespaces_of(client: Client, what: Any, namespace: str | None) -> list[str]:
    """The namespaces of the jobs that `what`, a circuit or jobs, would be."""
    if namespace is not None or not is_resource(what):
        return [namespace or client.namespace]
    named = (job.metadata for job in jobs_of(what))
    return sorted({one.namespace if "namespace" in one.model_fields_set else client.namespace for one in named})
