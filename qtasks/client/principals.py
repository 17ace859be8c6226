"""Principals as their admins see them: made, given tokens and roles, listed; and the trail of what was decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from qtasks.access import (
    EVERYWHERE,
    Caller,
    Role,
    Token,
    Verb,
    decide_binding,
    is_token,
    new_token,
    token_required,
)
from qtasks.client.guard import Guard
from qtasks.client.principal_documents import Document, binding_document, decision_document, token_document
from qtasks.errors import Conflict, InvalidInput, NotFound
from qtasks.resources import Metadata
from qtasks.results import timestamp
from qtasks.store import access
from qtasks.store.access import Entry

Documents = list[Document]


@dataclass(frozen=True, slots=True)
class Created:
    """A new principal. The first of an installation is an admin of all namespaces, and has its token at once: who made
    it would be shut out otherwise."""

    name: str
    token: str | None = field(default=None, repr=False)


class Principals:
    """What the caller of `guard` may do to principals."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def whoami(self) -> Document:
        """The caller and its roles."""
        caller = self._fresh()
        return {
            "kind": "Principal",
            "name": caller.name,
            "principal": caller.principal,
            "bindings": [binding_document(each) for each in caller.bindings],
        }

    def create(self, name: str) -> Created:
        """Make a principal without any role. Raises Forbidden, InvalidInput (`InvalidName`) or Conflict
        (`PrincipalExists`)."""
        Metadata(name=name)
        if name == "local":
            raise InvalidInput('A principal cannot be called "local".', reason="InvalidName")
        self._fresh()
        caller = self._guard.require(Verb.PRINCIPALS, None, name)
        with self._guard.store.begin() as tx:
            access.lock(tx)
            first = not access.any_principal(tx)
            if not first and not (caller.principal or self._guard.embedded):
                raise token_required()
            if not access.create(tx, name, by=caller.name):
                raise Conflict(
                    f"There is a principal {name} already.",
                    reason="PrincipalExists",
                    hint="`qtasks auth list` shows them.",
                )
            _note(tx, caller, Verb.PRINCIPALS, None, f"create {name}")
            token = None
            if first:
                access.bind(tx, name, EVERYWHERE, Role.ADMIN.value, urgent=True)
                token = _new_token(tx, caller, name, None)[0].text
                _note(tx, caller, Verb.BIND, EVERYWHERE, f"{name} is admin, urgent")
        self._guard.again()
        return Created(name, token)

    def token(self, name: str, *, expires_seconds: float | None = None) -> tuple[str, Document]:
        """A new token of a principal, which is never to be had again, and what is kept of it. Raises Forbidden or
        NotFound (`PrincipalNotFound`)."""
        self._fresh()
        caller = self._guard.require(Verb.PRINCIPALS, None, name)
        with self._guard.store.begin() as tx:
            _require_known(tx, name)
            token, row = _new_token(tx, caller, name, expires_seconds)
        return token.text, token_document(row, row.created_at)

    def bind(self, name: str, role: Role, namespace: str, *, urgent: bool = False) -> None:
        """Give a principal a role in a namespace (`*`: in all), in place of the one that it had there.

        Raises Forbidden, NotFound (`PrincipalNotFound`) or Conflict (`LastAdmin`).
        """
        said = f"{name} is {role.value}{', urgent' if urgent else ''}"
        self._rebind(
            name, namespace, said, lambda tx: access.bind(tx, name, namespace, role.value, urgent=urgent), urgent=urgent
        )

    def unbind(self, name: str, namespace: str) -> None:
        """Take a principal's role in a namespace (`*`: in all) away. Raises Forbidden, NotFound (`PrincipalNotFound`,
        `NotBound`) or Conflict (`LastAdmin`)."""

        def remove(tx: Connection) -> None:
            if access.unbind(tx, name, namespace) is None:
                where = "all namespaces" if namespace == EVERYWHERE else f"namespace {namespace}"
                raise NotFound(
                    f"{name} has no role in {where}.", reason="NotBound", hint="`qtasks auth list` shows all."
                )

        self._rebind(name, namespace, f"{name} has no role", remove, urgent=False)

    def _rebind(
        self, name: str, namespace: str, said: str, change: Callable[[Connection], None], *, urgent: bool
    ) -> None:
        if namespace != EVERYWHERE:
            Metadata(namespace=namespace)
        decision = decide_binding(self._fresh(), namespace, urgent=urgent)
        caller = self._guard.decided(Verb.BIND, namespace, said, decision)
        with self._guard.store.begin() as tx:
            access.lock(tx)
            _require_known(tx, name)
            change(tx)
            _require_admin(tx)
            _note(tx, caller, Verb.BIND, namespace, said)
        self._guard.again()

    def revoke(self, prefix: str) -> Document:
        """Make a token worthless: an admin of all namespaces any, everybody their own. Raises NotFound
        (`TokenNotFound`) or Conflict (`LastAdmin`)."""
        if is_token(prefix):
            prefix = Token(prefix).prefix
        caller = self._fresh()
        any_of_them = self._guard.sees(Verb.PRINCIPALS, None)
        with self._guard.store.begin() as tx:
            access.lock(tx)
            row = access.token_called(tx, prefix)
            own = row is not None and caller.principal and row.principal == caller.name
            if row is None or not (own or any_of_them):
                raise NotFound(
                    "There is no token that begins like this.",
                    reason="TokenNotFound",
                    hint="`qtasks auth list` shows how tokens begin.",
                )
            if access.revoke(tx, prefix):
                _require_admin(tx)
                _note(tx, caller, Verb.PRINCIPALS, None, f"revoke {prefix} of {row.principal}")
        self._guard.again()
        return {"prefix": prefix, "principal": row.principal}

    def list(self) -> Documents:
        """Principals with their roles and tokens: all for an admin of all namespaces; those bound in its own for an
        admin of some, less their tokens; for everybody else only itself."""
        caller = self._fresh()
        everything = self._guard.sees(Verb.PRINCIPALS, None)
        mine = caller.namespaces(Verb.BIND)
        if caller.principal:
            self._guard.write([Entry(caller.name, Verb.LIST, None, "principals", True, "Allowed")], again=False)
        with self._guard.store.read() as tx:
            rows = access.walk(tx)
            names = [row.name for row in rows]
            bindings, tokens = access.bindings_of(tx, names), access.tokens_of(tx, names)
        documents = []
        for row in rows:
            own = everything or row.name == caller.name
            shown = [each for each in bindings[row.name] if own or mine is None or each.namespace in mine]
            if own or shown:
                documents.append(
                    {
                        "kind": "Principal",
                        "name": row.name,
                        "createdAt": timestamp(row.created_at),
                        "createdBy": row.created_by,
                        "bindings": [binding_document(each) for each in shown],
                        "tokens": [token_document(each, each.now) for each in tokens[row.name]] if own else [],
                    }
                )
        return documents

    def audit(self, *, since: datetime | None = None, principal: str | None = None, limit: int = 1000) -> Documents:
        """Decisions, the newest first: all for an admin of all namespaces, those of its own for an admin of some.
        Raises Forbidden for everybody else."""
        caller = self._fresh()
        scope = caller.namespaces(Verb.AUDIT)
        if not scope:
            self._guard.may(Verb.AUDIT, None)
        with self._guard.store.read() as tx:
            rows = access.audit_of(tx, namespaces=scope, since=since, principal=principal, limit=limit)
        return [decision_document(row) for row in rows]

    def _fresh(self) -> Caller:
        """The caller as of now: who gives and takes rights is not to have any of a moment ago."""
        self._guard.again()
        return self._guard.caller


