"""A relay before a server on loopback that can be away for a while, and that can stall."""

from __future__ import annotations

import select
import socket
import threading
from contextlib import suppress


class Relay:
    """Passes bytes on to `port`. `down()` refuses connections and breaks those that there are, `up()` ends that, on the
    same port of its own. `stall`: connections are taken, and nothing is passed on; `taken` says that one was."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._open: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self.port = 0
        self.stall = self.taken = False

    def up(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(32)
        self.port, self._listener = listener.getsockname()[1], listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def down(self) -> None:
        assert self._listener is not None
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def __enter__(self) -> Relay:
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                came, _ = listener.accept()
            except OSError:
                return
            self._open.add(came)
            self.taken = self.taken or self.stall
            threading.Thread(target=self._serve, args=(came,), daemon=True).start()

    def _serve(self, came: socket.socket) -> None:
        with came, suppress(OSError), socket.create_connection(("127.0.0.1", self._target)) as onward:
            ways = {came: onward} if self.stall else {came: onward, onward: came}
            while ready := select.select(list(ways), [], [])[0]:
                for source in ready:
                    data = source.recv(2**16)
                    if not data:  # whoever hangs up has said or heard all
                        return
                    if not self.stall:
                        ways[source].sendall(data)
