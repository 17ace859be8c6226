"""The client of whoever gives none: one a process, made when it is first needed."""

from __future__ import annotations

import atexit
import os
from functools import lru_cache
from threading import Lock

from qtasks.client import Client

_making = Lock()


def default_client() -> Client:
    """This process's client, as the settings have it; it is closed when the process ends."""
    with _making:  # the primitives of some libraries run in threads of their own
        return _client(os.getpid())


@lru_cache(maxsize=1)
def _client(_process: int) -> Client:
    # A client that was made before a fork must not be used after it.
    client = Client()
    atexit.register(_close, client, os.getpid())
    return client


def _close(client: Client, process: int) -> None:
    if os.getpid() == process:
        client.close()
