"""Places that did not answer lately: what wants to go there too does not wait for them as well."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable

from qtasks.errors import QTasksError, Unavailable

_FIRST_SECONDS, _MOST_SECONDS, _MOST_PLACES = 15.0, 240.0, 1000


class Ailing:
    """The places of one process, each with its last error and until when it is not asked: longer with every failure in
    a row, up to four minutes. Safe for any number of threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._places: dict[Hashable, tuple[int, float, QTasksError]] = {}

    def refuse(self, place: Hashable) -> None:
        """Raises the place's last error while it is not to be asked."""
        with self._lock:
            _, until, error = self._places.get(place, (0, 0.0, None))
        if error is not None and self._clock() < until:
            raise Unavailable(error.message, reason=error.reason, hint=error.hint)

    def fell(self, place: Hashable, error: QTasksError) -> None:
        """The place has just failed."""
        with self._lock:
            times = self._places.pop(place, (0, 0.0, None))[0] + 1
            if len(self._places) >= _MOST_PLACES:
                del self._places[next(iter(self._places))]
            seconds = min(_FIRST_SECONDS * 2 ** (times - 1), _MOST_SECONDS)
            self._places[place] = (times, self._clock() + seconds, error)

    def rose(self, place: Hashable) -> None:
        """The place has just answered."""
        with self._lock:
            self._places.pop(place, None)
