"""An HTTP or HTTPS server on loopback whose answers the tests write."""

from __future__ import annotations

import contextlib
import ssl
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import trustme

Handler = Callable[["Asked"], None]


class Asked(BaseHTTPRequestHandler):
    """One request; a test's function answers it, by `reply` or on the socket itself (`wfile`)."""

    protocol_version = "HTTP/1.1"
    answer: Handler
    requests: list[tuple[str, dict[str, str]]]

    def handle_any(self) -> None:
        self.requests.append((self.path, dict(self.headers)))
        self.close_connection = True
        type(self).answer(self)

    do_GET = do_POST = handle_any

    def reply(self, body: bytes = b"", status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def body(self) -> bytes:
        """What was sent, by length or in chunks."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def log_message(self, *_: Any) -> None: ...


class WebServer:
    """Answers each request with `answer`, on a port of its own; `requests` has path and headers of those that came."""

    def __init__(self, answer: Handler, authority: trustme.CA | None = None, *names: str) -> None:
        self.requests: list[tuple[str, dict[str, str]]] = []
        handler = type("Handler", (Asked,), {"answer": staticmethod(answer), "requests": self.requests})
        self._server = _Server(("127.0.0.1", 0), handler)
        self.scheme = "http"
        if authority is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert(*(names or ("localhost", "127.0.0.1"))).configure_cert(context)
            self._server.tls = context
            self.scheme = "https"
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def url(self, path: str = "/", host: str = "localhost") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    def __enter__(self) -> WebServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    tls: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.tls is not None:
            request = self.tls.wrap_socket(request, server_side=True)
        with contextlib.closing(request):
            super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients here break connections off, and refuse certificates, on purpose."""
