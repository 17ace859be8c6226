"""Who asks, and whether they may: bearer tokens, Roles and their bindings, and a record of all that was asked."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.kubernetes.answers import Refused, qualified

ADMIN = "system:admin"
"""Whom everything is allowed."""


@dataclass(frozen=True, slots=True, order=True)
class Asked:
    """What was asked, as a rule would name it."""

    subject: str
    verb: str
    group: str
    resource: str
    namespace: str
    """`configmaps`, or with its subresource `qiskitjobs/status`."""


@dataclass(frozen=True, slots=True, order=True)
class Rule:
    """One permission that a binding gives: a Role's rules, multiplied out."""

    subject: str
    verb: str
    group: str
    resource: str
    namespace: str


class Access:
    """Safe to share between threads."""

    def __init__(self) -> None:
        self.tokens: dict[str, str] = {}
        self.asked: set[Asked] = set()
        self.refused: set[Asked] = set()
        self._roles: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
        self._bindings: list[tuple[str, str, str]] = []
        self._lock = threading.Lock()

    def add(self, document: Mapping[str, Any], namespace: str) -> None:
        """A Role or a RoleBinding, in a namespace."""
        name = document["metadata"]["name"]
        if document["kind"] == "Role":
            self._roles[namespace, name] = document["rules"]
            return
        assert document["kind"] == "RoleBinding", document["kind"]
        for subject in document["subjects"]:
            assert subject["kind"] == "ServiceAccount", subject
            account = f"system:serviceaccount:{subject['namespace']}:{subject['name']}"
            self._bindings.append((namespace, account, document["roleRef"]["name"]))

    def rules(self) -> set[Rule]:
        """Every permission that was given."""
        return {
            Rule(subject, verb, group, resource, namespace)
            for namespace, subject, role in self._bindings
            for rule in self._roles[namespace, role]
            for group in rule["apiGroups"]
            for resource in rule["resources"]
            for verb in rule["verbs"]
        }

    def subject(self, authorization: str | None) -> str:
        """Raises Refused (401)."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme != "Bearer" or token not in self.tokens:
            raise Refused(401, "Unauthorized")
        return self.tokens[token]

    def require(self, asked: Asked) -> None:
        """Raises Refused (403)."""
        allowed = asked.subject == ADMIN or any(
            (rule.subject, rule.verb, rule.group, rule.resource, rule.namespace)
            == (asked.subject, asked.verb, asked.group, asked.resource, asked.namespace)
            for rule in self.rules()
        )
        with self._lock:
            (self.asked if allowed else self.refused).add(asked)
        if not allowed:
            where = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
            what = qualified(asked.resource.partition("/")[0], asked.group)
            asks = f'{asked.verb} resource "{asked.resource}" in API group "{asked.group}"'
            raise Refused(403, f'{what} is forbidden: User "{asked.subject}" cannot {asks} {where}')

    def unused(self, asked: Iterable[Asked]) -> set[Rule]:
        """The permissions that nobody has made use of."""
        used = {Rule(one.subject, one.verb, one.group, one.resource, one.namespace) for one in asked}
        return self.rules() - used
