"""A Google Cloud Storage emulator on loopback, with what it lacks: a body that is cut short is not stored, and service
accounts are given tokens, without which nothing is, where the test wants that."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import threading
from functools import partial
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from gcp_storage_emulator.handlers import buckets
from gcp_storage_emulator.server import RequestHandler
from gcp_storage_emulator.storage import Storage

logging.getLogger("gcp_storage_emulator").setLevel(logging.CRITICAL)
logging.getLogger("api").setLevel(logging.CRITICAL)


class GcsServer:
    """The emulator, in memory, in threads of this process; `requests` has method, path and headers of what came.

    With the public key of a service account (PEM), `POST /token` gives a token for what that account signed, and
    nothing is answered without it. `broken` makes it answer 503.
    """

    def __init__(self, bucket: str, *, public_key: bytes | None = None, token: str = "") -> None:
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.public_key, self.token, self.broken = public_key, token, False
        self.storage = Storage(use_memory_fs=True)
        buckets.create_bucket(bucket, self.storage)
        lock = threading.RLock()  # the emulator's storage knows one thread
        handler = type("Handler", (_Whole,), {"server_of": self, "lock": lock})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, self.storage))
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> GcsServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Whole(RequestHandler):
    server_of: GcsServer
    lock: threading.RLock

    def parse_request(self) -> bool:
        if not super().parse_request():
            return False
        self.server_of.requests.append((self.command, self.path, dict(self.headers)))
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            return False
        refusal = self._refusal(body)
        if refusal is not None:
            self._reply(*refusal)
            return False
        if self.command == "PUT" and "Content-Type" in self.headers:
            # The emulator would read a body that is JSON as if it were its own.
            self.headers.replace_header("Content-Type", "application/octet-stream")
        self.rfile = _Read(body, self.rfile)
        return True

    def _refusal(self, body: bytes) -> tuple[int, dict[str, str]] | None:
        """What is answered in the emulator's place."""
        mine = self.server_of
        if mine.broken:
            return 503, {"error": "backend error"}
        if mine.public_key is not None and self.path == "/token":
            return self._token(body)
        if mine.public_key is not None and self.headers.get("Authorization") != f"Bearer {mine.token}":
            return 401, {"error": "unauthorized"}
        md5 = self.headers.get("Content-MD5")
        if md5 and base64.b64decode(md5) != hashlib.md5(body).digest():
            return 400, {"error": "bad digest"}
        return None

    def _token(self, body: bytes) -> tuple[int, dict[str, str]]:
        from google.auth import jwt

        [assertion] = parse_qs(body.decode())["assertion"]
        try:
            claims = jwt.decode(assertion, certs=self.server_of.public_key, audience=f"{self.server_of.url}/token")
        except ValueError:
            return 400, {"error": "invalid_grant"}
        return (200, {"access_token": self.server_of.token}) if claims["scope"] else (400, {"error": "invalid_scope"})

    def _reply(self, status: int, answer: dict[str, str]) -> None:
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def handle_one_request(self) -> None:
        super().handle_one_request()
        if isinstance(self.rfile, _Read):
            self.rfile = self.rfile.behind

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if not name.startswith("do_"):
            return found

        def alone() -> None:
            with self.lock:
                found()

        return alone

    def log_message(self, *_: Any) -> None: ...


class _Read:
    """A body that has come; what is behind it is the next request."""

    def __init__(self, body: bytes, behind: Any) -> None:
        self._body = body
        self.behind = behind

    def read(self, size: int = -1) -> bytes:
        size = len(self._body) if size < 0 else size
        part, self._body = self._body[:size], self._body[size:]
        return part

    def readline(self, limit: int = -1) -> bytes:
        return b""  # no chunks: clients here know how long their bodies are

    def __getattr__(self, name: str) -> Any:
        return getattr(self.behind, name)
