"""Limits of time for what has none of its own: looking names up, and a peer that sends a byte now and then."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

LOOKUP_SECONDS = 3.0


def lookup(host: str, port: int, **options: Any) -> list[Any]:
    """`socket.getaddrinfo`, which gives up after some seconds. Raises `socket.gaierror`."""
    found: list[Any] = []
    problems: list[OSError | UnicodeError] = []

    def look_up() -> None:
        try:
            found.extend(socket.getaddrinfo(host, port, **options))
        except (OSError, UnicodeError) as error:
            problems.append(error)

    thread = threading.Thread(target=look_up, name="lookup", daemon=True)
    thread.start()
    thread.join(LOOKUP_SECONDS)
    if problems:
        raise problems[0]
    if thread.is_alive() or not found:
        raise socket.gaierror(socket.EAI_AGAIN, "no answer in time")
    return found


@contextmanager
def cut_off(connection: socket.socket, seconds: float) -> Iterator[None]:
    """Break a connection off that is still in use after `seconds`: what waits for it fails with an OSError, or sees
    its end."""
    # Of its own: the number of a socket that was closed meanwhile may be another file's.
    twin = socket.fromfd(connection.fileno(), connection.family, connection.type)

    def cut() -> None:
        with suppress(OSError):
            twin.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(max(seconds, 0), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        twin.close()
