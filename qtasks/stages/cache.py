"""Answers of validation kept in Redis for a while, so that the same source is not run twice. Whatever goes wrong with
Redis is a miss."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from qtasks.circuits.cache import Answer, Seal
from qtasks.circuits.sandbox import Limits, Source
from qtasks.results import versions
from qtasks.settings import Settings

_PREFIX = b"qtasks:validated:"
_WAIT_SECONDS = 0.25
_PAUSE_SECONDS = 5.0
"""How long Redis is left alone after it did not answer."""
ENTRY_BYTES = 32 * 2**10
"""Largest entry. With the number of entries, this bounds what the cache may take of the broker's memory."""


class ValidationCache:
    """Looks answers up and keeps them, each in one round trip for a whole batch; one per process, made after a fork.

    An entry lies in one of `validation_cache_entries` places, chosen by its name, and takes the place of whatever lay
    there: however many sources come, Redis holds no more than that.
    """

    def __init__(self, settings: Settings, signing_key: Callable[[], bytes]) -> None:
        self._places = settings.validation_cache_entries
        self._milliseconds = int(settings.validation_cache_seconds * 1000)
        self._signing_key = signing_key
        self._key: bytes | None = None
        self._quiet_until = 0.0
        self._redis = redis.Redis.from_url(
            settings.broker,
            socket_timeout=_WAIT_SECONDS,
            socket_connect_timeout=_WAIT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )

    @property
    def on(self) -> bool:
        return self._places > 0

    def seal(self, namespace: str, limits: Limits) -> Seal:
        """What names and signs the answers to sources of `namespace`. Raises Unavailable: its key is the database's."""
        if self._key is None:
            self._key = self._signing_key()
        return Seal(self._key, namespace=namespace, limits=limits, versions=versions())

    def look(self, seal: Seal, sources: Sequence[Source]) -> dict[str, Answer]:
        """Those of `sources` whose answers are known, by id."""
        names = [seal.name(source) for source in sources]
        entries = self._ask(lambda: self._redis.mget([self._place(name) for name in names])) if names else None
        found: dict[str, Answer] = {}
        for source, name, entry in zip(sources, names, entries or (), strict=False):
            answer = seal.open(name, entry, source.id) if entry is not None else None
            if answer is not None:
                found[source.id] = answer
        return found

    def keep(self, seal: Seal, sources: Sequence[Source], answers: Mapping[str, Answer]) -> None:
        """Keep the answers to `sources` that will hold again."""
        entries = []
        for source in sources:
            name = seal.name(source)
            entry = seal.close(name, answers[source.id])
            if entry is not None and len(entry) <= ENTRY_BYTES:
                entries.append((self._place(name), entry))
        if not entries:
            return
        pipe = self._redis.pipeline(transaction=False)
        for place, entry in entries:
            pipe.execute_command("SET", place, entry, "PX", self._milliseconds)
        self._ask(pipe.execute)

    def _place(self, name: bytes) -> bytes:
        return _PREFIX + b"%d" % (int.from_bytes(name[:8], "big") % self._places)

    def _ask(self, question: Callable[[], list[bytes | None]]) -> list[bytes | None] | None:
        if time.monotonic() < self._quiet_until:
            return None
        try:
            return question()
        except (redis.RedisError, OSError):
            self._quiet_until = time.monotonic() + _PAUSE_SECONDS
            return None

    def close(self) -> None:
        self._redis.close()
