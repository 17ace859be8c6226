"""The warm process's life: killed, started again, shared by forks, ended, run by itself; and what it leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from qtasks.circuits.sandbox import Sandbox
from qtasks.circuits.sandbox.process import WarmProcess
from qtasks.circuits.sandbox.server_socket import listen
from qtasks.errors import Unavailable
from qtasks.settings import Settings
from tests.sandbox.asking import BELL, QASM2, ask, children, descriptors, eventually, reasons, server


@pytest.mark.system
def test_a_killed_server_is_started_again() -> None:
    with Sandbox() as sandbox:
        assert reasons([ask(sandbox, BELL)]) == ["ok"]
        first = server(sandbox)
        spares = children(first)
        os.kill(first, signal.SIGKILL)
        assert reasons([ask(sandbox, BELL)]) == ["ok"]
        assert server(sandbox) != first
        eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in spares))


def test_forked_processes_share_it_and_leave_nothing() -> None:
    before = descriptors()
    with Sandbox() as sandbox:
        assert reasons([ask(sandbox, BELL)]) == ["ok"]
        code = os.waitstatus_to_exitcode(_in_a_fork(lambda: reasons([ask(sandbox, BELL)] * 3) == ["ok"] * 3))
        assert code == 0
        assert reasons([ask(sandbox, BELL)]) == ["ok"]  # the fork did not take it along
        pid = server(sandbox)
        eventually(lambda: len(children(pid)) == 2)  # the spares, and no zombies
        address = sandbox._process.address
    sandbox.close()
    assert not Path(f"/proc/{pid}").exists()
    assert not address.parent.exists()
    assert descriptors() == before


def _in_a_fork(check: Callable[[], bool]) -> int:
    pid = os.fork()
    if pid == 0:
        os._exit(0 if check() else 1)
    return os.waitpid(pid, 0)[1]


@pytest.mark.system
def test_the_server_ends_with_the_process_that_started_it() -> None:
    code = (
        "import os\nfrom qtasks.circuits.sandbox import Sandbox, Source\n"
        f"s = Sandbox(); s.start(); s.check([Source('it', None, {QASM2!r})])\n"
        "print(s._process.pid, s._process.address.parent, flush=True)\nos.kill(os.getpid(), 9)\n"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=False, timeout=30
    ).stdout
    pid, folder = out.split()
    eventually(lambda: not Path(f"/proc/{pid}").exists())
    assert not Path(folder).exists()


def test_a_sidecar_serves_whoever_reaches_its_socket(tmp_path: Path) -> None:
    address = tmp_path / "socket"
    with subprocess.Popen([sys.executable, "-m", "qtasks.circuits.sandbox", "--socket", str(address)]) as sidecar:
        try:
            eventually(address.exists)
            with Sandbox(Settings(home=tmp_path, sandbox_socket=address)) as sandbox:
                assert reasons([ask(sandbox, BELL)]) == ["ok"]
            assert sidecar.poll() is None
        finally:
            sidecar.terminate()
    with (
        Sandbox(Settings(home=tmp_path, sandbox_socket=address)) as sandbox,
        pytest.raises(Unavailable, match="reached"),
    ):
        ask(sandbox, BELL)


def test_a_sandbox_that_was_not_started_says_so() -> None:
    with pytest.raises(Unavailable, match="not been started"):
        ask(Sandbox(), BELL)


def test_a_process_that_ends_at_once_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: WarmProcess) -> None:
        with listen(self.address) as listener:
            code = "import socket, sys; s = socket.socket(fileno=int(sys.argv[1])); c, _ = s.accept()"
            self._server = subprocess.Popen(
                [sys.executable, "-c", code, str(listener.fileno())], pass_fds=[listener.fileno()]
            )
            self._server_owner = os.getpid()

    monkeypatch.setattr(WarmProcess, "_spawn", broken)
    with Sandbox() as sandbox, pytest.raises(Unavailable, match="as soon as it is started"):
        ask(sandbox, BELL)


@pytest.mark.system
def test_it_needs_no_folder_for_temporary_files() -> None:
    """A container with a read-only root has none, and Qiskit asks for one when it is imported."""
    code = (
        "import tempfile\ntempfile._candidate_tempdir_list = lambda: []\n"
        "from qtasks.circuits.sandbox import server\nserver.warm()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
