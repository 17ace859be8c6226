"""The life of a sandbox child: cut off, confined, then it reads what it was sent and answers.

Everything it answers is untrusted to the client: a Python source may have changed any of this code before it ran.
"""

from __future__ import annotations

import gc
import json
import os
import socket
import time
from collections.abc import Mapping
from typing import Any

from qtasks.circuits import formats
from qtasks.circuits.sandbox import reading, wire
from qtasks.circuits.sandbox.confine import PIPE, confine, detach

# Qiskit's generator of parameter UUIDs (Rust) goes on in every fork from the same state, so that `Parameter("t")` of
# two children would compare equal. It takes new entropy from the system after 64 KiB, which is 4096 UUIDs: 0.9 ms.
_UUIDS_UNTIL_RESEED = 4200


def main(control: int, parent: int) -> None:
    """The whole life of a child: cut off at once, then wait for a request on `control`, answer it, end."""
    detach(control, parent)
    with socket.socket(fileno=PIPE) as waiting:
        message, descriptors, _, _ = socket.recv_fds(waiting, 65536, 1)
        if not message:
            return
        os.dup2(descriptors[0], waiting.detach(), inheritable=False)
        os.close(descriptors[0])
    limits = json.loads(message)
    confine(limits["memory"], limits["cpu"])
    if limits["reseed"]:
        _reseed()
    _serve(socket.socket(fileno=PIPE), limits)


def _reseed() -> None:
    import numpy
    from qiskit.circuit import Parameter

    for _ in range(_UUIDS_UNTIL_RESEED):
        Parameter("_")
    numpy.random.seed()


def _serve(pipe: socket.socket, limits: Mapping[str, Any]) -> None:
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
