"""How many requests one caller may make: counted in Redis, for all processes of the API together."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError

from qtasks.errors import InvalidInput, Unavailable

_AWAY_SECONDS = 5.0
"""How long Redis is left alone after it did not answer; meanwhile everybody may."""
_ANSWER_SECONDS = 0.25
_SHARE = 100
"""A process takes this part of the rate at once, so that it need not ask Redis at every request; what it does not use
within a second is lost to the caller until the window ends."""
_SHARE_SECONDS = 1.0
_REMEMBERED = 10_000


@dataclass(slots=True)
class _Share:
    """Requests that a caller may make here without being counted again, and how many beyond them."""

    left: int
    beyond: int
    until: float


class Rate:
    """The limit of `QTASKS_API_RATE`. Raises InvalidInput (`InvalidSettings`)."""

    def __init__(self, text: str, broker_url: str) -> None:
        self._item: Any = None
        if text.strip().lower() == "none":
            return
        from limits import parse
        from limits.aio.storage import RedisStorage

        try:
            self._item = parse(text)
        except ValueError:
            raise InvalidInput(
                f"QTASKS_API_RATE={text} is no rate.",
                reason="InvalidSettings",
                hint="Write it as 1000/second or 100/minute, or none.",
            ) from None
        self._pool = ConnectionPool.from_url(
            broker_url, socket_timeout=_ANSWER_SECONDS, socket_connect_timeout=_ANSWER_SECONDS
        )
        pool: Any = {"connection_pool": self._pool}
        self._storage = RedisStorage("async+redis://", implementation="redispy", key_prefix="qtasks:rate", **pool)
        self._away_until = 0.0
        self._shares: dict[str, _Share] = {}
        self._at_once = max(1, int(self._item.amount) // _SHARE)
        self.seconds = int(self._item.get_expiry())
        self.policy = f'"requests";q={self._item.amount};w={self.seconds}'

    @property
    def limited(self) -> bool:
        return self._item is not None

    async def take(self, caller: str) -> int | None:
        """Count a request of a caller; how many more it may make, or None when nobody counts. Raises Unavailable
        (`RateLimited`)."""
        now = time.monotonic()
        if self._item is None or now < self._away_until:
            return None
        share = self._shares.get(caller)
        if share is None or not share.left or now > share.until:
            try:
                share = await self._another(caller, now)
            except (RedisError, OSError):
                self._away_until = now + _AWAY_SECONDS
                return None
        share.left -= 1
        return share.left + share.beyond

    async def _another(self, caller: str, now: float) -> _Share:
        """A share of at least one request."""
        key, amount = self._item.key_for(caller), int(self._item.amount)
        made = int(await self._storage.incr(key, self.seconds, self._at_once))
        left = min(self._at_once, amount - made + self._at_once)
        if left > 0:
            if len(self._shares) >= _REMEMBERED:
                self._shares.clear()
            found = self._shares[caller] = _Share(left, max(0, amount - made), now + _SHARE_SECONDS)
            return found
        wait = max(1, int(await self._storage.get_expiry(key) - time.time() + 1))
        raise Unavailable(
            f"More requests than {self._item.amount} in {self.seconds} s.",
            reason="RateLimited",
            hint="Come again after Retry-After, submit many jobs as one List, and wait with ?wait= instead of asking.",
            details={"retry_after": wait},
        )

    async def close(self) -> None:
        if self._item is not None:
            await self._pool.aclose()
