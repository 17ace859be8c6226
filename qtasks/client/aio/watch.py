"""Waiting for jobs from an event loop: any number of them in a few threads, none of which waits for long."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence

from qtasks.client.gateway import Gateway
from qtasks.lifecycle import Phase

_SLICE_SECONDS = 2.0
"""How long a thread waits at a time: so long it is still there when nobody waits any more."""
_THREADS = 4
_GATHER_SECONDS = 0.005
"""How long is waited for others that come to wait at the same time: they share a thread."""

Seen = Callable[[Phase], None]
Waiting = Callable[[Gateway], set[str]]


class Watch:
    """Tells tasks of one event loop when jobs are final. `run` calls in a thread, with the gateway."""

    def __init__(self, run: Callable[[Waiting], Awaitable[set[str]]]) -> None:
        self.loop = asyncio.get_running_loop()
        self._run = run
        self._listeners: defaultdict[str, list[tuple[asyncio.Future[Phase], Seen | None]]] = defaultdict(list)
        self._idle: dict[str, None] = {}
        """Jobs that no thread waits for yet, in their order."""
        self._asked: set[str] = set()
        """Jobs that a thread waits for."""
        self._slices: set[asyncio.Task[None]] = set()
        self._gathering = False

    async def final(self, job_id: str, *, seen: Seen | None = None) -> Phase:
        """The phase in which a job ends; `seen` is told of each phase that is heard of. Raises what `Gateway.wait`
        does."""
        future: asyncio.Future[Phase] = self.loop.create_future()
        listener = (future, seen)
        self._listeners[job_id].append(listener)
        if job_id not in self._asked:
            self._idle[job_id] = None
            self._start()
        try:
            return await future
        finally:
            left = self._listeners[job_id]
            left.remove(listener)
            if not left:
                del self._listeners[job_id]
                self._idle.pop(job_id, None)

    async def close(self) -> None:
        """Wait for the threads, which see that nobody waits any more within two seconds."""
        self._idle.clear()
        await asyncio.gather(*self._slices, return_exceptions=True)

    def _start(self) -> None:
        if self._idle and not self._gathering and len(self._slices) < _THREADS:
            self._gathering = True
            self.loop.call_later(_GATHER_SECONDS, self._begin)

    def _begin(self) -> None:
        self._gathering = False
        ids = list(self._idle)
        self._idle.clear()
        if ids:
            self._asked.update(ids)
            task = self.loop.create_task(self._slice(ids))
            self._slices.add(task)

    async def _slice(self, ids: Sequence[str]) -> None:
        try:
            await self._wait(ids)
        finally:
            self._slices.discard(asyncio.current_task())
            self._asked.difference_update(ids)
            self._idle.update(dict.fromkeys(job_id for job_id in ids if job_id in self._listeners))
            self._start()

    async def _wait(self, ids: Sequence[str], seconds: float = _SLICE_SECONDS) -> None:
        def heard(job_id: str, phase: Phase) -> None:
            self.loop.call_soon_threadsafe(self._hear, job_id, phase)

        try:
            await self._run(lambda gateway: gateway.wait(ids, timeout=seconds, seen=heard))
        except Exception as error:
            if len(ids) == 1:
                self._fail(ids[0], error)
                return
            # What is wrong with one of them is nobody else's.
            for job_id in ids:
                if job_id in self._listeners:
                    await self._wait([job_id], 0.0)

    def _hear(self, job_id: str, phase: Phase) -> None:
        if phase.final:
            self._asked.discard(job_id)  # whoever comes to wait for it is not to wait for the others of its thread
        for future, seen in list(self._listeners.get(job_id, ())):
            if seen is not None and not future.done():
                seen(phase)
            if phase.final and not future.done():
                future.set_result(phase)

    def _fail(self, job_id: str, error: Exception) -> None:
        for future, _ in self._listeners.get(job_id, ()):
            if not future.done():
                future.set_exception(error)
