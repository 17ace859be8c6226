"""Whether what qtasks works with is there: each service, each program, each layer of the sandbox, tried for real."""

from __future__ import annotations

import platform
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version

from qtasks.errors import QTasksError, Unavailable
from qtasks.settings import Settings

_PACKAGES = ("qtasks", "qiskit", "qiskit-aer", "celery", "redis", "sqlalchemy")
_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One part and how it does: `ok` None where there is nothing to find fault with yet; `hint` is what to do."""

    part: str
    ok: bool | None
    detail: str
    hint: str = ""


def examine(settings: Settings) -> Iterator[Finding]:
    """Tries each part in turn; nothing is left behind, and what is wrong with one does not keep the others from it."""
    yield Finding("versions", True, f"Python {platform.python_version()}, {_versions()}")
    if settings.api_url:
        # What lies behind the API is not this machine's to reach.
        yield _tried("api", _api, settings)
        return
    yield _tried("database", _database, settings)
    yield _tried("broker", _broker, settings)
    yield _tried("objects", _objects, settings)
    yield _tried("git", _git, settings)
    yield from _sandbox(settings)


def _tried(part: str, probe: Callable[[Settings], tuple[bool | None, str]], settings: Settings) -> Finding:
    try:
        ok, detail = probe(settings)
        return Finding(part, ok, detail)
    except QTasksError as error:
        return Finding(part, False, error.message, error.hint)


def _versions() -> str:
    return ", ".join(f"{name} {version(name)}" for name in _PACKAGES)


def _api(settings: Settings) -> tuple[bool | None, str]:
    from qtasks.client.rest import Rest

    rest = Rest(settings)
    try:
        name = rest.whoami()["name"]
    finally:
        rest.close()
    return True, f"{settings.api_url} answers; you are {name} there"


def _database(settings: Settings) -> tuple[bool | None, str]:
    from qtasks.store import Store, schema

    if settings.embedded and not settings.database_url and not (settings.home_path / "qtasks.db").exists():
        return None, f"SQLite in {settings.home_path}, made when the embedded stack first starts"
    store = Store(settings.database, pool_size=1)
    try:
        schema.require_current(store)
        kind = "PostgreSQL" if store.postgresql else f"SQLite in {settings.home_path}"
    finally:
        store.close()
    return True, f"{kind}, schema {schema.head()}"


def _broker(settings: Settings) -> tuple[bool | None, str]:
    import redis

    if settings.embedded and not settings.redis_socket.exists():
        return (
            None,
            f"embedded, not running; it starts with the first command that needs it (home {settings.home_path})",
        )
    client = redis.Redis.from_url(settings.broker, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS)
    began = time.monotonic()
    try:
        client.ping()
        took = time.monotonic() - began
        info = client.info("server")
    except redis.RedisError as error:
        raise Unavailable(
            f"Redis does not answer: {error}",
            reason="BrokerUnavailable",
            hint="Start it, or correct QTASKS_BROKER_URL.",
        ) from None
    finally:
        client.close()
    name = info.get("server_name") or "redis"
    return True, f"{name} {info.get('valkey_version') or info.get('redis_version')}, answers in {took * 1e3:.1f} ms"


def _objects(settings: Settings) -> tuple[bool | None, str]:
    from qtasks.objects import open_store

    if settings.embedded and not settings.object_store_url and not settings.home_path.exists():
        return None, f"a folder in {settings.home_path}, made when the embedded stack first starts"
    store = open_store(settings.object_store)
    store.check()
    return True, f"{store.url}, written, read and deleted"


def _git(_: Settings) -> tuple[bool | None, str]:
    found = shutil.which("git")
    if found is None:
        raise Unavailable(
            "There is no git: sources of type git cannot be fetched.", reason="GitMissing", hint="Install git."
        )
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False, timeout=_SECONDS)
    return True, said.stdout.strip().removeprefix("git version ")


def _sandbox(settings: Settings) -> Iterator[Finding]:
    from qtasks.circuits.sandbox.trial import trial_apart

    if settings.sandbox_socket is not None:
        yield _tried("sandbox", _sidecar, settings)
        return
    mode = "permissive" if settings.sandbox_permissive else "strict"
    try:
        found = trial_apart()
    except QTasksError as error:
        yield Finding(f"sandbox ({mode})", False, error.message, "Run workers on Linux, x86_64 or aarch64.")
        return
    for one in found:
        hint = "" if one.holds else "Sources would run without this: see docs/security.md."
        yield Finding(f"sandbox: {one.name}", one.holds, f"{one.by}; stops {one.stops}", hint)


def _sidecar(settings: Settings) -> tuple[bool | None, str]:
    address = settings.sandbox_socket
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
        probe.settimeout(_SECONDS)
        try:
            probe.connect(str(address))
        except OSError as error:
            raise Unavailable(
                f"No sandbox answers at {address}: {error.strerror or error}.",
                reason="SandboxUnavailable",
                hint=f"Start it: python -m qtasks.circuits.sandbox --socket {address}",
            ) from None
    return True, f"runs at {address}; it refuses to start where a layer does not hold"
