"""The HTTP side: a thread per connection, every connection ended with the server."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.ibm.faults import Answer

Serve = Callable[[str, str, Mapping[str, list[str]], Mapping[str, str], bytes], Answer | None]
"""Method, path, query, headers and body in; what to answer out, or None to drop the connection."""


class HTTPServer(ThreadingHTTPServer):
    """Listens on a free port of loopback."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, serve: Serve) -> None:
        self.serve = serve
        self.open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed leaves its connection; nothing to report."""

    def drop_all(self) -> None:
        """End every connection, whatever is going on in it."""
        for connection in list(self.open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet: two would wait for each other's acknowledgement
    disable_nagle_algorithm = True
    server: HTTPServer

    def setup(self) -> None:
        super().setup()
        self.server.open.add(self.connection)

    def finish(self) -> None:
        with suppress(OSError):
            super().finish()
        self.server.open.discard(self.connection)

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = urlsplit(self.path)
        answer = self.server.serve(self.command, parts.path, parse_qs(parts.query), self.headers, body)
        if answer is None:
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        content = b""
        kind = "application/json"
        if isinstance(answer.body, (str, bytes)):
            content = answer.body.encode() if isinstance(answer.body, str) else answer.body
            kind = "text/plain"
        elif answer.body is not None:
            content = json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in {"Content-Type": kind, **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = _serve

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the library's
        """Nothing on the terminal."""
