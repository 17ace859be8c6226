"""The home of an embedded stack: who runs there, joining it, and stopping it. Locks tell the truth, since the kernel
drops a dead process's."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from qtasks.errors import Unavailable
from qtasks.settings import Settings

_START_SECONDS = 60.0
_STOP_SECONDS = 60.0


class Presence:
    """That a client is there: while one is, the stack does not stop for idleness."""

    def __init__(self, config: Settings) -> None:
        self._descriptor = _open_lock(_run(config) / "clients.lock")
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def join(config: Settings) -> Presence:
    """Start the stack of `QTASKS_HOME`, or join the one that runs there.

    Returns once Redis answers and the database is migrated; workers may still be loading. Raises Unavailable (reason
    `EmbeddedStackFailed`) with the end of its log.
    """
    run = _run(config)
    presence = Presence(config)
    # One process starts; the others wait here, and find it running.
    starting = _open_lock(run / "starting.lock")
    try:
        fcntl.flock(starting, fcntl.LOCK_EX)
        if running(config) is None:
            _start(config)
    except BaseException:
        presence.close()
        raise
    finally:
        os.close(starting)
    return presence


def _start(config: Settings) -> None:
    log = config.home_path / "logs" / "stack.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    # Not subprocess: the stack is meant to outlive this process, in a session of its own that no Ctrl-C reaches.
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", "qtasks.embedded"],
        {**os.environ, **config.environment()},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    deadline = time.monotonic() + _START_SECONDS
    while (state := running(config)) is None or not state.get("ready"):
        if os.waitpid(pid, os.WNOHANG)[0] or time.monotonic() > deadline:
            raise Unavailable(
                f"The embedded stack did not start: {_last_line(log)}",
                reason="EmbeddedStackFailed",
                hint=f"Its log is {log}.",
            )
        time.sleep(0.02)


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing."


def running(config: Settings) -> dict[str, Any] | None:
    """What the stack in this home says of itself (`pid`, `ready`, …), None when none runs."""
    run = _run(config)
    descriptor = _open_lock(run / "stack.lock")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        try:
            return dict(json.loads((run / "stack.json").read_text()))
        except (OSError, ValueError):
            return {"ready": False}
    finally:
        os.close(descriptor)
    return None


def stop(config: Settings) -> bool:
    """Stop the stack of this home and wait until it is gone; False when none ran. Jobs are kept and go on later."""
    state = running(config)
    if state is None:
        return False
    if "pid" in state:
        os.kill(state["pid"], signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while running(config) is not None:
        if time.monotonic() > deadline:
            raise Unavailable(
                f"The embedded stack (process {state.get('pid')}) does not stop.", reason="EmbeddedStackStuck"
            )
        time.sleep(0.05)
    return True


class Seat:
    """The right to be the stack of a home; held by the supervisor for as long as it lives."""

    def __init__(self, config: Settings) -> None:
        self._run = _run(config)
        self._descriptor = _open_lock(self._run / "stack.lock")
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise Unavailable(
                f"A stack runs in {config.home_path} already.",
                reason="AlreadyRunning",
                hint="Stop it with `qtasks down`, or choose another QTASKS_HOME.",
            ) from None

    def tell(self, **state: Any) -> None:
        """Say what clients may know."""
        path = self._run / "stack.json"
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps({"pid": os.getpid(), **state}))
        draft.replace(path)

    def clients(self) -> bool:
        """Whether any client process is there."""
        descriptor = _open_lock(self._run / "clients.lock")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def leave(self) -> None:
        (self._run / "stack.json").unlink(missing_ok=True)
        os.close(self._descriptor)


def _run(config: Settings) -> Path:
    run = config.home_path / "run"
    run.mkdir(parents=True, exist_ok=True, mode=0o700)
    return run


def _open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
