"""The warm process, as the workers see it: started, reached, started again when it died, ended."""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qtasks.circuits.sandbox import layers
from qtasks.circuits.sandbox.conversation import End, ServerLost, end_of
from qtasks.circuits.sandbox.server_socket import listen
from qtasks.errors import Unavailable

_log = logging.getLogger(__name__)

START_SECONDS = 60.0
"""How long a request may wait for a child: the warm process takes a second to import Qiskit, and may be full."""


_STOP_SECONDS = 5.0


class ServedChild:
    """A child of the warm process, behind the connection that it was asked for on; closing that kills it."""

    def __init__(self, server: socket.socket) -> None:
        self._server = server

    def close(self) -> None:
        self._server.close()

    def await_start(self) -> None:
        try:
            self._server.settimeout(START_SECONDS)
            self._status()
        except TimeoutError:
            raise Unavailable(
                f"The sandbox gave no process within {START_SECONDS:g} s.",
                reason="SandboxUnavailable",
                hint="It is full or stuck: run more workers, or restart it.",
            ) from None
        except (OSError, EOFError):
            raise ServerLost(started=False) from None

    def why(self) -> End:
        try:
            self._server.settimeout(10.0)
            status = self._status()
        except (OSError, EOFError, ValueError):
            raise ServerLost(started=True) from None
        if status["status"] == "deadline":
            return End("ValidationTimeout", layer="deadline")
        return end_of(-status["signal"] if "signal" in status else status["code"])

    def _status(self) -> dict[str, Any]:
        message = self._server.recv(4096)
        if not message:
            raise EOFError
        return dict(json.loads(message))


class WarmProcess:
    """One warm process behind a Unix socket: somebody else's when `address` is given, otherwise our own.

    Forked processes share the path and nothing else. Whoever finds the process dead starts the next one, under a lock.
    `permissive`: it runs sources with the layers that this platform has, where it lacks some.
    """

    def __init__(self, address: Path | None, *, spares: int, permissive: bool) -> None:
        self._given = address
        self._spares = spares
        self._permissive = permissive
        self._folder: Path | None = None
        self._folder_owner = 0
        self._server: subprocess.Popen[bytes] | None = None
        self._server_owner = 0
        self._lock = threading.Lock()
        self.lacking: list[str] = []
        """What this platform lacks, and was permitted to; a sentence each."""

    @property
    def address(self) -> Path:
        """The socket that requests go to. Raises Unavailable before `start`."""
        if self._given is not None:
            return self._given
        if self._folder is None:
            raise Unavailable("The sandbox has not been started.", reason="SandboxUnavailable", hint="Call start().")
        return self._folder / "socket"

    @property
    def pid(self) -> int | None:
        """The process id, where this process started it."""
        return self._server.pid if self._server is not None else None

    def start(self) -> None:
        """Starts the process and returns at once. Raises Unavailable where that cannot be done."""
        if self._given is not None or self._folder is not None:
            return
        lacking = layers.missing()
        if lacking and not self._permissive:
            raise Unavailable(
                " ".join(lacking),
                reason="SandboxIncomplete",
                hint="Run the worker where `qtasks doctor` finds every layer, or name a sandbox that runs elsewhere in"
                " QTASKS_SANDBOX_SOCKET. QTASKS_SANDBOX=permissive runs sources with the layers that there are.",
            )
        self.lacking = lacking
        for sentence in lacking:
            _log.warning("Circuit sources run without a layer of the sandbox. %s", sentence)
        self._folder = Path(tempfile.mkdtemp(prefix="qtasks-sandbox-"))
        self._folder_owner = os.getpid()
        self._spawn()

    def close(self) -> None:
        """Ends the process that this process started; its children go with it. May be called twice."""
        with self._lock:
            self._stop()
            if self._folder is not None and self._folder_owner == os.getpid():
                shutil.rmtree(self._folder, ignore_errors=True)
                self._folder = None

    def child(self, limits: Mapping[str, object], pipe: socket.socket) -> ServedChild:
        """Asks for a child. Raises Unavailable, ServerLost."""
        server = self._connect()
        try:
            socket.send_fds(server, [json.dumps(limits).encode()], [pipe.fileno()])
        except OSError:
            server.close()
            raise ServerLost(started=False) from None
        return ServedChild(server)

    def _connect(self) -> socket.socket:
        """A connection for one request, to a new process when the old one is gone. Raises Unavailable."""
        address = str(self.address)
        for last in (False, False, True):
            server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            try:
                server.settimeout(START_SECONDS)
                server.connect(address)
                return server
            except OSError as error:
                server.close()
                if last or self._given is not None:
                    raise Unavailable(
                        f"The sandbox at {address} cannot be reached: {error.strerror or error}.",
                        reason="SandboxUnavailable",
                        hint="Start it: python -m qtasks.circuits.sandbox --socket PATH",
                    ) from None
            self._restart()
        raise AssertionError("unreachable: the last try raises")

    def _restart(self) -> None:
        """Starts a new process at the same path, unless another thread or process has just done so."""
        assert self._folder is not None
        self._folder.mkdir(mode=0o700, exist_ok=True)  # it goes when the process that made it is killed
        with self._lock, (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
                probe.connect(str(self.address))
                return
            self._stop()
            self._spawn()

    def _spawn(self) -> None:
        try:
            with listen(self.address) as listener:
                main = Path(__file__).with_name("__main__.py")
                command = [sys.executable, "-I", str(main), f"--fd={listener.fileno()}", f"--parent={os.getpid()}"]
                if self._permissive:
                    command.append("--permissive")
                if self._folder is not None and self._folder_owner == os.getpid():
                    command.append(f"--folder={self._folder}")
                self._server = subprocess.Popen(
                    [*command, f"--spares={self._spares}"],
                    env={},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=[listener.fileno()],
                    start_new_session=True,
                    cwd="/",
                )
                self._server_owner = os.getpid()
        except OSError as error:
            raise Unavailable(f"The sandbox cannot be started: {error}.", reason="SandboxUnavailable") from None

    def _stop(self) -> None:
        if self._server is None or self._server_owner != os.getpid():
            self._server = None
            return
        if self._server.poll() is None:
            self._server.terminate()
            try:
                self._server.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._server.kill()  # its children die with it as well (PDEATHSIG)
                self._server.wait()
        self._server = None
