"""One process's connections to an installation: its database, object store and broker, and what QTASKS_CONFIG says."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, TypeVar

from qtasks.config import Config, load_config
from qtasks.costs.prices import PriceList, current_prices
from qtasks.errors import Unavailable
from qtasks.lifecycle import Queue
from qtasks.notify import Notifier, Waiter
from qtasks.objects import open_store
from qtasks.queue import Hint, Publisher
from qtasks.settings import Settings
from qtasks.store import Store, schema

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtasks.embedded import Presence


class _Closable(Protocol):
    def close(self) -> None: ...


C = TypeVar("C", bound=_Closable)


class Installation:
    """The connections of one process, made after a fork. Any number of callers and threads share one."""

    def __init__(self, settings: Settings, *, pool_size: int = 4) -> None:
        """Connects when something is asked. `pool_size`: connections to the database that are kept; twice as many are
        open at most."""
        self.settings = settings
        self.store = Store(settings.database, pool_size=pool_size)
        self.objects = open_store(settings.object_store)
        self._presence: Presence | None = None
        self._made: dict[str, _Closable] = {}
        self._making = threading.Lock()

    @classmethod
    def open(cls, settings: Settings, *, pool_size: int = 4) -> Installation:
        """For whoever comes to use an installation: starts or joins the embedded one; any other has to be one of this
        release. Raises Unavailable, and WrongSchema (see `store.schema`)."""
        if not settings.embedded:
            opened = cls(settings, pool_size=pool_size)
            try:
                schema.require_current(opened.store)
            except BaseException:
                opened.close()
                raise
            return opened
        from qtasks.embedded import join

        presence = join(settings)
        opened = cls(settings, pool_size=pool_size)
        opened._presence = presence
        return opened

    def close(self) -> None:
        """Close all connections. Jobs go on."""
        self.store.close()
        with self._making:
            made, self._made = list(self._made.values()), {}
        for one in made:
            one.close()
        if self._presence is not None:
            self._presence.close()

    @property
    def config(self) -> Config:
        """The accounts and devices that QTASKS_CONFIG names, as the file says now."""
        return load_config(self.settings.config_file)

    @property
    def prices(self) -> PriceList:
        """The prices that count: this release's, those that were refreshed, and those of QTASKS_CONFIG."""
        return current_prices(self.config.prices, refreshed=self.settings.prices_file)

    @property
    def publisher(self) -> Publisher:
        return self._once("publisher", Publisher)

    @property
    def waiter(self) -> Waiter:
        return self._once("waiter", Waiter)

    @property
    def notifier(self) -> Notifier:
        return self._once("notifier", Notifier)

    def _once(self, name: str, make: Callable[[str], C]) -> C:
        with self._making:
            if name not in self._made:
                self._made[name] = make(self.settings.broker)
            return self._made[name]  # type: ignore[return-value]  # what `make` of this name gave

    def hint_pollers(self) -> None:
        """Tell pollers that an account is due. Beat does so every few seconds anyway."""
        with suppress(Unavailable):
            self.publisher.suggest(Hint(Queue.POLLING, "", "accounts", 6))
