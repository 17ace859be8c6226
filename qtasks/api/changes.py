"""Waiting without threads: one listener on Redis for all requests of the process, and a slow poll behind it."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from qtasks.errors import QTasksError
from qtasks.lifecycle import Phase
from qtasks.notify import CHANNEL

_POLL_SECONDS = (3.0, 0.5)
"""How often the database is asked for all that is watched: while Redis tells of changes, and while it does not."""
_PRESENT_SECONDS = 2.0
"""How often a wait looks whether somebody still waits."""
_RECONNECT_SECONDS = 1.0
_SUBSCRIBED_SECONDS = 0.5
"""How long a watch waits for Redis to say that it listens; what it misses, the poll finds."""
# A subscription that is never empty: redis-py does not listen without any.
_NOTHING = "qtasks:api"

Gone = Callable[[], Awaitable[bool]]
Ask = Callable[[Sequence[str]], Awaitable[Mapping[str, Phase]]]


class Watch:
    """Wakes whoever waits when there may be news of some jobs; what the news is, the database knows."""

    def __init__(self, changes: Changes, gone: Gone | None) -> None:
        self._changes = changes
        self._gone = gone
        self._news = asyncio.Event()
        self._last: dict[str, Phase | None] = {}

    def hear(self, job_id: str, phase: Phase | None) -> None:
        """A phase was heard of; None: there is no such job any more."""
        if self._last.get(job_id, "") is not phase:
            self._last[job_id] = phase
            self._news.set()

    def wake(self) -> None:
        self._news.set()

    async def news(self, seconds: float) -> bool:
        """Wait for news, at most so many seconds; False when nobody is to wait any more: the process is to end, or who
        asked has gone."""
        until = time.monotonic() + seconds
        while not self._changes.stopping and not self._news.is_set() and (left := until - time.monotonic()) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), min(left, _PRESENT_SECONDS))
            if not self._news.is_set() and self._gone is not None and await self._gone():
                return False
        self._news.clear()
        return not self._changes.stopping


class Changes:
    """Wakes watches. `ask` gives the phases that the database has, leaving out jobs that are gone."""

    def __init__(self, broker_url: str, ask: Ask) -> None:
        self._url = broker_url
        self._ask = ask
        self._watches: defaultdict[str, set[Watch]] = defaultdict(set)
        self._pubsub: PubSub | None = None
        self._heard: dict[str, asyncio.Event] = {}
        self._sending = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self.stopping = False

    def start(self) -> None:
        """Listen, in the loop that runs."""
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._poll())]

    def stop(self) -> None:
        """End all waiting at once: the process is to end."""
        self.stopping = True
        for watch in {watch for watches in self._watches.values() for watch in watches}:
            watch.wake()

    async def close(self) -> None:
        self.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @asynccontextmanager
    async def watch(self, ids: Collection[str], gone: Gone | None = None) -> AsyncIterator[Watch]:
        """A watch that misses nothing of what comes after its beginning; `gone` says whether who asked has gone."""
        watch = Watch(self, gone)
        for job_id in ids:
            self._watches[job_id].add(watch)
        try:
            await self._subscribe(ids)
            yield watch
        finally:
            left = []
            for job_id in ids:
                self._watches[job_id].discard(watch)
                if not self._watches[job_id]:
                    del self._watches[job_id]
                    left.append(job_id)
            await self._unsubscribe(left)

    async def _subscribe(self, ids: Collection[str]) -> None:
        fresh = [job_id for job_id in ids if job_id not in self._heard]
        for job_id in fresh:
            self._heard[job_id] = asyncio.Event()
        if fresh and self._pubsub is not None:
            with suppress(RedisError, OSError):
                async with self._sending:
                    await self._pubsub.subscribe(*(CHANNEL + job_id for job_id in fresh))
        with suppress(TimeoutError):
            async with asyncio.timeout(_SUBSCRIBED_SECONDS if self._pubsub is not None else 0):
                for job_id in ids:
                    await self._heard[job_id].wait()

    async def _unsubscribe(self, ids: Collection[str]) -> None:
        for job_id in ids:
            self._heard.pop(job_id, None)
        if ids and self._pubsub is not None:
            with suppress(RedisError, OSError):
                async with self._sending:
                    # Somebody may have come to wait meanwhile.
                    gone = [CHANNEL + job_id for job_id in ids if job_id not in self._heard]
                    if gone:
                        await self._pubsub.unsubscribe(*gone)

    async def _listen(self) -> None:
        while True:
            client = Redis.from_url(self._url, socket_connect_timeout=3, health_check_interval=15)
            try:
                async with client, client.pubsub() as pubsub:
                    for event in self._heard.values():
                        event.clear()
                    await pubsub.subscribe(_NOTHING, *(CHANNEL + job_id for job_id in list(self._heard)))
                    self._pubsub = pubsub
                    while True:
                        self._note(await pubsub.get_message(timeout=10))
            except (RedisError, OSError):
                pass
            finally:
                self._pubsub = None
            await asyncio.sleep(_RECONNECT_SECONDS)

    def _note(self, message: Mapping[str, Any] | None) -> None:
        if message is None:
            return
        job_id = message["channel"].decode().removeprefix(CHANNEL)
        if message["type"] == "subscribe":
            if job_id in self._heard:
                self._heard[job_id].set()
        elif message["type"] == "message":
            with suppress(ValueError):
                self._tell(job_id, Phase(message["data"].decode()))

    def _tell(self, job_id: str, phase: Phase | None) -> None:
        for watch in self._watches.get(job_id, ()):
            watch.hear(job_id, phase)

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(_POLL_SECONDS[0 if self._pubsub is not None else 1])
            ids = list(self._watches)
            if not ids:
                continue
            with suppress(QTasksError):
                found = await self._ask(ids)
                for job_id in ids:
                    self._tell(job_id, found.get(job_id))
