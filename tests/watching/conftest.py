"""Redis with a password, as an installation has it, and Flower behind a proxy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from tests.support.proxy import proxied
from tests.support.servers import Postgres, Redis, eventually, free_port
from tests.support.stack import Process, Stack, shared_stack

PASSWORD = "hunter2/and@more"


class GuardedRedis(Redis):
    """A Redis that asks for PASSWORD, which its address carries as addresses must."""

    @property
    def url(self) -> str:
        return f"redis://:hunter2%2Fand%40more@127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        return [*super().command(), "--requirepass", PASSWORD, "--appendonly", "yes"]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedRedis]:
    server = GuardedRedis(tmp_path_factory.mktemp("guarded"))
    server.start()
    yield server
    server.stop()


USER = ("ops", "correct-horse")


@dataclass
class Monitor:
    """Flower behind a proxy, over a stack with one worker."""

    stack: Stack
    process: Process
    url: str
    """Through the proxy, with the path that it has there."""
    upstream: str
    client: httpx.Client
    """Of nobody: it has no password."""

    def get(self, path: str, user: tuple[str, str] | None = USER) -> httpx.Response:
        return self.client.get(f"{self.url}{path}", auth=user)


@pytest.fixture(scope="module")
def monitor(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, guarded: GuardedRedis) -> Iterator[Monitor]:
    folder = tmp_path_factory.mktemp("monitor")
    (folder / "users").write_text(f"# who may look\n{':'.join(USER)}\n")
    with shared_stack(folder, postgres, guarded, 1, flower_auth_file=folder / "users") as stack:
        port = free_port()
        process = stack.run("flower", "--address", "0.0.0.0", "--port", str(port), "--url-prefix", "/flower")
        upstream = f"http://127.0.0.1:{port}"
        with proxied("/flower", upstream) as url, httpx.Client(timeout=30) as client:
            found = Monitor(stack, process, url, upstream, client)
            # Workers answer Flower's questions after a while.
            eventually(lambda: _answers(found), seconds=60, what="Flower knowing the worker")
            yield found


def _answers(monitor: Monitor) -> bool:
    assert monitor.process.popen.poll() is None, monitor.process.text[-3000:]
    try:
        return any(each.get("active_queues") for each in monitor.get("/api/workers").json().values())
    except (httpx.TransportError, ValueError):
        return False
