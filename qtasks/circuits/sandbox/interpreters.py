"""A new interpreter for each request: what a platform gets that can fork no confined children (any but Linux).

It is 340 ms slower than a child of the warm process, and stops far less: see docs/security.md.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from qtasks.circuits.sandbox.conversation import End, end_of

_WAIT_SECONDS = 10.0


class Interpreter:
    """One request's process."""

    def __init__(self, limits: Mapping[str, object], pipe: socket.socket) -> None:
        main = Path(__file__).with_name("__main__.py")
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(main), f"--pipe={pipe.fileno()}", f"--limits={json.dumps(limits)}"],
            env={},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[pipe.fileno()],
            start_new_session=True,
            cwd="/",
        )

    def await_start(self) -> None: ...

    def why(self) -> End:
        try:
            return end_of(self._process.wait(_WAIT_SECONDS))
        except subprocess.TimeoutExpired:  # it closed its pipe, and lives
            return End("SandboxCrashed")

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


class Interpreters:
    """Where they come from; there is nothing to start, and nothing to end."""

    lacking = (f"There is no sandbox for {sys.platform}: it needs Linux.",)

    def start(self) -> None: ...

    def close(self) -> None: ...

    def child(self, limits: Mapping[str, object], pipe: socket.socket) -> Interpreter:
        return Interpreter(limits, pipe)
