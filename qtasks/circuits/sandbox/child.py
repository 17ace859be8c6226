"""The life of a sandbox child: cut off, confined, then it reads what it was sent and answers.

Everything it answers is untrusted to the client: a Python source may have changed any of this code before it ran.
"""

from __future__ import annotations

import contextlib
import gc
import json
import math
import os
import resource
import select
import socket
import time
from collections.abc import Mapping
from typing import Any

import numpy

from qtasks.circuits import formats
from qtasks.circuits.sandbox import reading, wire
from qtasks.circuits.sandbox.confine import PIPE, confine, detach, mapped_bytes
from qtasks.circuits.sandbox.layers import Layers
from qtasks.circuits.sandbox.rehearsal import rehearse


class Pipe:
    """The child's end, by `read` and `write` alone: it has no call left that is for sockets."""

    def recv(self, most: int) -> bytes:
        return os.read(PIPE, most)

    def sendall(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(PIPE, view) :]


def main(control: int, parent: int, layers: Layers) -> None:
    """The whole life of a child: cut off at once, then wait for a request on `control`, answer it, end."""
    mapped = mapped_bytes()
    detach(control, parent, layers.ruleset)
    with socket.socket(fileno=PIPE) as waiting:
        if not select.select([waiting], [], [], 0)[0]:
            rehearse()
        message, descriptors, _, _ = socket.recv_fds(waiting, 65536, 1)
        if not message:
            return
        os.dup2(descriptors[0], waiting.detach(), inheritable=False)
        os.close(descriptors[0])
    limits = json.loads(message)
    confine(
        mapped=mapped,
        memory_bytes=limits["memory"],
        cpu_seconds=limits["cpu"],
        calls=layers.calls,
    )
    numpy.random.seed()  # every child has the same state from the warm process, where its like is not reseeded
    _serve(Pipe(), limits)


def alone(pipe: int, limits: Mapping[str, Any]) -> None:
    """The life of an interpreter of its own, where there are no layers: it has limits, and no environment."""
    os.dup2(pipe, PIPE, inheritable=False)
    os.environ.clear()
    for which, value in ((resource.RLIMIT_CPU, math.ceil(limits["cpu"]) + 1), (resource.RLIMIT_FSIZE, 0)):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(which, (value, value))
    _serve(Pipe(), limits)


def _serve(pipe: Pipe, limits: Mapping[str, Any]) -> None:
    header, body = wire.Reader(pipe).frame()
    view, start = memoryview(body), 0
    unsent: list[bytes] = []
    last = time.monotonic()
    items = json.loads(header)["items"]
    if not any(item["format"] == formats.PYTHON for item in items):
        # A child that only parses is gone before its garbage matters.
        gc.disable()
    for item in items:
        data = bytes(view[start : start + item["size"]])
        start += item["size"]
        answer, qpy = reading.answer(item, data, limits)
        unsent.append(wire.frame({"id": item["id"], **answer}, qpy))
        # Several small answers go together: waking the client for each costs more than a small circuit does.
        if time.monotonic() - last >= limits["flush"]:
            pipe.sendall(b"".join(unsent))
            unsent.clear()
            last = time.monotonic()
    pipe.sendall(b"".join(unsent))
