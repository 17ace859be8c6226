"""The names that the shell's TAB offers: those that were last seen, from small files in the home.

A client takes a second to load, which nobody waits for at a TAB. So the files answer at once, and where they are older
than a moment a process behind the shell's back asks the queue and writes them anew; a command that sees names itself
writes them as well. Nothing here starts an embedded stack, says a word, or raises.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

_FRESH_SECONDS = 2.0
_ASKING_SECONDS = 20
"""How long the process that asks may take; nobody else asks meanwhile."""
_MOST = 1000
_ADDRESSES = ("QTASKS_API_URL", "QTASKS_API_TOKEN", "QTASKS_DATABASE_URL", "QTASKS_BROKER_URL", "QTASKS_CONFIG")
NAMESPACES = "namespaces"


def seen(kind: str, namespace: str) -> list[str]:
    """The names of this kind, or the `namespaces`, that were last seen; they may be a moment old."""
    file = _file(kind, namespace)
    if file is None:
        return []
    try:
        age = time.time() - file.stat().st_mtime
        names = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        age, names = float("inf"), []
    if age > _FRESH_SECONDS:
        _ask_behind(kind, namespace, file)
    return names


def remember(kind: str, namespace: str, names: Iterable[str]) -> None:
    """Add names that a command has just seen to those that are known, the newest first; nothing for whoever never
    pressed a TAB."""
    file = _file(kind, namespace)
    fresh = list(dict.fromkeys(names))
    if file is None or not fresh or not file.parent.exists():
        return
    with suppress(OSError):
        known = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        _write(file, list(dict.fromkeys([*fresh, *known])), fresh=False)


def remember_jobs(documents: Iterable[Mapping[str, Any]]) -> None:
    """Add the names of these jobs, each to those of its namespace."""
    by_namespace: dict[str, list[str]] = {}
    for document in documents:
        metadata = document["metadata"]
        by_namespace.setdefault(metadata["namespace"], []).append(metadata["name"])
    for namespace, names in by_namespace.items():
        remember("jobs", namespace, names)


def _file(kind: str, namespace: str) -> Path | None:
    """Where the names lie; None for what is no namespace."""
    return _folder() / f"{kind}@{namespace}" if namespace.replace("-", "").isalnum() else None


def _folder() -> Path:
    """Each queue, and each who asks it, has one."""
    import hashlib

    home = Path(os.environ.get("QTASKS_HOME") or "~/.qtasks").expanduser()
    who = "\0".join(os.environ.get(name, "") for name in _ADDRESSES)
    return home / "completion" / hashlib.sha256(who.encode()).hexdigest()[:16]


def _write(file: Path, names: Sequence[str], *, fresh: bool) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    draft.write_text("".join(f"{name}\n" for name in names[:_MOST]), encoding="utf-8")
    if not fresh:
        # There may be more: the next TAB has the queue asked.
        os.utime(draft, (0, 0))
    draft.replace(file)


def _ask_behind(kind: str, namespace: str, file: Path) -> None:
    """Have a process of its own ask the queue, unless one does."""
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        asking = file.with_name(f"{file.name}.asking")
        with suppress(FileNotFoundError):
            if time.time() - asking.stat().st_mtime < _ASKING_SECONDS:
                return
        asking.touch(mode=0o600)
        nothing = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1, 2)]
        os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", "qtasks.cli.known_names", kind, namespace],
            dict(os.environ),
            file_actions=nothing,
            setsid=True,
        )


def ask(kind: str, namespace: str) -> list[str] | None:
    """The names that the queue has; None where asking would start an embedded stack."""
    from qtasks.settings import settings

    if settings().embedded and not settings().api_url:
        from qtasks.embedded import running

        if running(settings()) is None:
            return None
    from qtasks.cli.names import names_of
    from qtasks.client import Client

    with Client(namespace=namespace) as client:
        return names_of(client, kind, most=_MOST)


def main(arguments: Sequence[str]) -> int:
    """Ask the queue, and write what it says."""
    import signal

    kind, namespace = arguments
    signal.alarm(_ASKING_SECONDS)
    file = _file(kind, namespace)
    if file is None:
        return 1
    try:
        names = ask(kind, namespace)
        if names is not None:
            _write(file, names, fresh=True)
    finally:
        file.with_name(f"{file.name}.asking").unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
