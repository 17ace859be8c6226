"""The pool process's side of lease keeping: it says what it holds, and another process renews it.

Aer holds Python's lock through a run, so no thread of this process could. See `keeper` for the other side.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from qtasks.store.claims import Claim


class LeaseHolder:
    """A connection to the lease keeper of this worker; its end tells the keeper that this process died."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._socket: socket.socket | None = None
        self._pid = os.getpid()

    def greet(self) -> None:
        """Connect, so that the keeper knows of this process before it holds anything."""
        with suppress(OSError):
            self._connect()

    def hold(self, claim: Claim, *, limit_seconds: float | None = None) -> None:
        """Ask for the leases of `claim` to be renewed; past `limit_seconds` this process is killed."""
        self._send(
            {
                "hold": claim.fence,
                "owner": claim.owner,
                "stage": claim.stage.value,
                "jobs": claim.ids,
                "limit": limit_seconds,
            }
        )

    def drop(self, claim: Claim) -> None:
        """The work is done, or given up: renew no longer."""
        self._send({"drop": claim.fence})

    def _send(self, message: Mapping[str, Any]) -> None:
        # Without a keeper the claim is good for one lease: the work goes on, and may be taken over if it is long.
        data = json.dumps(message).encode() + b"\n"
        for _ in range(2):
            with suppress(OSError):
                if self._socket is None or self._pid != os.getpid():
                    self._connect()
                assert self._socket is not None
                self._socket.sendall(data)
                return
            self.close()

    def _connect(self) -> None:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(5)
        connection.connect(str(self._path))
        self._socket, self._pid = connection, os.getpid()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
