"""How client and child speak: frames of a JSON header and raw bytes. No pickle, and every length is bounded."""

from __future__ import annotations

import json
import struct
import time
from typing import Any, Protocol

_LENGTHS = struct.Struct("!II")
MAX_HEADER = 8 * 2**20
MAX_BODY = 2**32 - 1
_READ_AHEAD = 1 << 18


class BrokenFrame(Exception):
    """What arrived is not a frame within the bounds."""


def frame(header: dict[str, Any], *bodies: bytes) -> bytes:
    """The bytes of one frame."""
    text = json.dumps(header, separators=(",", ":")).encode()
    return b"".join((_LENGTHS.pack(len(text), sum(map(len, bodies))), text, *bodies))


class Readable(Protocol):
    """What a frame can be read from: a socket, or a child's end of one."""

    def recv(self, most: int, /) -> bytes: ...


class Reader:
    """Frames from a socket, read ahead in large pieces; with `deadline`s only from one that has `settimeout`."""

    def __init__(self, sock: Readable) -> None:
        self._sock: Any = sock
        self._buffer = b""
        self._at = 0

    def frame(
        self, *, max_header: int = MAX_HEADER, max_body: int = MAX_BODY, deadline: float | None = None
    ) -> tuple[bytes, bytes]:
        """The next frame as (header, body), both as raw bytes.

        Raises EOFError at the end of the stream, BrokenFrame when a length is out of bounds, TimeoutError after
        `deadline` (a `time.monotonic()`).
        """
        header_length, body_length = _LENGTHS.unpack(self._take(_LENGTHS.size, deadline))
        if header_length > max_header or body_length > max_body:
            raise BrokenFrame(f"a frame of {header_length} + {body_length} bytes")
        return self._take(header_length, deadline), self._take(body_length, deadline)

    def _take(self, length: int, deadline: float | None) -> bytes:
        end = self._at + length
        if end <= len(self._buffer):
            part = self._buffer[self._at : end]
            self._at = end
            return part
        parts = [self._buffer[self._at :]]
        have = len(parts[0])
        while have < length:
            if deadline is not None:
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    raise TimeoutError
                self._sock.settimeout(remaining)
            part = self._sock.recv(_READ_AHEAD)
            if not part:
                raise EOFError
            parts.append(part)
            have += len(part)
        self._buffer, self._at = b"".join(parts), length
        return self._buffer[:length]
