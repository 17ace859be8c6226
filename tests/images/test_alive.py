"""The containers' health check: a process that is there but makes no progress is not alive."""

from __future__ import annotations

import http.server
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.images.dockerfile import ROOT
from tests.support.servers import eventually


def alive(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-IS", str(ROOT / "docker" / "alive"), *map(str, arguments)]
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=20
    )


@contextmanager
def server(status: int) -> Iterator[int]:
    """Answers every GET with `status` on a port of loopback."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        try:
            yield listening.server_port
        finally:
            listening.shutdown()
            thread.join()


@pytest.mark.parametrize(("status", "exit_status"), [(200, 0), (503, 1)])
def test_alive_is_what_answers_that_it_makes_progress(status: int, exit_status: int) -> None:
    with server(status) as port:
        assert alive(port, "/healthz").returncode == exit_status
        by_variable = alive("QTASKS_METRICS_PORT", "/healthz", QTASKS_METRICS_PORT=str(port))
        assert by_variable.returncode == exit_status


def test_a_proxy_of_the_environment_is_not_asked() -> None:
    with server(200) as port:
        assert alive(port, "/healthz", http_proxy="http://127.0.0.1:9", all_proxy="http://127.0.0.1:9").returncode == 0


def test_nobody_listening_is_not_alive() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        done = alive(bound.getsockname()[1], "/healthz")
    assert done.returncode == 1
    assert "Connection refused" in done.stderr


@pytest.mark.system
def test_a_sandbox_is_alive_while_it_gives_children(tmp_path: Path) -> None:
    address = tmp_path / "socket"
    with subprocess.Popen([sys.executable, "-m", "qtasks.circuits.sandbox", "--socket", str(address)]) as sandbox:
        try:
            eventually(address.exists)
            assert alive(address).returncode == 0
            assert alive(address).returncode == 0
        finally:
            sandbox.terminate()
    assert alive(address).returncode == 1


@pytest.mark.system
def test_a_sandbox_that_accepts_and_does_nothing_is_not_alive(tmp_path: Path) -> None:
    address = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stuck:
        stuck.bind(str(address))
        stuck.listen()
        assert alive(address).returncode == 1
