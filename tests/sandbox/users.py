"""Who runs the sandbox in a test: as we are, as an ordinary user, or as a pod would; and the sandbox under attack."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from qtasks.circuits.sandbox import Checked, Limits, Rejected, Sandbox, Source
from qtasks.settings import Settings
from tests.sandbox import asking, launch

AS_WE_ARE, ORDINARY, POD = "as we are", "as an ordinary user", "as in a pod"
# Whoever is no root is an ordinary user already.
USERS = (AS_WE_ARE, ORDINARY) if os.geteuid() == 0 else (AS_WE_ARE,)

WHAT_IT_TAKES = """
import importlib.util, pathlib, socket, sys
import qtasks.circuits.sandbox.server
for name in ("numpy", "scipy", "qiskit", "qiskit_qasm3_import", "openqasm3", "pydantic"):
    pathlib.Path(importlib.util.find_spec(name).origin).read_bytes()
socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).bind(sys.argv[1] + "/probe")
"""


@dataclass(slots=True)
class Attacked:
    """A warm process that runs by itself as some user, and a client that reaches it."""

    sandbox: Sandbox
    process: subprocess.Popen[bytes]
    folder: Path
    """A private folder of the user who runs it."""
    secret: Path
    """A file that the user who runs it may read and write."""
    launched: list[str] = field(default_factory=list)
    """What makes a command run as that user."""

    @property
    def pid(self) -> int:
        return self.process.pid

    def ask(self, source: str, limits: Limits | None = None) -> Checked | Rejected:
        return asking.ask(self.sandbox, source, limits)

    def told(self, source: str, limits: Limits | None = None) -> str:
        """What a source prints before it makes a good circuit."""
        answer = self.ask(source + "\n" + asking.BELL, limits)
        assert isinstance(answer, Checked), answer
        return answer.output

    def reasons(self, sources: Mapping[str, str | bytes], limits: Limits | None = None) -> dict[str, str]:
        """What each source is refused with, by its name, or `ok`: four Python sources run at a time."""
        encoded = {name: source if isinstance(source, bytes) else source.encode() for name, source in sources.items()}
        found = self.sandbox.check([Source(name, None, data) for name, data in encoded.items()], limits)
        return dict(zip(encoded, asking.reasons(found), strict=True))

    def reason(self, source: str, limits: Limits | None = None, *, format: str = "python") -> str:  # noqa: A002
        return asking.reasons(self.sandbox.check([Source("it", format, source.encode())], limits))[0]


@contextlib.contextmanager
def attacked_as(who: str) -> Iterator[Attacked]:
    """A sandbox that `who` runs, ended with the block. Its folder lies where that user can reach it."""
    folder = Path(tempfile.mkdtemp(prefix="qtasks-attacked-"))
    try:
        launched = _launcher(who, folder)
        secret = folder / "secret"
        secret.write_text("hunter2")
        if "nobody" in "".join(launched[-1:]):
            shutil.chown(secret, launch.NOBODY, launch.NOBODY)
        address = folder / "socket"
        command = [*launched, sys.executable, "-m", "qtasks.circuits.sandbox", "--socket", str(address)]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/")
        try:
            asking.eventually(lambda: address.exists() or process.poll() is not None, seconds=30)
            assert process.poll() is None, (folder / "log").read_text()
            with Sandbox(Settings(home=folder, sandbox_socket=address)) as sandbox:
                yield Attacked(sandbox, process, folder, secret, launched)
        finally:
            process.terminate()
            process.wait(20)
    finally:
        shutil.rmtree(folder)


def _launcher(who: str, folder: Path) -> list[str]:
    """What makes a command run as `who`; `folder` becomes theirs.

    An ordinary user is another one, or, where that user lacks what any user of the sandbox must have (this checkout,
    its Python or the folder for temporary files may be private to root), root without its rights.
    """
    pod = ["pod"] if who == POD else []
    if who == AS_WE_ARE or (os.geteuid() != 0 and not pod):
        return []
    if os.geteuid() != 0:
        return _as(pod)
    told = []
    for kind in ("nobody", "namespace", "stripped"):
        owner = launch.NOBODY if kind == "nobody" else 0
        os.chown(folder, owner, owner)
        found = _as([kind])
        probe = [*found, sys.executable, "-c", WHAT_IT_TAKES, str(folder)]
        tried = subprocess.run(probe, capture_output=True, text=True, cwd="/", check=False, timeout=60)
        (folder / "probe").unlink(missing_ok=True)
        if tried.returncode == 0:
            return _as([kind, *pod])
        told.append(f"{kind}: {tried.stderr[-300:]}")
    raise AssertionError("nobody but root can run the sandbox here: " + "; ".join(told))


def _as(words: list[str]) -> list[str]:
    return [sys.executable, "-I", str(Path(launch.__file__)), ",".join(words)]
