"""Flower over this project's queues, which `qtasks flower` becomes.

Beside what Flower shows by itself, its broker page has the levels of each queue. Passwords come from a file:
what stands in the command line or in the environment, others on the machine can read.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flower.app import Flower
from flower.command import extract_settings
from flower.options import options
from flower.urls import handlers
from flower.urls import settings as flower_settings
from flower.views import BaseHandler
from redis.exceptions import RedisError
from tornado import web
from tornado.template import Loader

from qtasks.lifecycle import Queue
from qtasks.queue import PRIORITY_STEPS, level_name, queue_key, redis_client
from qtasks.settings import settings
from workers.app import app

log = logging.getLogger(__name__)


_OWN = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Row:
    """A queue of the broker page: the hints that wait there, from urgent to low, and how many workers take them."""

    queue: str
    depths: tuple[int, ...]
    workers: int


class Levels(BaseHandler):  # type: ignore[misc]
    """The broker page: every queue, by levels, also those that no worker is made for at the moment."""

    @web.authenticated
    async def get(self) -> None:
        rows = []
        try:
            found = await asyncio.to_thread(depths, settings().broker)
        except RedisError as error:
            log.error("the queues cannot be read: %s", type(error).__name__)
        else:
            workers = self._workers()
            rows = [Row(queue.value, found[queue], workers[queue.value]) for queue in Queue]
        levels = [level_name(step) for step in PRIORITY_STEPS]
        self.render("queues.html", broker_url=self.application.broker_uri, levels=levels, rows=rows)

    def _workers(self) -> Counter[str]:
        known = self.application.workers.values()
        return Counter(queue["name"] for worker in known for queue in worker.get("active_queues") or [])

    def get_template_path(self) -> str:
        # Tornado keeps one loader for each folder, whoever came first with it.
        return str(_OWN)

    def create_template_loader(self, template_path: str) -> Loader:
        return _Templates(template_path, autoescape="xhtml_escape")


class _Templates(Loader):
    """The template of this page, and those of Flower that it builds on."""

    def resolve_path(self, name: str, parent_path: str | None = None) -> str:
        own = _OWN / name
        return str(own if own.exists() else Path(flower_settings["template_path"]) / name)


def depths(broker: str) -> dict[Queue, tuple[int, ...]]:
    """How many hints wait in each queue, from urgent to low. Raises RedisError."""
    client = redis_client(broker)
    try:
        with client.pipeline(transaction=False) as pipeline:
            for queue in Queue:
                for level in PRIORITY_STEPS:
                    pipeline.llen(queue_key(queue, level))
            found = iter(pipeline.execute())
    finally:
        client.close()
    return {queue: tuple(int(next(found)) for _ in PRIORITY_STEPS) for queue in Queue}


def serve(*, port: int, address: str, url_prefix: str, users: Sequence[str]) -> None:
    """Serve until SIGTERM or SIGINT. `users`: `name:password` of each who may use it; empty: everybody."""
    # A browser asks once without a password: 401 is no failure. What Flower serves is nobody's news.
    logging.getLogger("tornado.access").setLevel(logging.ERROR)
    options.port, options.address = port, address
    options.url_prefix = url_prefix.strip("/") or None
    options.basic_auth = list(users)
    # The arguments are the job's name, its queue and its priority; Flower's own choice shows a message's id instead.
    options.tasks_columns = "name,args,state,received,runtime,worker"
    extract_settings()
    for place, handler in enumerate(handlers):
        if getattr(handler, "name", None) == "broker":
            handlers[place] = web.url(r"/broker", Levels, name="broker")
    flower = Flower(capp=app, options=options, **flower_settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: flower.io_loop.add_callback_from_signal(flower.stop))
    flower.start_http_server()
    log.info("listening on http://%s:%d/%s", address, port, f"{options.url_prefix}/" if options.url_prefix else "")
    flower.start()
