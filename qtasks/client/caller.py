"""Who is asking: the user of an embedded or a fresh installation, or the principal of QTASKS_API_TOKEN."""

from __future__ import annotations

import time
from weakref import WeakKeyDictionary

from qtasks.access import (
    LOCAL,
    Binding,
    Caller,
    Role,
    digest,
    is_token,
    token_expired,
    token_invalid,
    token_required,
    token_revoked,
)
from qtasks.errors import Forbidden
from qtasks.settings import Settings
from qtasks.store import Store, access
from qtasks.store.access import Entry

KNOWN_SECONDS = 5.0
"""How long a token, its roles and the want of any principal are taken for what they were: a role that is taken away is
gone so much later."""
AUTHENTICATE = "authenticate"
"""The verb under which the audit trail has tokens that were refused."""
_TOLD: WeakKeyDictionary[Store, dict[str, float]] = WeakKeyDictionary()
"""When a refused token was written down last, by its reason."""


class Asking:
    """The caller of one client, looked up in the database every few seconds at most; in embedded mode never."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._embedded = settings.embedded
        token = settings.api_token.get_secret_value().strip() if settings.api_token is not None else ""
        self._digest = digest(token) if is_token(token) else None
        self._given = bool(token)
        self._known: tuple[float, Caller] | None = None

    def caller(self) -> Caller:
        """Who it is. Raises Forbidden (`TokenRequired`, `TokenInvalid`, `TokenExpired`)."""
        if self._embedded:
            return LOCAL
        if self._known is not None and time.monotonic() - self._known[0] < KNOWN_SECONDS:
            return self._known[1]
        self._known = None
        try:
            caller = self._look_up()
        except Forbidden as error:
            self._tell(error)
            raise
        self._known = (time.monotonic(), caller)
        return caller

    def again(self) -> None:
        """Look the caller up anew at the next question: roles were changed here."""
        self._known = None

    def _look_up(self) -> Caller:
        with self._store.read() as tx:
            if self._digest is None:
                if self._given:
                    raise token_invalid()
                if access.any_principal(tx):
                    raise token_required()
                return LOCAL
            row = access.token(tx, self._digest)
            if row is None:
                raise token_invalid()
            if row.revoked_at is not None:
                raise token_revoked(row.prefix)
            if row.expires_at is not None and row.expires_at <= row.now:
                raise token_expired(row.prefix, f"{row.expires_at:%Y-%m-%d %H:%M} UTC")
            bound = access.bindings_of(tx, [row.principal])[row.principal]
        if access.needs_noting(row):
            with self._store.begin() as tx:
                access.used(tx, row)
        bindings = tuple(Binding(each.namespace, Role(each.role), each.urgent) for each in bound)
        return Caller(row.principal, bindings)

    def _tell(self, error: Forbidden) -> None:
        """Write a refused token down, not more than once in a while for all callers of a process: who keeps trying, or
        makes tokens up, is to fill no disk."""
        told = _TOLD.setdefault(self._store, {})
        if time.monotonic() - told.get(error.reason, -float("inf")) < KNOWN_SECONDS:
            return
        told[error.reason] = time.monotonic()
        with self._store.begin() as tx:
            # Not a letter of what was given: it may be some other service's secret.
            access.record(tx, [Entry(None, AUTHENTICATE, None, "", False, error.reason)])
