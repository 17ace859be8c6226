"""A stack that stands for many tests, though they kill its workers: those that are missing are started again."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from qtasks.client import Client
from tests.support.servers import Redis
from tests.support.stack import Process, Stack, own_namespace

QUICK: dict[str, Any] = {
    "lease_seconds": 3.0,
    "heartbeat_seconds": 0.5,
    "reconcile_seconds": 1.0,
    "worker_threads": 1,
}
"""Leases of 3 s and a look by the reconciler every second, so that tests of what happens after them are short."""


@dataclass
class House:
    """A stack with a Redis of its own, and as many workers as a test wants."""

    stack: Stack
    redis: Redis
    secret: str = "hunter2"
    """In the environment of every worker."""
    _workers: list[Process] = field(default_factory=list)
    _clients: list[Client] = field(default_factory=list)

    def client(self) -> Client:
        """A client in a namespace that no other test has."""
        self._clients.append(Client(self.stack.settings, namespace=own_namespace()))
        return self._clients[-1]

    def workers(self, number: int) -> list[Process]:
        """Exactly `number` workers, each for all stages and with one pool process; more are stopped, fewer started."""
        alive = [worker for worker in self._workers if worker.popen.poll() is None]
        for worker in alive[number:]:
            worker.stop()
        self._workers = alive[:number]
        self._workers += [self.stack.worker(SECRET_TOKEN=self.secret) for _ in range(number - len(alive))]
        return list(self._workers)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Nothing of the workers runs: what is submitted waits, and all of it is found at once afterwards."""
        for worker in self._workers:
            worker.signal_group(signal.SIGSTOP)
        try:
            yield
        finally:
            for worker in self._workers:
                worker.signal_group(signal.SIGCONT)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """With beat and the worker of its tasks."""
        control = self.stack.control()
        try:
            yield
        finally:
            for process in control:
                process.stop()

    def tidy(self) -> None:
        """Cancel what a test left behind."""
        for client in self._clients:
            for job in client.jobs():
                if not job.in_final_state():
                    job.cancel()
            client.close()
        self._clients.clear()
