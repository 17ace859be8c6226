"""The warm process: Qiskit imported once, one forked child per request, deadlines kept, nothing of a user's read.

A connection is a request: one message with the limits as JSON and one descriptor, the child's end of a socket pair
whose other end the client holds. The answer is two messages on the same connection, `started` and how the child ended
(`exited`, `signal`, `deadline`). The client going away kills the child. Sources and answers pass the server by.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import select
import signal
import socket
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from qtasks.circuits import transpiler_plugins
from qtasks.circuits.python import imports
from qtasks.circuits.sandbox import child, rehearsal
from qtasks.circuits.sandbox.layers import Layers

MAX_MESSAGE = 4096
_LOOK_AT_SIZE_EVERY = 64
"""Children between two looks at the server's own size."""


@dataclass(slots=True)
class _Child:
    pid: int
    pidfd: int
    control: socket.socket | None
    """The way to give a waiting child its request; None once it has one."""
    client: socket.socket | None = None
    deadline: float = float("inf")
    overdue: bool = False


class Server:
    """One thread, one poll loop. `spares` children are forked ahead of requests; at most `most` run at a time.

    When it has grown by `growth` bytes it takes no more requests, and ends with the last child: see `run`.
    """

    def __init__(
        self, listener: socket.socket, layers: Layers, *, spares: int, most: int, growth: int, parent: int | None
    ) -> None:
        self._listener = listener
        self._layers = layers
        self._most_resident = resident_bytes() + growth
        self._reaped = 0
        self._grown = False
        self._spares_wanted = spares
        self._most = most
        self._poll = select.poll()
        self._greeting: dict[int, socket.socket] = {}
        self._children: dict[int, _Child] = {}
        self._clients: dict[int, _Child] = {}
        self._spares: list[_Child] = []
        self._accepting = False
        self._parent = -1
        # A handler that raised could do so anywhere, also where exceptions are swallowed: the poll sees the signal.
        self._signals, woken = socket.socketpair()
        woken.setblocking(False)
        self._woken = woken
        signal.set_wakeup_fd(woken.fileno())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        self._poll.register(self._signals, select.POLLIN)
        if parent is not None:
            self._parent = os.pidfd_open(parent)
            self._poll.register(self._parent, select.POLLIN)
            if os.getppid() != parent:
                raise SystemExit(0)

    def run(self) -> bool:
        """Serves until SIGTERM, SIGINT or the end of the process that started it; then ends every child.

        True: it has grown, and another process should take its place at the same socket.
        """
        try:
            self._serve()
            return self._grown
        finally:
            for running in self._children.values():
                self._kill(running)
            for running in self._children.values():
                os.waitpid(running.pid, 0)

    def _serve(self) -> None:
        self._listener.setblocking(False)
        while True:
            busy = len(self._clients) + len(self._greeting)
            if self._grown and not busy:
                return
            self._listen(busy < self._most and not self._grown)
            # A new spare is forked only when nothing waits: the fork takes 2 ms.
            ready = self._poll.poll(0 if self._too_few_spares() else self._patience())
            if not ready and self._too_few_spares():
                self._spares.append(self._fork())
            # Looked up before anything is done: what is done closes descriptors, and their numbers come again.
            for act in [self._act(descriptor) for descriptor, _ in ready]:
                if act is None:
                    return
                act()
            now = time.monotonic()
            for running in self._clients.values():
                if running.deadline <= now and not running.overdue:
                    running.overdue = True
                    self._kill(running)

    def _act(self, descriptor: int) -> Callable[[], None] | None:
        """What to do about a descriptor that is ready; None: end."""
        if descriptor in (self._parent, self._signals.fileno()):
            return None
        if descriptor in self._greeting:
            return partial(self._begin, self._greeting[descriptor])
        if descriptor in self._children:
            return partial(self._reap, self._children[descriptor])
        if descriptor in self._clients:
            return partial(self._kill, self._clients[descriptor])  # the client went away, or spoke out of turn
        return self._accept

    def _too_few_spares(self) -> bool:
        return len(self._spares) < self._spares_wanted

    def _patience(self) -> int | None:
        nearest = min((c.deadline for c in self._clients.values() if not c.overdue), default=None)
        return None if nearest is None else max(0, int((nearest - time.monotonic()) * 1000) + 1)

    def _listen(self, wanted: bool) -> None:
        if wanted != self._accepting:
            self._accepting = wanted
            if wanted:
                self._poll.register(self._listener, select.POLLIN)
            else:
                self._poll.unregister(self._listener)

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            client, _ = self._listener.accept()
            client.setblocking(False)
            self._greeting[client.fileno()] = client
            self._poll.register(client, select.POLLIN)
            self._begin(client)  # mostly it has spoken already

    def _begin(self, client: socket.socket) -> None:
        descriptors: list[int] = []
        try:
            message, descriptors, _, _ = socket.recv_fds(client, MAX_MESSAGE, 1)
        except BlockingIOError:
            return
        except OSError:
            message = b""
        del self._greeting[client.fileno()]
        try:
            wall = float(json.loads(message)["wall"])
            if len(descriptors) != 1:
                raise ValueError("a request carries one descriptor")
            running = self._assign(message, descriptors[0])
            running.client = client
            running.deadline = time.monotonic() + wall
            self._clients[client.fileno()] = running
            self._tell(client, {"status": "started"})
        except (OSError, ValueError, KeyError, TypeError):
            self._drop(client)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _assign(self, message: bytes, descriptor: int) -> _Child:
        while True:
            waiting = self._spares.pop(0) if self._spares else self._fork()
            assert waiting.control is not None
            try:
                socket.send_fds(waiting.control, [message], [descriptor])
            except OSError:  # it died while it waited, and will be reaped as any other
                continue
            finally:
                waiting.control.close()
                waiting.control = None
            return waiting

    def _fork(self) -> _Child:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        server = os.getpid()
        pid = os.fork()
        if pid == 0:
            try:
                child.main(theirs.fileno(), server, self._layers)
                os._exit(0)
            finally:
                os._exit(70)
        theirs.close()
        pidfd = os.pidfd_open(pid)
        made = _Child(pid, pidfd, ours)
        self._children[pidfd] = made
        self._poll.register(pidfd, select.POLLIN)
        return made

    def _kill(self, running: _Child) -> None:
        """Kills the child's whole session; the descriptors are let go when it is reaped."""
        if self._children.get(running.pidfd) is not running:
            return
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(running.pidfd, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(running.pid, signal.SIGKILL)
        if running.client is not None:
            with contextlib.suppress(KeyError):
                self._poll.unregister(running.client)

    def _reap(self, ended: _Child) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(ended.pid, signal.SIGKILL)  # whatever it left behind in its session, before its id is free again
        pid, status = os.waitpid(ended.pid, os.WNOHANG)
        assert pid == ended.pid, "its pidfd says that it has ended"
        self._poll.unregister(ended.pidfd)
        del self._children[ended.pidfd]
        os.close(ended.pidfd)
        if ended in self._spares:
            self._spares.remove(ended)
        if ended.control is not None:
            ended.control.close()
        self._reaped += 1
        if self._reaped % _LOOK_AT_SIZE_EVERY == 0:
            self._grown = self._grown or resident_bytes() > self._most_resident
        client = ended.client
        if client is None:
            return
        del self._clients[client.fileno()]
        if ended.overdue:
            self._tell(client, {"status": "deadline"})
        elif os.WIFSIGNALED(status):
            self._tell(client, {"status": "signal", "signal": os.WTERMSIG(status)})
        else:
            self._tell(client, {"status": "exited", "code": os.waitstatus_to_exitcode(status)})
        self._drop(client)

    @staticmethod
    def _tell(client: socket.socket, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # it went away; its going is noticed by the poll
            client.send(json.dumps(message).encode())

    def _drop(self, client: socket.socket) -> None:
        with contextlib.suppress(KeyError):
            self._poll.unregister(client)
        client.close()


def warm() -> None:
    """Imports what children need, and reads each format once, so that no child pays for a first time."""
    # Qiskit's imports ask for a temporary folder, and to look for one is to write a file: there may be none to write.
    tempfile.tempdir = "/tmp"
    import numpy

    importlib.import_module("qiskit_qasm3_import")  # 0.15 s, used through qiskit.qasm3
    importlib.import_module("scipy.linalg")  # its OpenBLAS counts its threads now, while the environment says one
    numpy.random.seed()
    transpiler_plugins.forget_others()
    imports.warm()
    rehearsal.in_full()


def resident_bytes() -> int:
    """Memory of this process that is in RAM."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
