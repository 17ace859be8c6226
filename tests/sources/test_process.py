"""The process that fetches: what it is given, what it is not, and that nothing of it stays."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from qtasks.circuits.sources import fetch
from qtasks.errors import QTasksError, Unavailable
from qtasks.resources import Circuit
from qtasks.settings import Settings
from tests.sources.conftest import Fetch, Serve
from tests.sources.processes import processes_of
from tests.sources.web_server import Asked, WebServer
from tests.support.servers import eventually

pytestmark = pytest.mark.system

KNOWN = {
    *("HOME", "TMPDIR", "LC_ALL", "PATH", "SSL_CERT_FILE"),
    *("GIT_DIR", "GIT_PREFIX", "GIT_PROTOCOL", "GIT_SHALLOW_FILE", "PWD", "OLDPWD", "SHLVL", "_"),
}


class Silent:
    """A server that takes requests and answers none until `end`; then it breaks the connections off."""

    def __init__(self, serve: Serve) -> None:
        self._end = threading.Event()
        self.server = serve(self._answer)
        self.end = self._end.set

    def _answer(self, asked: Asked) -> None:
        self._end.wait(60)

    def is_asked(self) -> None:
        eventually(lambda: self.server.requests, what="a request")


@pytest.fixture
def silent(serve: Serve) -> Iterator[Silent]:
    server = Silent(serve)
    yield server
    server.end()


def git(server: WebServer) -> dict[str, object]:
    ref = {"repository": server.url("/a.git"), "path": "a.py", "secretRef": {"name": "lab"}}
    return {"source": "git", "gitRef": ref}


def secret(home: Path) -> None:
    folder = home / "secrets" / "default" / "lab"
    folder.mkdir(parents=True)
    (folder / "username").write_text("me")
    (folder / "password").write_text("hunter2")


def test_no_process_of_a_fetch_shows_a_secret_or_the_workers_environment(
    silent: Silent,
    get: Fetch,
    tmp_path: Path,
    own_world: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of the worker")
    monkeypatch.setenv("QTASKS_DATABASE_URL", "postgresql://worker:of-the-worker@db/qtasks")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    secret(tmp_path / "home")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(get, git(silent.server))
        silent.is_asked()  # git is at work
        shown = {
            process.name: (process / "environ").read_bytes() + b"\0" + (process / "cmdline").read_bytes()
            for process in processes_of(own_world)
        }
        assert len(shown) >= 3  # the fetch, git, git's https
        for text in shown.values():
            assert b"hunter2" not in text
            assert b"of the worker" not in text and b"of-the-worker" not in text
            names = {part.split(b"=")[0].decode() for part in text.split(b"\0\0")[0].split(b"\0") if b"=" in part}
            assert {name for name in names if not name.startswith(("GIT_CONFIG_", "GIT_"))} <= KNOWN
        [home] = [path for path in own_world.iterdir() if path.is_dir()]
        assert home.stat().st_mode & 0o777 == 0o700
        assert all(path.stat().st_mode & 0o077 == 0 for path in home.glob("*") if path.is_file())
        silent.end()
        with pytest.raises(Unavailable) as error:
            answer.result()
    assert error.value.reason == "SourceUnreachable"
    assert processes_of(own_world) == []
    assert list(own_world.iterdir()) == []


def test_a_fetch_dies_with_the_worker_that_asked_for_it(silent: Silent, tmp_path: Path, own_world: Path) -> None:
    secret(tmp_path / "home")
    asking = (
        "import sys; from qtasks.circuits.sources import fetch; from qtasks.resources import Circuit\n"
        "from qtasks.settings import Settings; import json\n"
        "fetch(Circuit(**json.loads(sys.argv[1])), namespace='default', timeout_seconds=60,\n"
        "      settings=Settings(home=sys.argv[2], source_hosts='localhost'))"
    )
    worker = subprocess.Popen(
        [sys.executable, "-c", asking, json.dumps(git(silent.server)), str(tmp_path / "home")],
        env={**os.environ, "TMPDIR": str(own_world)},
    )
    try:
        silent.is_asked()
        assert len(processes_of(own_world)) >= 3
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    eventually(lambda: not processes_of(own_world), what="the end of the fetch")


def test_threads_fetch_beside_each_other(serve: Serve, get: Fetch) -> None:
    server = serve(lambda asked: asked.reply(asked.path.encode()))
    paths = [f"/{number}" for number in range(8)]
    with ThreadPoolExecutor(4) as pool:
        fetched = list(pool.map(lambda path: get({"source": "url", "url": server.url(path)}), paths))
    assert [one.data.decode() for one in fetched] == paths


def test_a_fetch_that_is_killed_may_be_tried_again(silent: Silent, get: Fetch, own_world: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(get, {"source": "url", "url": silent.server.url()}, seconds=30)
        silent.is_asked()
        [process] = processes_of(own_world)
        os.kill(int(process.name), signal.SIGKILL)
        with pytest.raises(Unavailable) as error:
            answer.result()
    assert error.value.reason == "SourceFailed"


def test_a_worker_without_git_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    circuit = Circuit(source="git", gitRef={"repository": "https://127.0.0.1/a.git", "path": "a.py"})
    settings = Settings(home=tmp_path, source_hosts="127.0.0.1")
    with pytest.raises(QTasksError) as error:
        fetch(circuit, namespace="default", settings=settings, timeout_seconds=20)
    assert (type(error.value), error.value.reason) == (Unavailable, "GitMissing")


def test_a_git_that_is_too_old_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "git"
    old.write_text("#!/bin/sh\necho git version 2.34.1\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    circuit = Circuit(source="git", gitRef={"repository": "https://127.0.0.1/a.git", "path": "a.py"})
    settings = Settings(home=tmp_path, source_hosts="127.0.0.1")
    with pytest.raises(Unavailable) as error:
        fetch(circuit, namespace="default", settings=settings, timeout_seconds=20)
    assert error.value.reason == "GitTooOld"
