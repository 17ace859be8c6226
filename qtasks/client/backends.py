"""Devices as their users see them: those of the catalogue, those registered by hand, and the simulators of our own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from qtasks.access import Verb
from qtasks.backends.modelled import model_entries, model_target, simulator_entry
from qtasks.backends.snapshots import Snapshots
from qtasks.client import scoped
from qtasks.client.accounts import known
from qtasks.client.namespaces import namespace_of
from qtasks.errors import InvalidInput, NotFound
from qtasks.resources import BackendType, QiskitBackend
from qtasks.resources import dump as dump_resource
from qtasks.results import timestamp
from qtasks.scheduling.registrations import Registration, registrations
from qtasks.scheduling.waits import FRESH_SECONDS, age_seconds, wait_of
from qtasks.store import catalogue, decisions, registered
from qtasks.store.catalogue import Entry

if TYPE_CHECKING:
    from qtasks.client.direct import Direct


def apply_backend(direct: Direct, resource: QiskitBackend, namespace: str | None = None) -> str:
    """Register a device by hand, or change what was registered: `created`, `configured` or `unchanged`.

    `namespace` overrides the resource's own. Raises InvalidInput (`NameMissing`, `NoUsableAccount`) and Forbidden.
    """
    name = resource.metadata.name
    if name is None:
        raise InvalidInput("A QiskitBackend needs metadata.name.", reason="NameMissing", hint="Jobs name it by that.")
    where = namespace_of(resource.metadata, namespace)
    direct.guard.may(Verb.APPLY_BACKEND, where, name, again=True)
    document = dump_resource(resource)
    (found,) = registrations([document], direct.installation.config, namespace=where, embedded=direct.settings.embedded)
    if found.problem and direct.installation.config.accounts:
        raise InvalidInput(found.problem, reason="NoUsableAccount", hint="`qtasks get accounts` lists those there are.")
    with direct.store.begin() as tx:
        return registered.keep(tx, where, name, document)


def backends(direct: Direct, namespace: str | None = "default") -> list[dict[str, Any]]:
    """The devices that the jobs of a namespace, or of all that the caller may see, may run on, as documents: our own
    simulator, then by account and name. Nothing is asked of a provider."""
    scope = direct.guard.scope(Verb.LIST, namespace or "default", everywhere=namespace is None)
    return scoped.one_device_each(scoped.all_of(scope, lambda where: _devices(direct, where)))


def _devices(direct: Direct, where: str | None, *, models: bool = False) -> list[dict[str, Any]]:
    """The devices of one namespace, of all for None; with `models` also what ibm_simulator models."""
    names = [one.account.name for one in known(direct, where)]
    with direct.store.read() as tx:
        by_hand = _registrations(direct, tx, where)
        names += [account.name for _, each in by_hand for account in each.accounts]
        entries = catalogue.of_accounts(tx, set(names))
        now = catalogue.now(tx)
    own = [simulator_entry(method="automatic", memory=None)]
    own += model_entries(direct.installation.config.backends) if models else []
    documents = [document(entry, now) for entry in (*own, *entries)]
    there = {(one["account"], one["name"]): one for one in documents}
    for space, each in by_hand:
        documents += _shown(space, each, there, now)
    return documents


def backend(direct: Direct, name: str, namespace: str = "default") -> list[dict[str, Any]]:
    """The devices of this name, or registered under it, one for each account, each with how wrong past estimates of its
    start were, and what compiling for it takes. Raises NotFound (`BackendNotFound`)."""
    missing = _not_found(name, namespace)
    direct.guard.known(Verb.GET, namespace, name, missing)
    found = [one for one in _devices(direct, namespace, models=True) if name in (one["name"], *one["registeredAs"])]
    if not found:
        raise missing
    with direct.store.read() as tx:
        for one in found:
            if one["account"] is not None:
                one["status"]["estimates"] = accuracy_document(
                    decisions.accuracy(tx, account=one["account"], device=one["name"])
                )
                one["status"]["target"] = catalogue.target(tx, one["account"], one["name"])
    models = Snapshots(direct.installation.config.backends)
    for one in found:
        # One that was registered by hand may have the name of no model.
        if one["type"] == BackendType.IBM_SIMULATOR and one["name"] in models.names():
            one["status"]["target"] = model_target(models, one["name"])
    return found


def delete_backend(direct: Direct, name: str, namespace: str = "default") -> None:
    """Take out a device that was registered by hand; jobs that run there go on. Raises NotFound (`BackendNotFound`) and
    Forbidden."""
    direct.guard.known(Verb.DELETE_BACKEND, namespace, name, _not_found(name, namespace), again=True)
    with direct.store.begin() as tx:
        if registered.remove(tx, namespace, name):
            return
    raise NotFound(
        f"No backend {name} is registered in namespace {namespace}.",
        reason="BackendNotFound",
        hint="What a provider lists cannot be deleted; `qtasks get backends` shows what was registered by hand.",
    )


def _not_found(name: str, namespace: str) -> NotFound:
    return NotFound(
        f"There is no backend {name} for namespace {namespace}.",
        reason="BackendNotFound",
        hint="`qtasks get backends` lists them; a new account's appear when it has been visited.",
    )


def accuracy_document(accuracy: decisions.Accuracy) -> dict[str, Any]:
    """How wrong past estimates of the start were, in seconds."""
    return {
        "jobs": accuracy.jobs,
        "medianErrorSeconds": accuracy.median_error_seconds,
        "medianBiasSeconds": accuracy.median_bias_seconds,
    }


def document(entry: Entry, now: datetime) -> dict[str, Any]:
    """An entry of the catalogue as plain JSON; null is what nobody knows. `stale`: the queue's figures are old, and
    used nevertheless."""
    wait, age = wait_of(entry), age_seconds(entry.queue_at, now)
    able = entry.capabilities or {}
    return {
        "kind": "Backend",
        "name": entry.name,
        "type": entry.type,
        "account": entry.account or None,
        "registeredAs": [],
        "status": {
            "qubits": entry.qubits,
            "simulator": entry.simulator,
            "available": entry.available,
            "pendingJobs": entry.pending_jobs,
            "waitSeconds": wait.seconds,
            "waitIs": str(wait),
            "meanError": entry.mean_error,
            "calibration": entry.calibration,
            "maxShots": able.get("max_shots"),
            "dynamicCircuits": able.get("dynamic_circuits"),
            "queueAt": _time(entry.queue_at),
            "refreshedAt": _time(entry.refreshed_at),
            "stale": entry.account != "" and (age is None or age > FRESH_SECONDS),
            "message": entry.problem or entry.message or None,
        },
    }


def _registrations(direct: Direct, tx: Any, namespace: str | None) -> list[tuple[str, Registration]]:
    rows = registered.walk(tx, namespace)
    spaces = dict.fromkeys(row.namespace for row in rows)
    embedded = direct.settings.embedded
    return [
        (space, each)
        for space in spaces
        for each in registrations(
            (row.resource for row in rows if row.namespace == space),
            direct.installation.config,
            namespace=space,
            embedded=embedded,
        )
    ]


def _shown(
    namespace: str, each: Registration, there: dict[tuple[Any, str], dict[str, Any]], now: datetime
) -> Iterator[dict[str, Any]]:
    """Marks the devices that a QiskitBackend stands for, and gives those that the catalogue does not know."""
    for account in [account.name for account in each.accounts] or [""]:
        known_as = there.get((account or None, each.device))
        if known_as is None:
            qubits = None if each.spec.capabilities is None else each.spec.capabilities.num_qubits
            entry = Entry(account=account, name=each.device, type=each.spec.type.value, qubits=qubits)
            known_as = document(entry, now)
            known_as["status"] |= {"available": None, "stale": True, "waitSeconds": None, "waitIs": "not known"}
            known_as["status"]["message"] = each.problem or "The catalogue does not have it yet."
            yield known_as
        known_as["registeredAs"].append(each.name)
        known_as.setdefault("namespaces", []).append(namespace)


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else timestamp(moment)
