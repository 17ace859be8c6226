"""Whether what a process works with answers: its database, its broker, its sandbox. Nobody waits long for the word."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from qtasks.circuits.sandbox import Limits
from qtasks.errors import QTasksError, Unavailable
from qtasks.queue import redis_client, unavailable
from qtasks.store import Store
from qtasks.telemetry.probes import OK

_WAIT_SECONDS = 2.0
_KEPT_SECONDS = 2.0


class Check:
    """Asks in a thread of its own, one at a time, at most every two seconds: what is frozen freezes nobody else."""

    def __init__(self, ask: Callable[[], None]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._answered: threading.Event | None = None
        self._said = OK
        self._until = 0.0

    def __call__(self) -> str:
        """`ok`, or why not in a few words."""
        with self._lock:
            if self._answered is None:
                if time.monotonic() < self._until:
                    return self._said
                self._answered = threading.Event()
                threading.Thread(target=self._find_out, args=(self._answered,), daemon=True).start()
            answered = self._answered
        return self._said if answered.wait(_WAIT_SECONDS) else f"no answer within {_WAIT_SECONDS:g} s"

    def _find_out(self, answered: threading.Event) -> None:
        try:
            self._ask()
        except QTasksError as error:
            said = error.reason
        except Exception as error:  # whatever its library raises, it does not answer
            said = type(error).__name__
        else:
            said = OK
        with self._lock:
            self._said, self._until, self._answered = said, time.monotonic() + _KEPT_SECONDS, None
        answered.set()


def database(url: str) -> Check:
    """Whether the database answers."""
    store = Store(url, pool_size=1)

    def ask() -> None:
        with store.read() as tx:
            tx.exec_driver_sql("SELECT 1")

    return Check(ask)


def broker(url: str) -> Check:
    """Whether Redis answers."""

    def ask() -> None:
        client = redis_client(url)
        try:
            client.ping()
        except OSError as error:
            raise unavailable(error) from None
        finally:
            client.close()

    return Check(ask)


def sandbox(address: Path) -> Check:
    """Whether the sandbox behind this socket gives a child: it is let go before it reads anything."""
    limits = Limits()
    request = {
        "wall": 1.0,
        "cpu": 1.0,
        "memory": limits.memory_bytes,
        "output": limits.output_bytes,
        "operations": limits.operations,
        "flush": 0.0,
    }

    def ask() -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
            server.settimeout(_WAIT_SECONDS)
            ours, theirs = socket.socketpair()
            with ours, theirs:
                try:
                    server.connect(str(address))
                    socket.send_fds(server, [json.dumps(request).encode()], [theirs.fileno()])
                    started = bool(server.recv(4096))
                except OSError:
                    started = False
        if not started:
            raise Unavailable("The sandbox does not answer.", reason="SandboxUnavailable")

    return Check(ask)
