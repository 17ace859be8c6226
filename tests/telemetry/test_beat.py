"""Beat's probes: a beat that does not tick is not alive, unless it looks for its broker."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from qtasks.settings import Settings
from qtasks.telemetry import metric
from tests.support.servers import Redis, eventually, free_port
from tests.support.stack import Stack
from tests.telemetry.conftest import probe, scrape
from workers.beat import Signs

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    server = Redis(tmp_path_factory.mktemp("beat-redis"))
    server.start()
    yield server
    server.stop()


def test_a_running_beat_ticks_and_counts_and_one_that_is_stopped_answers_nothing(tmp_path: Path, broker: Redis) -> None:
    stack = Stack(Settings(home=tmp_path / "home", broker_url=broker.url, poll_seconds=0.5), tmp_path)
    stack.migrate()
    port = free_port()
    beat = stack.run("beat", QTASKS_METRICS_PORT=str(port))
    try:
        eventually(lambda: probe(port, "/readyz")[0] == 200, what="beat being ready")
        sent = ("qtasks_beat_sent_total", "sent", "qtasks.polling")
        eventually(lambda: scrape(port).get(sent, 0) >= 2, what="the periodic tasks being counted")
        assert scrape(port)["qtasks_beat_tick_age_seconds",] < 5
        assert probe(port, "/healthz") == (200, {"tick": "ok"})
        os.kill(beat.popen.pid, signal.SIGSTOP)
        assert probe(port, "/healthz", seconds=0.5)[0] == 0
        os.kill(beat.popen.pid, signal.SIGCONT)
        assert probe(port, "/healthz")[0] == 200
    finally:
        stack.close()


def test_a_beat_that_does_not_tick_is_not_alive(broker: Redis) -> None:
    config = Settings(metrics_port=free_port(), broker_url=broker.url, probe_seconds=0.2)
    signs = Signs(config)
    try:
        assert signs.serve() == config.metrics_port
        signs.ticked(0.0)
        status, checks = eventually(lambda: _failing(config.metrics_port), what="/healthz telling of it")
        assert (status, checks["tick"][:11]) == (503, "no tick for")
        signs.ticked(60.0)
        assert probe(config.metrics_port, "/healthz")[0] == 200
    finally:
        metric.switch_off()


def test_a_beat_that_looks_for_its_broker_is_alive_and_not_ready() -> None:
    config = Settings(metrics_port=free_port(), broker_url=f"redis://127.0.0.1:{free_port()}/0", probe_seconds=0.01)
    signs = Signs(config)
    try:
        assert signs.serve() == config.metrics_port
        assert eventually(lambda: probe(config.metrics_port, "/readyz"), what="an answer") == (
            503,
            {"broker": "ConnectionError"},
        )
        assert probe(config.metrics_port, "/healthz") == (200, {"tick": "ok"})
    finally:
        metric.switch_off()


def _failing(port: int) -> tuple[int, dict[str, str]] | None:
    status, checks = probe(port, "/healthz")
    return (status, checks) if status == 503 else None
