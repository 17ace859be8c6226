"""`qtasks up` and `qtasks api` as a user starts them."""

from __future__ import annotations

import socket
from collections.abc import Callable

import httpx
import pytest

from tests.api.conftest import job
from tests.support.servers import eventually, free_port
from tests.support.stack import Stack

pytestmark = pytest.mark.system


def test_up_serves_the_api_and_says_where(make_stack: Callable[..., Stack]) -> None:
    stack, port = make_stack(), free_port()
    up = stack.run("up", "--flower-port", "0", "--api-port", str(port))
    eventually(lambda: f"http://127.0.0.1:{port}" in up.text, seconds=60, what="the address being told")

    def answers() -> bool:
        assert up.popen.poll() is None, up.text
        try:
            return httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    eventually(answers, seconds=60, what="the API answering")
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=90) as anybody:
        made = anybody.post("/v1/jobs", json=job("first"))
        assert made.status_code == 201 and made.headers["ratelimit-policy"]
        assert sum(anybody.get("/v1/jobs/first/result", params={"wait": 60}).json()["counts"].values()) == 100
        foreign = anybody.post("/v1/jobs", json=job(), headers={"Origin": "https://evil.example"})
        assert foreign.json()["reason"] == "CrossOrigin"
        assert anybody.get("/healthz", headers={"Host": "evil.example"}).json()["reason"] == "HostNotAllowed"
    up.stop()
    assert up.popen.returncode == 0


def test_a_port_that_is_taken_is_told_at_once(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refused = stack.run("up", "--api-port", str(taken.getsockname()[1]))
        assert refused.popen.wait(60) == 5
        assert "AddressInUse" in refused.text and "--api-port" in refused.text
