"""Many small results in one object: JSON Lines, and where each result lies in it."""

from __future__ import annotations

from collections.abc import Sequence

from qtasks.results.encoding import digest


def pack(results: Sequence[bytes]) -> tuple[bytes, list[tuple[int, int, str]]]:
    """One blob of all results and, for each, `(offset, length, sha256)`; in bytes, without the line's end.

    `store.get(key, offset, length)` gives back exactly the bytes that went in. Raises ValueError when a result is
    more than a line.
    """
    places = []
    offset = 0
    for data in results:
        if b"\n" in data:
            raise ValueError("A packed result must be one line.")
        places.append((offset, len(data), digest(data)))
        offset += len(data) + 1
    return b"".join(data + b"\n" for data in results), places
