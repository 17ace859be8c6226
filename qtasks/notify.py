"""Who waits is told: phases are published on Redis, one channel per job, and whoever misses one polls slowly."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import redis

from qtasks.errors import Unavailable
from qtasks.lifecycle import Phase
from qtasks.queue import redis_client

CHANNEL = "qtasks:job:"
"""Before a job's id: where its phases are published."""
_POLL_SECONDS = (0.5, 5.0)
"""How often a waiter looks for itself: at first, and at last, each time a fifth longer than before."""
PATIENCE_SECONDS = 120.0
"""How long a waiter bears with a database that is away."""


class Notifier:
    """Tells waiting clients of new phases; a broker that is away costs them only time, so errors are dropped."""

    def __init__(self, broker_url: str) -> None:
        self._redis = redis_client(broker_url)

    def tell(self, phases: Mapping[str, Phase]) -> None:
        """Publish each job's phase."""
        if not phases:
            return
        try:
            with self._redis.pipeline(transaction=False) as pipe:
                for job_id, phase in phases.items():
                    pipe.publish(CHANNEL + job_id, phase.value)
                pipe.execute()
        except redis.RedisError:
            return

    def close(self) -> None:
        self._redis.close()


class Waiter:
    """Waits for jobs to become final, woken by the broker, with a slow poll behind it."""

    def __init__(self, broker_url: str) -> None:
        self._redis = redis_client(broker_url)

    def wait(
        self,
        job_ids: Iterable[str],
        phases: Callable[[list[str]], Mapping[str, Phase]],
        *,
        timeout: float | None,
        seen: Callable[[str, Phase], None] = lambda _id, _phase: None,
    ) -> set[str]:
        """Wait until every job is final, at most `timeout` seconds; returns those that are not.

        `phases` asks the database; it is called at first and now and then. `seen` is told of each phase heard of.
        """
        waiting = set(job_ids)
        deadline = None if timeout is None else time.monotonic() + timeout

        def note(found: Mapping[str, Phase]) -> None:
            for job_id, phase in found.items():
                seen(job_id, phase)
                if phase.final:
                    waiting.discard(job_id)

        away_since: float | None = None

        def ask() -> None:
            nonlocal away_since
            try:
                note(phases(sorted(waiting)))
                away_since = None
            except Unavailable:
                # A database that restarts is no reason to stop waiting; one that stays away is.
                away_since = away_since or time.monotonic()
                if time.monotonic() - away_since > PATIENCE_SECONDS:
                    raise

        with self._listening(waiting) as listen:
            ask()
            pause = _POLL_SECONDS[0]
            poll_at = time.monotonic() + pause
            while waiting:
                now = time.monotonic()
                if deadline is not None and now >= deadline:
                    break
                if now >= poll_at:
                    ask()
                    pause = min(pause * 1.2, _POLL_SECONDS[1])
                    poll_at = time.monotonic() + pause
                else:
                    note(listen(min(poll_at, deadline or poll_at) - now))
        return waiting

    @contextmanager
    def _listening(self, job_ids: Iterable[str]) -> Iterator[Callable[[float], dict[str, Phase]]]:
        """A function that waits up to so many seconds for news and returns the phases it heard."""
        channels = [CHANNEL + job_id for job_id in job_ids]
        pubsub = self._redis.pubsub(ignore_subscribe_messages=True)
        try:
            for start in range(0, len(channels), 1000):
                pubsub.subscribe(*channels[start : start + 1000])
        except redis.RedisError:
            pubsub.close()
            yield _sleep
            return

        def listen(seconds: float) -> dict[str, Phase]:
            heard: dict[str, Phase] = {}
            try:
                message = pubsub.get_message(timeout=max(0.0, seconds))
                while message is not None:
                    heard[_text(message["channel"]).removeprefix(CHANNEL)] = Phase(_text(message["data"]))
                    message = pubsub.get_message(timeout=0)
            except redis.RedisError:
                return _sleep(min(seconds, 1.0))
            return heard

        try:
            yield listen
        finally:
            pubsub.close()

    def close(self) -> None:
        self._redis.close()


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _sleep(seconds: float) -> dict[str, Phase]:
    time.sleep(max(0.0, seconds))
    return {}
