"""A server before the API that loses, refuses or delays what it is told to, and passes the rest on."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

LOSE = "lose"
"""The request is passed on, and its answer lost: the connection breaks."""


@dataclass
class Losing:
    """What becomes of the next requests: LOSE, or a status, headers and body to answer with. Then all pass."""

    url: str
    fates: list[Any] = field(default_factory=list)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    """Method, path and headers of each request."""


@contextmanager
def losing(onward: str, tls: ssl.SSLContext | None = None) -> Iterator[Losing]:
    """A server before the API at `onward`, with `tls` over https."""
    with httpx.Client(base_url=onward, timeout=60) as client:
        state = Losing("")

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _handle(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                state.requests.append((self.command, self.path, dict(self.headers)))
                fate = state.fates.pop(0) if state.fates else None
                if fate is None or fate == LOSE:
                    kept = {
                        name: value
                        for name, value in self.headers.items()
                        if name.lower() not in ("host", "content-length", "connection")
                    }
                    answer = client.request(self.command, self.path, content=body, headers=kept)
                    if fate == LOSE:
                        self.close_connection = True
                        return
                    fate = (answer.status_code, dict(answer.headers), answer.content)
                status, headers, content = fate
                self.send_response(status)
                dropped = ("content-length", "transfer-encoding", "content-encoding", "connection", "date", "server")
                for name, value in headers.items():
                    if name.lower() not in dropped:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_DELETE = _handle

            def log_message(self, *_: Any) -> None:
                return

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        state.url = f"http{'' if tls is None else 's'}://127.0.0.1:{server.server_address[1]}"
        try:
            yield state
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
