"""Reading the body of an answer up to a bound, which holds for what is sent and for what that unpacks to."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from qtasks.errors import InvalidInput, QTasksError, Unavailable

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

_PART_BYTES = 2**16
_GZIP = 16 + zlib.MAX_WBITS


def read_body(response: BaseHTTPResponse, most: int, shown: str) -> bytes:
    """The body, at most `most` bytes long; gzip is unpacked, though it was not asked for: some stores always send it.

    Raises InvalidInput (`TooLarge`, `InvalidSource`) and Unavailable (`SourceUnreachable`) when it ends early.
    """
    from urllib3.exceptions import HTTPError

    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "", "gzip", "x-gzip"):
        raise InvalidInput(f"{shown} is packed as {encoding[:40]!r}, which was not asked for.", reason="InvalidSource")
    body = bytearray()
    unpacker = zlib.decompressobj(_GZIP) if "gzip" in encoding else None
    length = response.headers.get("Content-Length", "")
    if length.isdecimal() and int(length[:20]) > most:
        raise _too_large(shown, most)
    try:
        while part := response.read(_PART_BYTES, decode_content=False):
            body += unpacker.decompress(part, most + 1 - len(body)) if unpacker else part
            if len(body) > most:
                raise _too_large(shown, most)
    except zlib.error:
        raise InvalidInput(f"{shown} says that it is gzip, and is not.", reason="InvalidSource") from None
    except HTTPError:
        raise _cut_short(shown) from None
    if unpacker and not unpacker.eof:
        raise _cut_short(shown)
    if unpacker and unpacker.unused_data:
        raise InvalidInput(f"{shown} has something behind its gzip data.", reason="InvalidSource")
    return bytes(body)


def _too_large(shown: str, most: int) -> QTasksError:
    return InvalidInput(
        f"{shown} is longer than {most:,} bytes, the most that is taken.",
        reason="TooLarge",
        hint="Write the circuit as QPY, or split it.",
    )


def _cut_short(shown: str) -> QTasksError:
    return Unavailable(f"{shown} ended before it was whole.", reason="SourceUnreachable", hint="It is tried again.")
