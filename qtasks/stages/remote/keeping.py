"""The lease of a visit, renewed for as long as the visit lasts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from qtasks.errors import Unavailable
from qtasks.stages.worker import Worker
from qtasks.store import accounts
from qtasks.store.accounts import Visit


@contextmanager
def kept(worker: Worker, visit: Visit) -> Iterator[None]:
    """Renew the lease of `visit` for the time of the block.

    Fifty pages of a slow provider take longer than a lease, and the account of a poller that died must not wait longer
    than one. A thread will do where a job's lease needs a process: nothing in a visit simulates.
    """
    over = threading.Event()

    def renew() -> None:
        while not over.wait(worker.settings.heartbeat_seconds):
            with suppress(Unavailable), worker.store.begin() as tx:
                accounts.renew(tx, visit, lease_seconds=worker.settings.lease_seconds)

    thread = threading.Thread(target=renew, name=f"visit-{visit.account}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
