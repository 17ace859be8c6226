"""What is to be looked at: resources wait here for a thread, each at most once; what fails waits its time."""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections.abc import Callable

from qtasks.errors import Forbidden, QTasksError, Unavailable
from qtasks.operator.api_server import Clash
from qtasks.operator.kinds import Key
from qtasks.telemetry.logs import about

log = logging.getLogger(__name__)

_AGAIN_SECONDS = (0.2, 60.0)
"""How long what failed waits: at first, and at most, each time twice as long."""
_UNAVAILABLE_SECONDS = 5.0
"""How long at most while a service is away: it may come back any moment."""

Work = Callable[[Key], float | None]
"""Looks at a resource; returns after how many seconds it is to be looked at again, None: when there is news of it."""


class Desk:
    """A queue of keys and the threads that work at it. The same key is never in two hands."""

    def __init__(self, work: Work, *, threads: int) -> None:
        self._work = work
        self._state = threading.Condition()
        self._due: list[tuple[float, int, Key]] = []
        self._at: dict[Key, float] = {}
        """When each key that waits is due; entries of the heap that say otherwise are stale."""
        self._in_hand: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._counter = 0
        self._stopping = False
        self._threads = [
            threading.Thread(target=self._run, name=f"desk-{number}", daemon=True) for number in range(threads)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, *, seconds: float) -> None:
        """Begin nothing more, and wait for what is in hand."""
        with self._state:
            self._stopping = True
            self._state.notify_all()
        ends = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(ends - time.monotonic(), 0.0))

    def add(self, key: Key, *, after: float = 0.0) -> None:
        """Have a resource looked at, in so many seconds or, where it waits already, when that comes first."""
        at = time.monotonic() + after
        with self._state:
            if key in self._at and self._at[key] <= at:
                return
            self._at[key] = at
            self._counter += 1
            heapq.heappush(self._due, (at, self._counter, key))
            self._state.notify()

    def __len__(self) -> int:
        """How many wait or are in hand."""
        with self._state:
            return len(self._at) + len(self._in_hand)

    def _take(self) -> Key | None:
        with self._state:
            while not self._stopping:
                now = time.monotonic()
                held: list[tuple[float, int, Key]] = []
                found = None
                while self._due and self._due[0][0] <= now:
                    entry = heapq.heappop(self._due)
                    if self._at.get(entry[2]) != entry[0]:
                        continue
                    if entry[2] in self._in_hand:
                        held.append(entry)
                        continue
                    found = entry[2]
                    break
                for entry in held:
                    heapq.heappush(self._due, entry)
                if found is not None:
                    del self._at[found]
                    self._in_hand.add(found)
                    return found
                # What is in another's hand is due when it is put down, which notifies.
                self._state.wait(None if held or not self._due else max(self._due[0][0] - now, 0.0))
            return None

    def _run(self) -> None:
        while (key := self._take()) is not None:
            again = None
            try:
                with about(namespace=key.namespace, resource=f"{key.plural.removesuffix('s')}/{key.name}"):
                    again = self._work(key)
                self._failures.pop(key, None)
            except Clash:
                again = _AGAIN_SECONDS[0]
            except QTasksError as error:
                again = self._pause(key, error)
            except Exception:
                log.exception("%s cannot be looked at", key)
                again = _AGAIN_SECONDS[1]
            finally:
                with self._state:
                    self._in_hand.discard(key)
                    self._state.notify_all()
            if again is not None:
                self.add(key, after=again)

    def _pause(self, key: Key, error: QTasksError) -> float:
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        if failures == 0 and not isinstance(error, Unavailable):
            log.warning("%s has to wait: %s", key, error)
        longest = _AGAIN_SECONDS[1] if isinstance(error, Forbidden) else _UNAVAILABLE_SECONDS
        return min(_AGAIN_SECONDS[0] * 2.0 ** min(failures, 10), longest)
