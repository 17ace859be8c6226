"""Whether what qtasks works with is there: each service, each program, each layer of the sandbox, tried for real."""

from __future__ import annotations

import platform
import shutil
import socket
import subprocess
from collections.abc import Iterator
from importlib.metadata import version

from qtasks.client.checks.finding import Finding, Found, Mark, absent, ok, tried
from qtasks.errors import QTasksError, Unavailable
from qtasks.settings import Settings

_PACKAGES = ("qtasks", "qiskit", "qiskit-aer", "celery", "redis", "sqlalchemy")
_SECONDS = 5.0


def examine(settings: Settings, *, accounts: bool = False) -> Iterator[Finding]:
    """Tries each part in turn; nothing is left behind, and what is wrong with one does not keep the others from it.

    `accounts`: every provider is asked, too, whether it lets the account in.
    """
    yield ok("versions", f"Python {platform.python_version()}, {_versions()}")
    if settings.api_url:
        # What lies behind the API is not this machine's to reach.
        yield from tried("api", lambda: _api(settings))
        return
    from qtasks.client.checks.accounts import accounts_of
    from qtasks.client.checks.broker import broker
    from qtasks.client.checks.certificates import certificates
    from qtasks.client.checks.database import database

    yield from tried("database", lambda: database(settings))
    yield from tried("broker", lambda: broker(settings))
    yield from tried("objects", lambda: _objects(settings))
    yield from tried("accounts", lambda: accounts_of(settings, ask=accounts))
    yield from tried("certificate", lambda: certificates(settings))
    yield from tried("git", lambda: _git())
    yield from tried("sandbox", lambda: _sandbox(settings))


def _versions() -> str:
    return ", ".join(f"{name} {version(name)}" for name in _PACKAGES)


def _api(settings: Settings) -> Found:
    from qtasks.client.rest.rest import Rest

    rest = Rest(settings)
    try:
        name = rest.whoami()["name"]
    finally:
        rest.close()
    yield ok("api", f"{settings.api_url} answers; you are {name} there")


def _objects(settings: Settings) -> Found:
    from qtasks.objects import open_store

    if settings.embedded and not settings.object_store_url and not settings.home_path.exists():
        yield absent("objects", f"a folder in {settings.home_path}, made when the embedded stack first starts")
        return
    store = open_store(settings.object_store)
    store.check()
    yield ok("objects", f"{store.url}, written, read and deleted")


def _git() -> Found:
    found = shutil.which("git")
    if found is None:
        raise Unavailable(
            "There is no git: sources of type git cannot be fetched.", reason="GitMissing", hint="Install git."
        )
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False, timeout=_SECONDS)
    yield ok("git", said.stdout.strip().removeprefix("git version "))


def _sandbox(settings: Settings) -> Found:
    from qtasks.circuits.sandbox.trial import trial_apart

    if settings.sandbox_socket is not None:
        yield _sidecar(settings)
        return
    permissive = settings.sandbox_permissive
    try:
        found = trial_apart()
    except QTasksError as error:
        where = f"sandbox ({'permissive' if permissive else 'strict'})"
        yield Finding(where, Mark.FAIL, error.message, "Run workers on Linux, x86_64 or aarch64.", error.reason)
        return
    for one in found:
        part, detail = f"sandbox: {one.name}", f"{one.by}; stops {one.stops}"
        if one.holds:
            yield ok(part, detail)
        else:
            hint = "Sources would run without this: see docs/security.md."
            yield Finding(part, Mark.FAIL, detail, hint, "LayerMissing")


def _sidecar(settings: Settings) -> Finding:
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
    return ok("sandbox", f"runs at {address}; it refuses to start where a layer does not hold")
