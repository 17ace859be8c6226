"""The gateways of one process: an installation, and a `Direct` on it for each token that was seen lately."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from qtasks.access import digest, is_token
from qtasks.client.direct import Direct, Installation
from qtasks.client.gateway import Gateway
from qtasks.errors import Forbidden

T = TypeVar("T")

_KEPT = 1024


@dataclass(slots=True)
class Caller:
    """Whoever shows one token."""

    gateway: Direct
    principal: str | None = None
    """Whose token it is, once something was done for it."""

    def ask(self, call: Callable[[Gateway], T]) -> T:
        """What `call` gives for this caller."""
        try:
            given = call(self.gateway)
        except Forbidden as error:
            if error.reason.startswith("Token"):
                self.principal = None
            raise
        caller = self.gateway.guard.caller
        self.principal = caller.name if caller.principal else None
        return given


class Gateways:
    """The callers of an installation by their tokens; safe to share between threads."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._of: OrderedDict[str, Caller] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, token: str | None) -> Caller:
        """Whoever shows this token; None: no token."""
        key = _key(token)
        with self._lock:
            found = self._of.get(key)
            if found is None:
                found = self._of[key] = Caller(Direct.of(self._installation, token))
                if len(self._of) > _KEPT:
                    self._of.popitem(last=False)
            else:
                self._of.move_to_end(key)
            return found


def _key(token: str | None) -> str:
    """By what a token is remembered: never its text. All that cannot be tokens are one."""
    if not token:
        return ""
    return digest(token) if is_token(token) else "?"
