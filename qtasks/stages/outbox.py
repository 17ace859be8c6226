"""Sending what is written down to be sent: one message at a time, each tried until it is taken, refused or too old."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import Connection

from qtasks.errors import QTasksError, Unavailable
from qtasks.store import Store
from qtasks.telemetry import metrics

log = logging.getLogger(__name__)

_AT_ONCE = 100
_STARTING_SECONDS = 4.0
_LEASE_SECONDS = 120.0
_RETRY_SECONDS = (30.0, 60.0, 120.0, 300.0, 900.0, 1800.0, 3600.0)
"""Until the next try, after each that failed; the last one counts from then on."""
_GIVE_UP_SECONDS = 86_400.0


class Due(Protocol):
    """A message that is to be sent."""

    @property
    def tries(self) -> int: ...
    @property
    def age_seconds(self) -> float: ...


D = TypeVar("D", bound=Due)


class Notes(Protocol):
    """Where messages are written down: a module of the store."""

    @property
    def take(self) -> Callable[..., Any]: ...
    @property
    def sent(self) -> Callable[..., bool]: ...
    @property
    def put_off(self) -> Callable[..., bool]: ...
    @property
    def give_up(self) -> Callable[..., bool]: ...


@dataclass(frozen=True, slots=True)
class Outbox(Generic[D]):
    """Messages of one kind."""

    store: Store
    notes: Notes
    send: Callable[[D], None]
    """Raises Unavailable for what may heal, another QTasksError for what does not."""
    called: Callable[[D], str]
    """What the log calls a message."""
    kind: str
    """What the metrics call them."""

    def empty(self) -> int:
        """Send what is due; returns how many messages were sent.

        Takes some seconds at most; the next call goes on. Safe to run from several places at once: a message is sent by
        one of them. One that dies between sending it and noting that leaves it to be sent again, with the same id.
        """
        number, ends = 0, time.monotonic() + _STARTING_SECONDS
        for _ in range(_AT_ONCE):
            due = self._noted(lambda tx: self.notes.take(tx, lease_seconds=_LEASE_SECONDS))
            if due is None:
                break
            number += self._deliver(due)
            if time.monotonic() > ends:
                break
        return number

    def _deliver(self, due: D) -> bool:
        try:
            self.send(due)
        except Unavailable as error:
            if due.age_seconds >= _GIVE_UP_SECONDS:
                return self._give_up(due, error)
            log.warning("%s is tried again: %s", self.called(due), error)
            metrics.DELIVERIES.count(kind=self.kind, outcome="put_off")
            problem, seconds = error.message, _RETRY_SECONDS[min(due.tries, len(_RETRY_SECONDS)) - 1]
            self._noted(lambda tx: self.notes.put_off(tx, due, problem, seconds=seconds))
            return False
        except QTasksError as error:
            return self._give_up(due, error)
        metrics.DELIVERIES.count(kind=self.kind, outcome="delivered")
        self._noted(lambda tx: self.notes.sent(tx, due))
        return True

    def _give_up(self, due: D, error: QTasksError) -> bool:
        log.error("%s is given up: %s", self.called(due), error)
        metrics.DELIVERIES.count(kind=self.kind, outcome="given_up" if isinstance(error, Unavailable) else "refused")
        self._noted(lambda tx: self.notes.give_up(tx, due, error.message))
        return False

    def _noted(self, write: Callable[[Connection], Any]) -> Any:
        with self.store.begin() as tx:
            return write(tx)
