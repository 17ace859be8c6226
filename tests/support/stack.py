"""A running qtasks: its processes, started as a user starts them, over servers that a test owns."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qtasks.client import Client
from qtasks.settings import Settings
from qtasks.store import Store, schema
from tests.support.servers import Postgres, Redis, eventually

ALL_STAGES = "validation,scheduling,execution"


@dataclass
class Process:
    """One `qtasks …` process, in a session of its own."""

    popen: subprocess.Popen[bytes]
    log: Path

    def signal_group(self, number: int) -> None:
        """Signal it and everything it started; nothing happens once it is reaped, for its number may be another's."""
        if self.popen.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self.popen.pid, number)

    def kill(self) -> None:
        """End it and all it started at once, as the kernel does when memory runs out."""
        self.signal_group(signal.SIGKILL)
        self.popen.wait()

    def stop(self) -> None:
        self.popen.send_signal(signal.SIGTERM)
        ended = self._ends(40)
        self.kill()
        assert ended, f"{self.popen.args} did not stop; see {self.log}"

    def _ends(self, seconds: float) -> bool:
        """Whether it ends in time; it is not reaped yet, so that what it started can still be told by its number."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if os.waitid(os.P_PID, self.popen.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None:
                return True
            time.sleep(0.02)
        return False

    @property
    def text(self) -> str:
        return self.log.read_text(errors="replace")


@dataclass
class Stack:
    """Settings and processes of one qtasks; `close()` ends what it started."""

    settings: Settings
    folder: Path
    processes: list[Process] = field(default_factory=list)
    _clients: list[Client] = field(default_factory=list)

    def migrate(self) -> None:
        store = Store(self.settings.database, pool_size=1)
        schema.upgrade(store)
        store.close()

    def client(self, namespace: str = "default") -> Client:
        client = Client(self.settings, namespace=namespace)
        self._clients.append(client)
        return client

    def run(self, *arguments: str, **environment: str) -> Process:
        """Start `qtasks …` and return at once."""
        log = self.folder / f"{arguments[0]}-{len(self.processes)}.log"
        with log.open("wb") as output:
            popen = subprocess.Popen(
                [sys.executable, "-m", "qtasks.cli", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **self.settings.environment(), **environment},
                cwd=self.folder,
                start_new_session=True,
            )
        process = Process(popen, log)
        self.processes.append(process)
        return process

    def worker(self, stages: str = ALL_STAGES, *, concurrency: int = 1, **environment: str) -> Process:
        """Start a worker and wait until it takes messages."""
        process = self.run("worker", "--stages", stages, "--concurrency", str(concurrency), **environment)
        self.ready(process)
        return process

    def control(self) -> Sequence[Process]:
        """Start beat and the worker of its tasks."""
        return [self.worker("polling"), self.run("beat")]

    @staticmethod
    def ready(process: Process) -> None:
        def says_so() -> bool:
            assert process.popen.poll() is None, process.text[-3000:]
            return " ready." in process.text

        eventually(says_so, seconds=60, what="a worker being ready")

    def close(self) -> None:
        for client in self._clients:
            client.close()
        alive = [process for process in reversed(self.processes) if process.popen.returncode is None]
        for process in alive:
            process.popen.send_signal(signal.SIGTERM)
        for process in alive:
            process._ends(15)
            process.kill()


@contextmanager
def shared_stack(
    folder: Path, postgres: Postgres, redis_server: Redis, database: int, *, concurrency: int = 1, **values: Any
) -> Iterator[Stack]:
    """A stack with one worker for many tests, each of which takes names or a namespace of its own.

    `database`: its Redis database, one that no other test uses: many empty theirs.
    """
    settings = Settings(
        home=folder / "home",
        database_url=postgres.migrated(),
        broker_url=f"{redis_server.url.removesuffix('/0')}/{database}",
        **values,
    )
    stack = Stack(settings, folder)
    stack.worker(concurrency=concurrency)
    try:
        yield stack
    finally:
        stack.close()


def own_namespace() -> str:
    """A namespace that no other test has."""
    return f"n{uuid.uuid4().hex[:12]}"
