"""What is done for budgets, sessions and backends: applied, deleted, and their standing told."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from qtasks.client import Client
from qtasks.errors import Conflict, Forbidden, InvalidInput, NotFound, QTasksError
from qtasks.operator import statuses
from qtasks.operator.api_server import ApiServer
from qtasks.operator.finalizer import hold, let_go
from qtasks.operator.kinds import (
    BACKENDS,
    BUDGETS,
    SESSIONS,
    Key,
    Object,
    condition_of,
    generation_of,
    is_ending,
    is_held,
    status_of,
)
from qtasks.operator.translation import resource_document
from qtasks.resources import QiskitBackend, QiskitBudget, QiskitSession, Resource, parse

log = logging.getLogger(__name__)

_LOOK_SECONDS = 2.0
_LOOK_SHARE = 10.0
_AGAIN_SECONDS = 30.0
_OWN = ("observedGeneration", "keptGeneration", "conditions")
"""What is ours in a status; all else is how it stands."""

Standing = dict[str, Any]


class Kept:
    """Safe to share between threads, as long as one resource is in one of them at a time."""

    def __init__(self, client: Client, api: ApiServer, *, news: Callable[[Key], None]) -> None:
        """`news` is told of resources that qtasks does not have any more."""
        self._client = client
        self._api = api
        self._tell_of = news
        self._known: dict[Key, Object] = {}
        """The resources that are kept, without their specs, as the API server has them."""
        self._missing: set[Key] = set()
        self._changing = threading.Lock()
        self._look_at = 0.0

    def wants_a_look(self, key: Key, found: Object) -> bool:
        """Whether there is anything to be done for a resource as the API server has it."""
        if is_ending(found):
            return is_held(found)
        return generation_of(found) != status_of(found).get("observedGeneration") or key not in self._known

    def work(self, key: Key) -> float | None:
        """Do what there is to be done; see `desk.Work`."""
        found = self._api.get(key)
        if found is None:
            self._forget(key)
            return None
        if is_ending(found):
            self._end(key, found)
            return None
        status = status_of(found)
        if status.get("keptGeneration") == generation_of(found) and key not in self._missing:
            self._know(key, found)
            return None
        found = hold(self._api, key, found)
        return None if found is None else self._apply(key, found)

    def turn(self) -> None:
        """Look how all stand, one question for each kind, and write what has changed."""
        now = time.monotonic()
        if now < self._look_at:
            return
        with self._changing:
            known = dict(self._known)
        for plural, ask in ((BUDGETS, self._budgets), (SESSIONS, self._sessions), (BACKENDS, self._backends)):
            wanted = {key: found for key, found in known.items() if key.plural == plural}
            if not wanted:
                continue
            there = ask()
            for key, found in wanted.items():
                standing = there.get((key.namespace, key.name))
                if standing is None:
                    self._miss(key)
                else:
                    self._write(key, found, standing)
        ended = time.monotonic()
        self._look_at = ended + max(_LOOK_SECONDS, _LOOK_SHARE * (ended - now))

    def _apply(self, key: Key, found: Object) -> float | None:
        generation, status = generation_of(found), status_of(found)
        try:
            self._keep(parse(resource_document(found)), key.namespace)
        except (InvalidInput, Conflict, Forbidden) as error:
            return self._refused(key, found, error)
        self._missing.discard(key)
        accepted = statuses.condition(
            statuses.ACCEPTED, True, "Accepted", "qtasks has taken the spec.", statuses.moment()
        )
        change = {"observedGeneration": generation, "keptGeneration": generation, **_conditions(found, accepted)}
        written = self._api.patch_status(key, change)
        if written is not None:
            self._know(key, written)
            self._look_at = 0.0
            if status.get("keptGeneration") is None:
                self._api.event(found, "Accepted", "qtasks has taken the spec.")
        return None

    def _refused(self, key: Key, found: Object, error: QTasksError) -> float | None:
        generation, status = generation_of(found), status_of(found)
        old = condition_of(found, statuses.ACCEPTED)
        accepted = statuses.condition(statuses.ACCEPTED, False, error.reason, str(error), statuses.moment())
        change = {"observedGeneration": generation, **_conditions(found, accepted)}
        told = old is not None and (old.get("reason"), old.get("message")) == (error.reason, str(error))
        if not told or status.get("observedGeneration") != generation:
            written = self._api.patch_status(key, change)
            if written is None:
                return None
            found = written
            self._api.event(found, error.reason, str(error), warning=True)
        self._know(key, found)
        if error.reason != "InvalidResource":
            # A session that closes, a role that is given, an account that comes: all but the spec itself may change.
            return _AGAIN_SECONDS
        if status.get("keptGeneration") is None:
            let_go(self._api, key, found)
        return None

    def _end(self, key: Key, found: Object) -> None:
        # What was refused was never kept: something else may have the name.
        refused = (condition_of(found, statuses.ACCEPTED) or {}).get("status") == "False"
        if is_held(found) and (status_of(found).get("keptGeneration") is not None or not refused):
            delete = {
                BUDGETS: self._client.delete_budget,
                SESSIONS: self._client.delete_session,
                BACKENDS: self._client.delete_backend,
            }[key.plural]
            try:
                delete(key.name, namespace=key.namespace)
                log.info("deleted %s", key)
            except NotFound:
                pass
        self._forget(key)
        let_go(self._api, key, found)

    def _keep(self, resource: Resource, namespace: str) -> None:
        if isinstance(resource, QiskitBudget):
            _refuse_wide(resource, namespace)
            self._client.apply_budget(resource, namespace=namespace)
        elif isinstance(resource, QiskitSession):
            self._client.apply_session(resource, namespace=namespace)
        elif isinstance(resource, QiskitBackend):
            self._client.apply_backend(resource, namespace=namespace)

    def _know(self, key: Key, found: Object) -> None:
        with self._changing:
            self._known[key] = {name: value for name, value in found.items() if name != "spec"}

    def _forget(self, key: Key) -> None:
        with self._changing:
            self._known.pop(key, None)
            self._missing.discard(key)

    def _miss(self, key: Key) -> None:
        """Somebody has deleted in qtasks what the cluster wants to be there: it is applied again."""
        if key not in self._missing and "keptGeneration" in status_of(self._known.get(key, {})):
            self._missing.add(key)
            self._tell_of(key)

    def _write(self, key: Key, found: Object, standing: Standing) -> None:
        status = dict(status_of(found))
        ours = {name: status[name] for name in _OWN if name in status}
        change = statuses.merge_patch(status, {**standing, **ours})
        if not change or "keptGeneration" not in ours:
            return
        written = self._api.patch_status(key, change)
        if written is None:
            self._forget(key)
        elif not is_ending(written):
            self._know(key, written)

    def _budgets(self) -> dict[tuple[str, str], Standing]:
        found = self._client.budgets(all_namespaces=True)
        return {_named(document): statuses.budget_status(document) for document in found}

    def _sessions(self) -> dict[tuple[str, str], Standing]:
        found = self._client.sessions(all_namespaces=True)
        return {_named(document): statuses.session_status(document) for document in found}

    def _backends(self) -> dict[tuple[str, str], Standing]:
        by_name: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
        for device in self._client.backends(all_namespaces=True):
            for namespace in device.get("namespaces", ()):
                for name in device["registeredAs"]:
                    by_name.setdefault((namespace, name), []).append(device)
        return {named: statuses.backend_status(devices) for named, devices in by_name.items()}


def _named(document: Mapping[str, Any]) -> tuple[str, str]:
    return document["metadata"]["namespace"], document["metadata"]["name"]


def _conditions(found: Object, accepted: statuses.Condition) -> dict[str, Any]:
    old = condition_of(found, statuses.ACCEPTED)
    others = [one for one in status_of(found).get("conditions") or () if one.get("type") != statuses.ACCEPTED]
    return {"conditions": [statuses.kept_since(accepted, old), *others]}


def _refuse_wide(resource: QiskitBudget, namespace: str) -> None:
    """Whoever may write resources in one namespace must not, by our rights, limit what others spend."""
    if resource.spans_namespaces(namespace):
        raise Forbidden(
            "A QiskitBudget of a cluster is for jobs of its own namespace alone.",
            reason="SpansNamespaces",
            hint="Leave spec.selector.namespaces out; wider budgets are an admin's: `qtasks apply -f budget.yaml`.",
        )