def _require_known(tx: Connection, name: str) -> None:
    if not access.known(tx, name):
        raise NotFound(
            f"There is no principal {name}.", reason="PrincipalNotFound", hint="`qtasks auth create` makes one."
        )


def _require_admin(tx: Connection) -> None:
    """Raise Conflict (`LastAdmin`) when nobody would be left who can manage principals."""
    if not access.admins(tx, everywhere=EVERYWHERE):
        raise Conflict(
            "Nobody would be left who is admin of all namespaces and has a token that is good.",
            reason="LastAdmin",
            hint="Make another admin, or another token of this one, first.",
        )


def _new_token(tx: Connection, caller: Caller, name: str, expires_seconds: float | None) -> tuple[Token, Any]:
    token = new_token()
    row = access.keep_token(
        tx, name, digest=token.digest, prefix=token.prefix, by=caller.name, expires_seconds=expires_seconds
    )
    _note(tx, caller, Verb.PRINCIPALS, None, f"token {token.prefix} of {name}")
    return token, row


def _note(tx: Connection, caller: Caller, verb: Verb, namespace: str | None, what: str) -> None:
    """Whoever gives rights is written down, the user of a fresh installation too."""
    access.record(tx, [Entry(caller.name, verb, namespace, what, True, "Allowed")])
