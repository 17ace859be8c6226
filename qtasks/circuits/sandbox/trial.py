"""A trial of the layers: a child is confined as for a user's source, and tries what no source may do."""

from __future__ import annotations

import _thread
import ctypes
import errno
import json
import mmap
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass

from qtasks.circuits.sandbox import landlock
from qtasks.circuits.sandbox.confine import PIPE, confine, detach, mapped_bytes
from qtasks.circuits.sandbox.layers import Layers
from qtasks.errors import Unavailable

_MEMORY = 64 * 2**20
_PTRACE_SEIZE = 0x4206  # unlike ATTACH, it does not stop whom it takes


@dataclass(frozen=True, slots=True)
class Tried:
    """One layer: what it stops, by what, and whether it did when a child tried."""

    name: str
    stops: str
    by: str
    holds: bool


def trial(layers: Layers) -> list[Tried]:
    """Forks a child, confines it, and lets it try. Call it from a process with one thread."""
    ours, theirs = socket.socketpair()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            ours.close()
            _child(theirs.fileno(), parent, layers)
            status = 0
        finally:
            os._exit(status)
    theirs.close()
    told = b""
    with ours:
        while part := ours.recv(65536):
            told += part
    os.waitpid(pid, 0)
    held: dict[str, bool] = json.loads(told) if told.endswith(b"}") else {}
    return [Tried(name, stops, by(layers), held.get(name, False)) for name, stops, by in _LAYERS]


def as_data(found: list[Tried]) -> list[dict[str, object]]:
    return [asdict(one) for one in found]


def trial_apart() -> list[Tried]:
    """A trial in a process of its own, which any process may ask for (50 ms): no layer reaches the caller.

    Raises Unavailable (`SandboxIncomplete`) where there is no sandbox to try.
    """
    command = [sys.executable, "-m", "qtasks.circuits.sandbox", "--trial", "--permissive"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    try:
        return [Tried(**one) for one in json.loads(done.stdout)]
    except (ValueError, TypeError):
        said = (done.stderr.strip().splitlines() or ["It said nothing."])[-1]
        raise Unavailable(f"The sandbox cannot be tried here: {said}", reason="SandboxIncomplete") from None


def _seccomp(_: Layers) -> str:
    return "seccomp allow-list"


def _limits(_: Layers) -> str:
    return "resource limits"


def _files(layers: Layers) -> str:
    if layers.ruleset is None:
        return "seccomp: no file can be opened"
    return f"Landlock {landlock.version()}: Python's own folders, to read"


def _also_landlock(since: int) -> Callable[[Layers], str]:
    def by(layers: Layers) -> str:
        both = layers.ruleset is not None and landlock.version() >= since
        return f"seccomp allow-list{f', Landlock {landlock.version()}' if both else ''}"

    return by


_LAYERS: tuple[tuple[str, str, Callable[[Layers], str]], ...] = (
    ("environment", "reading the worker's variables and descriptors", lambda _: "a process of its own"),
    ("files", "reading and writing files", _files),
    ("network", "sockets of every kind", _also_landlock(landlock.NETWORK_SINCE)),
    ("programs", "starting programs and processes", _seccomp),
    ("threads", "starting threads", _seccomp),
    ("signals", "signals to other processes", _also_landlock(landlock.SCOPES_SINCE)),
    ("processes", "looking into other processes", _seccomp),
    ("memory", "memory bombs", _limits),
    ("privileges", "gaining privileges", lambda _: "no_new_privs"),
)


def _child(pipe: int, parent: int, layers: Layers) -> None:
    mapped = mapped_bytes()
    os.write(pipe, b"{")
    detach(pipe, parent, layers.ruleset)
    confine(
        mapped=mapped,
        memory_bytes=_MEMORY,
        cpu_seconds=5,
        calls=layers.calls,
    )
    libc = ctypes.CDLL(None, use_errno=True)
    held = {
        "environment": not os.environ and all(_refused(os.fstat, number) for number in range(4, 64)),
        "files": _refused(os.open, "/etc/passwd", os.O_RDONLY)
        and _refused(os.open, "/tmp/x", os.O_WRONLY | os.O_CREAT),
        "network": _refused(socket.socket) and _refused(socket.socket, socket.AF_UNIX),
        "programs": _refused(os.execv, "/nowhere", ["nowhere"]) and _refused(_fork),
        "threads": _refused(_thread.start_new_thread, os.getpid, ()),
        "signals": _refused(os.kill, parent, 0) and _refused(signal.pidfd_send_signal, 0, 0),
        "processes": libc.ptrace(_PTRACE_SEIZE, parent, None, None) == -1
        and _refused(os.open, f"/proc/{parent}/environ", os.O_RDONLY),
        "memory": _refused(mmap.mmap, -1, 4 * _MEMORY),
        "privileges": _refused(os.setuid, 0) if os.getuid() else _refused(os.setresuid, 1, 1, 1),
    }
    os.write(PIPE, json.dumps(held)[1:].encode())


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)


def _refused(what: Callable[..., object], *arguments: object) -> bool:
    try:
        what(*arguments)
    except OSError as error:
        return error.errno != errno.ENOENT  # that would be an answer
    except (RuntimeError, MemoryError):
        return True
    return False
