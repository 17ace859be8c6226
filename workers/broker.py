"""A worker whose broker was away while it worked: what kombu does with the channel of before."""

from __future__ import annotations

from typing import Any

import redis
from kombu.transport.redis import Channel

_connparams = Channel._connparams


def _of_an_open_channel(self: Any, *arguments: Any, **options: Any) -> dict[str, Any]:
    """What is acknowledged, or given back, on a channel that was closed meanwhile finds no connection. kombu fails with
    an AttributeError over that, which ends the worker; this it takes for what it is, and connects again. The message
    comes back, and its claim makes it a no-op."""
    if self.connection is None or self.connection.client is None:
        raise redis.ConnectionError("the channel was closed when the broker was lost")
    return dict(_connparams(self, *arguments, **options))


Channel._connparams = _of_an_open_channel
