"""The client's conversation with one child: asked for, given its items, heard, its end explained."""

from __future__ import annotations

import contextlib
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from qtasks.circuits.sandbox import items, wire
from qtasks.circuits.sandbox.answers import Limits
from qtasks.circuits.sandbox.items import Item

GRACE_SECONDS = 0.5
_FITS_THE_PIPE = 32768
"""Bytes that can be sent before anybody reads them."""


class ServerLost(Exception):
    """The warm process ended while it had a request, before or after it had `started` on it."""

    def __init__(self, *, started: bool) -> None:
        super().__init__()
        self.started = started


@dataclass(frozen=True, slots=True)
class End:
    """How a child ended early; `certain` when that is surely the doing of the item that it was reading."""

    reason: str
    detail: str = ""
    certain: bool = False
    layer: str = "crash"
    """Of the sandbox, that ended it."""


def end_of(status: int) -> End:
    """What a child's exit status means: an exit code, or a signal as a negative number."""
    if status == -signal.SIGXCPU:
        return End("ValidationTimeout", layer="cpu")
    if status == -signal.SIGSYS:
        return End("SandboxCrashed", "The process that read the circuit died of SIGSYS.", layer="seccomp")
    if status == -signal.SIGKILL:
        # Nobody else kills a child that is in time: the kernel was out of memory.
        return End("SandboxMemory", layer="memory")
    if status < 0:
        return End("SandboxCrashed", f"The process that read the circuit died of {signal.Signals(-status).name}.")
    return End("SandboxCrashed", f"The process that read the circuit ended with exit code {status}.")


class Child(Protocol):
    """A child that has been asked for: one of the warm process's, or an interpreter of its own."""

    def await_start(self) -> None:
        """Returns when it has the request. Raises Unavailable, ServerLost."""

    def why(self) -> End:
        """How it ended, which it has. Raises ServerLost where nobody is left to tell."""

    def close(self) -> None:
        """Kills it if it still runs."""


class Children(Protocol):
    """Where children come from."""

    def child(self, limits: Mapping[str, object], pipe: socket.socket) -> Child:
        """Asks for one, with these limits, that speaks through `pipe`. Raises Unavailable, ServerLost."""


class Conversation:
    """One child, for `count` items; closing the conversation kills it.

    Asking for it does not wait: it gets ready while the caller does something else, for `ahead` seconds at most.
    Raises Unavailable where children cannot be had, ServerLost where the warm process ends at once.
    """

    def __init__(
        self, children: Children, limits: Limits, count: int, *, flush: float = 0.0, ahead: float = 0.0
    ) -> None:
        self._patience = limits.wall_seconds + GRACE_SECONDS
        self._limits = limits
        self._sends_at_once = flush == 0
        head = {
            "wall": ahead + self._patience * count - GRACE_SECONDS,
            "cpu": (limits.cpu_seconds or limits.wall_seconds) * count,
            "memory": limits.memory_bytes,
            "output": limits.output_bytes,
            "operations": limits.operations,
            "flush": flush,
        }
        self._pipe, theirs = socket.socketpair()
        try:
            with theirs:
                self._child = children.child(head, theirs)
        except BaseException:
            self._pipe.close()
            raise

    def __enter__(self) -> Conversation:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._child.close()
        self._pipe.close()

    def hear(self, asked: Sequence[Item]) -> tuple[int, End | None]:
        """Sends the items and takes in their answers. Returns how many were answered, and how the child ended if it
        did not answer them all.

        Raises ServerLost, and Unavailable when there is no child for it.
        """
        wanted = [items.wanted(index, item) for index, item in enumerate(asked)]
        request = wire.frame({"items": wanted}, *[item.data for item in asked])
        sent = len(request) <= _FITS_THE_PIPE
        with contextlib.suppress(OSError):  # that the other end has gone is seen below
            if sent:
                self._pipe.sendall(request)
        self._child.await_start()
        reader = wire.Reader(self._pipe)
        answered = 0
        try:
            self._pipe.settimeout(self._patience)
            if not sent:
                self._pipe.sendall(request)
            for index, item in enumerate(asked):
                deadline = time.monotonic() + self._patience
                header, qpy = reader.frame(max_body=self._limits.output_bytes, deadline=deadline)
                if not items.take(item, index, header, qpy):
                    return answered, End("SandboxCrashed")
                answered += 1
            return answered, None
        except TimeoutError:
            # Closing the conversation kills the child. An answer that it had not sent yet hides which item it is at.
            return answered, End("ValidationTimeout", certain=self._sends_at_once, layer="deadline")
        except wire.BrokenFrame:
            return answered, End("SandboxCrashed")
        except (OSError, EOFError):
            return answered, self._child.why()
