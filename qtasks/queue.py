"""The broker: its topology, the settings of Celery, and the publisher of hints.

A hint says "this queue has work, for instance this job". It carries a job id and nothing else of value: the database
decides what is done, so a hint that is lost, late or doubled changes nothing.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import redis

from qtasks.errors import Unavailable
from qtasks.lifecycle import Queue, Stage

# Celery is imported by who publishes: the lease keeper and most commands never do.
if TYPE_CHECKING:
    from celery import Celery

PRIORITY_STEPS = (0, 3, 6, 9)
"""urgent, high, normal, low. On Redis the lowest number is taken first, and an unset priority would be urgent."""

DEEP_ENOUGH = 16
"""Hints at one level beyond which another tells workers nothing new: each looks for the best work anyway."""


@dataclass(frozen=True, slots=True)
class Hint:
    """What a message says: the queue that has work, a job that waits there, and its name for whoever looks."""

    queue: Queue
    job_id: str
    name: str
    priority: int


RECONCILE = "qtasks.reconcile"
"""The task that beat publishes for the reconciler."""

RETENTION = "qtasks.retention"
"""The task that beat publishes for what is kept no longer."""


def task_name(stage: Stage) -> str:
    return f"qtasks.{stage.value}"


def celery_app(broker_url: str) -> Celery:
    """A Celery application on this project's topology: its queues, four levels each, late acknowledgement."""
    from celery import Celery
    from kombu import Exchange
    from kombu import Queue as KombuQueue

    app = Celery("qtasks", set_as_current=False)
    app.conf.update(
        broker_url=kombu_url(broker_url),
        broker_connection_retry_on_startup=True,
        # A frozen Redis would block a publish for ever; a dead one is to be noticed at once.
        broker_transport_options={
            "priority_steps": list(PRIORITY_STEPS),
            "sep": ":",
            "queue_order_strategy": "priority",
            "socket_timeout": 10,
            "socket_connect_timeout": 3,
            "socket_keepalive": True,
            "health_check_interval": 25,
            # The claim makes a redelivered message a no-op, so the timeout only has to be long, not exact.
            "visibility_timeout": 3600,
        },
        task_queues=[KombuQueue(name, Exchange(name), routing_key=name) for name in map(str, Queue)],
        task_default_queue=Queue.POLLING.value,
        task_create_missing_queues=False,
        task_default_priority=6,
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        result_backend=None,
        task_acks_late=True,
        # A task that kills its process would come back for ever; the reconciler counts such deaths instead.
        task_reject_on_worker_lost=False,
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_send_task_events=True,
        task_send_sent_event=True,
        worker_hijack_root_logger=False,
        enable_utc=True,
        timezone="UTC",
    )
    return app


def kombu_url(url: str) -> str:
    """A redis-py address as kombu writes it: `unix:///path?db=0` is `redis+socket:///path?virtual_host=0`."""
    parts = urlsplit(url)
    if parts.scheme != "unix":
        return url
    return f"redis+socket://{parts.path}?virtual_host={parts.query.removeprefix('db=') or '0'}"


def redis_client(url: str) -> redis.Redis:
    """A client for the broker's Redis with bounded waits; safe to use from one process."""
    keepalive = {} if url.startswith("unix:") else {"socket_keepalive": True}
    return redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=3, **keepalive)


class Publisher:
    """Publishes hints; one per process, made after a fork."""

    def __init__(self, broker_url: str, app: Celery | None = None) -> None:
        self._app = app or celery_app(broker_url)
        self._redis = redis_client(broker_url)
        self._pid = os.getpid()

    def publish(self, *hints: Hint) -> None:
        """Put `hints` on their queues, one message each; raises Unavailable when the broker cannot be reached."""
        from kombu.exceptions import OperationalError

        assert self._pid == os.getpid(), "a publisher does not survive a fork"
        try:
            with self._app.producer_pool.acquire(block=True) as producer:
                for hint in hints:
                    self._app.send_task(
                        task_name(hint.queue.stage),
                        args=[hint.job_id],
                        argsrepr=f"({hint.name}, {hint.queue.value}, {level_name(hint.priority)})",
                        kwargsrepr="{}",
                        queue=hint.queue.value,
                        priority=hint.priority,
                        producer=producer,
                        retry=False,
                        ignore_result=True,
                    )
        except (OperationalError, redis.RedisError, OSError) as error:
            raise unavailable(error) from error

    def suggest(self, hint: Hint) -> bool:
        """Publish `hint` unless its level already has more hints waiting than workers could need."""
        if self.waiting(hint.queue, hint.priority) >= DEEP_ENOUGH:
            return False
        self.publish(hint)
        return True

    def waiting(self, queue: Queue, priority: int) -> int:
        """How many hints wait at one level of a queue."""
        try:
            return int(self._redis.llen(queue_key(queue, priority)))
        except redis.RedisError as error:
            raise unavailable(error) from error

    def close(self) -> None:
        self._redis.close()
        self._app.close()


def queue_key(queue: Queue, priority: int) -> str:
    """The Redis list that holds the hints of one queue at one level."""
    return queue.value if priority == 0 else f"{queue.value}:{priority}"


def level_name(priority: int) -> str:
    return {0: "urgent", 3: "high", 6: "normal", 9: "low"}[priority]


def unavailable(error: BaseException) -> Unavailable:
    return Unavailable(
        f"Redis cannot be reached ({type(error).__name__}).",
        reason="BrokerUnavailable",
        hint="Start it, or correct QTASKS_BROKER_URL; jobs that were submitted are kept and go on by themselves.",
    )
