"""The server of probes and metrics: what it answers, to whom, and that it is in nobody's way."""

from __future__ import annotations

import logging
import socket

import httpx
import pytest

from qtasks.settings import Settings
from qtasks.telemetry import probes, serving
from qtasks.telemetry.probes import Answer, Progress
from tests.support.servers import free_port


def _broken() -> Answer:
    raise RuntimeError("a secret")


def _serve(**values: object) -> str:
    config = Settings(metrics_port=free_port(), **values)  # type: ignore[arg-type]
    pages = {
        "/metrics": lambda: Answer(200, b"some 1\n", "text/plain"),
        "/healthz": lambda: probes.told({"main": "ok", "pool": "1 of 2 processes are alive"}),
        "/readyz": lambda: probes.told({"database": "ok"}),
        "/broken": _broken,
    }
    return f"http://127.0.0.1:{serving.serve(config, pages)}"


def test_a_probe_is_told_what_is_wrong() -> None:
    url = _serve()
    assert httpx.get(f"{url}/readyz").json() == {"status": "ok", "checks": {"database": "ok"}}
    answer = httpx.get(f"{url}/healthz?verbose=1")
    assert answer.status_code == 503
    assert answer.json()["status"] == "failing"
    assert answer.json()["checks"]["pool"] == "1 of 2 processes are alive"
    assert httpx.head(f"{url}/readyz").content == b""
    assert httpx.get(f"{url}/else").status_code == 404


def test_metrics_ask_for_their_token_and_probes_for_none() -> None:
    url = _serve(metrics_token="s3cret")
    refused = httpx.get(f"{url}/metrics", headers={"Authorization": "Bearer another"})
    assert refused.status_code == httpx.get(f"{url}/metrics").status_code == 401
    assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert "s3cret" not in refused.text
    assert httpx.get(f"{url}/metrics", headers={"Authorization": "Bearer s3cret"}).text == "some 1\n"
    assert httpx.get(f"{url}/readyz").status_code == 200


def test_an_error_is_for_the_log_alone() -> None:
    answer = httpx.get(f"{_serve()}/broken")
    assert answer.status_code == 500
    assert "secret" not in answer.text


def test_a_port_that_is_taken_keeps_nobody_from_working(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, caplog.at_level(logging.ERROR):
        assert serving.serve(Settings(metrics_port=taken.getsockname()[1]), {}) is None
    assert "has no /metrics and no probes" in caplog.text


def test_connections_that_say_nothing_leave_the_server_to_others() -> None:
    url = _serve()
    port = int(url.rpartition(":")[2])
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(10)]
    try:
        assert httpx.get(f"{url}/readyz").status_code == 200
    finally:
        for connection in silent:
            connection.close()


def test_progress_is_late_only_of_the_time_in_which_it_could_have_been_made() -> None:
    now = 0.0
    progress = Progress(lambda: now)
    now = 50.0
    assert not progress.late(60)
    progress.excuse()
    now = 100.0
    assert not progress.late(60)
    assert progress.age == 100.0
    now = 111.0
    assert progress.late(60)
    progress.moved_at(90.0)
    assert not progress.late(60)
    assert progress.age == 21.0


def test_the_token_is_in_no_message_and_in_no_environment_that_is_made_of_settings() -> None:
    config = Settings(metrics_token="s3cret")  # type: ignore[arg-type]
    assert "s3cret" not in repr(config)
    assert "QTASKS_METRICS_TOKEN" not in config.environment()
