"""Job ids: UUIDv7, so that ids sort by the time of submission."""

from __future__ import annotations

import os
import threading
import time
import uuid
from datetime import UTC, datetime

_lock = threading.Lock()
_last = 0


def new_id() -> str:
    """A new UUIDv7 (RFC 9562): 60 bits of time in 2⁻¹² ms, rising within a process, then 62 random bits."""
    global _last
    ticks = time.time_ns() * 4096 // 1_000_000
    with _lock:
        _last = ticks = max(ticks, _last + 1)
    milliseconds, fraction = divmod(ticks, 4096)
    value = milliseconds << 80 | 7 << 76 | fraction << 64 | 2 << 62 | int.from_bytes(os.urandom(8), "big") >> 2
    return str(uuid.UUID(int=value))


def time_of(some_id: str) -> datetime | None:
    """When an id was made; None for what is no id."""
    try:
        value = uuid.UUID(some_id)
    except ValueError:
        return None
    if value.version != 7 or str(value) != some_id:
        return None
    return datetime.fromtimestamp((value.int >> 80) / 1000, UTC)
