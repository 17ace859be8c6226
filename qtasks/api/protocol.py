"""Connections: uvicorn's, with bounds on how slowly and how largely a request's head may come, and an end that tells
whoever waits."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from qtasks.api.answers import encoded
from qtasks.api.problems import MEDIA_TYPE, document
from qtasks.errors import InvalidInput

_HEAD_BYTES = 64 * 2**10


class Connection(HttpToolsProtocol):
    """A connection of a client, whose application state has `serving`."""

    _head_timer: asyncio.TimerHandle | None = None
    _head_bytes = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._expect_head()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._grow(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._grow(len(name) + len(value))

    def on_headers_complete(self) -> None:
        self._end_head()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        # What comes after the answer is thrown away: a connection that were closed at once would lose the answer too.
        if self.cycle.response_complete and self._head_timer is None:
            self._expect_head()

    def shutdown(self) -> None:
        """The server ends: a request that only waits is answered at once."""
        self.app_state["serving"].stop()
        super().shutdown()

    def send_400_response(self, msg: str) -> None:
        error = InvalidInput("The request is no HTTP.", reason="UnreadableBody")
        content = encoded(document(error, "/"))
        head = [
            STATUS_LINE[400],
            f"content-type: {MEDIA_TYPE}\r\ncontent-length: {len(content)}\r\nconnection: close\r\n\r\n".encode(),
        ]
        self.transport.write(b"".join([*head, content]))
        self.transport.close()

    def _expect_head(self) -> None:
        self._end_head()
        self._head_bytes = 0
        # Not longer by the bytes that trickle in: whoever sends one a second would hold the connection for ever.
        self._head_timer = self.loop.call_later(self.app_state["serving"].settings.api_idle_seconds, self._abort)

    def _end_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _grow(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > _HEAD_BYTES:
            self._abort()

    def _abort(self) -> None:
        if not self.transport.is_closing():
            self.transport.abort()
