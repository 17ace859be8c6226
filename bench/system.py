"""What is measured: real servers with durable writes, a qtasks and its peer, each started once, as users start it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import redis

from bench.cpu import Meter
from qtasks.client import Client
from qtasks.settings import Settings
from tests.support.servers import Postgres, Redis, eventually
from tests.support.stack import Stack

ROOT = Path(__file__).parents[1]
PROCESSES = 2


@dataclass(frozen=True, slots=True)
class Options:
    quick: bool
    cpu: bool
    rounds: int


class System:
    """Servers, workers and clients, started when first asked for and ended with the block."""

    def __init__(self, folder: Path, options: Options) -> None:
        self.folder = folder
        self.options = options
        self._stacks: list[Stack] = []

    def __enter__(self) -> System:
        return self

    def __exit__(self, *_: object) -> None:
        for stack in self._stacks:
            stack.close()
        for name in ("peer", "redis", "postgres"):
            if name in self.__dict__:
                self.__dict__[name].stop()

    @cached_property
    def redis(self) -> Redis:
        server = Redis(self.folder / "redis")
        server.start()
        return server

    @cached_property
    def postgres(self) -> Postgres:
        return Postgres(self.folder / "postgres", durable=True).create()

    def stack(self, name: str, *, redis_database: int = 0, **values: Any) -> Stack:
        """A migrated qtasks without any process yet; Redis and Postgres unless `values` say otherwise."""
        home = self.folder / name
        home.mkdir()
        base = self.redis.url.removesuffix("/0")
        values.setdefault("broker_url", f"{base}/{redis_database}")
        if "database_url" not in values:
            values["database_url"] = self.postgres.database(f"{name}_{uuid.uuid4().hex[:8]}")
        stack = Stack(Settings(home=home, **values), home)
        stack.migrate()
        self._stacks.append(stack)
        return stack

    @cached_property
    def qtasks(self) -> Stack:
        """A worker of two pool processes at every stage, the worker of the periodic tasks, and beat."""
        stack = self.stack("qtasks")
        stack.worker(concurrency=PROCESSES)
        _, beat = stack.control()
        eventually(lambda: "beat: Starting" in beat.text, what="beat starting")
        time.sleep(1)
        return stack

    @cached_property
    def client(self) -> Client:
        return self.qtasks.client()

    @cached_property
    def peer(self) -> Peer:
        return Peer(self.folder / "peer.log", self.redis.url.removesuffix("/0") + "/1")

    @contextmanager
    def metered(self, side: str, meters: dict[str, Meter], jobs: int) -> Iterator[None]:
        """Count CPU time over the block, where that was asked for."""
        if not self.options.cpu:
            yield
            return
        meter = meters.setdefault(side, Meter(self))
        meter.start()
        yield
        meter.stop(jobs)


class Peer:
    """The peer's worker: two prefork processes on a database of the same Redis."""

    def __init__(self, log: Path, broker: str) -> None:
        os.environ["PEER_BROKER"] = broker
        from bench import peer

        self.tasks = peer
        self.redis = redis.Redis.from_url(broker, socket_timeout=5)
        command = ["-m", "celery", "-A", "bench.peer", "worker", "-c", str(PROCESSES), "-n", "peer@localhost"]
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, *command], stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=ROOT
            )
        eventually(lambda: self.executed() is not None, seconds=60, what="the peer's worker answering")

    def executed(self) -> dict[str, int] | None:
        """How many tasks of each kind the worker has taken in all; None before it answers."""
        stats = self.tasks.app.control.inspect(timeout=2).stats()
        return None if not stats else dict(next(iter(stats.values()))["total"])

    def drained(self, *, seconds: float = 300) -> float:
        """Wait until every message is acknowledged, which is late, after its task; returns when that was."""
        deadline = time.monotonic() + seconds
        while True:
            now = time.perf_counter()
            # Between the queue and `unacked` a message is in hand for a moment: what is empty must be so twice.
            if self._empty():
                time.sleep(0.005)
                if self._empty():
                    return now
            assert time.monotonic() < deadline, "the peer does not finish"
            time.sleep(0.005)

    def _empty(self) -> bool:
        pipe = self.redis.pipeline(transaction=True)
        pipe.llen("peer")
        pipe.hlen("unacked")
        return not any(pipe.execute())

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.redis.close()
