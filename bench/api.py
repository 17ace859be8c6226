"""Submits over REST, a job a request, to two processes of the API, against FastAPI answering a constant."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from bench.figures import Figure, bounded, compared, percentile
from bench.system import PROCESSES, ROOT, System
from qtasks.api.openapi import BELL_JOB
from qtasks.store import Store, tables
from tests.support.servers import eventually, free_port

_CONNECTIONS = 16
_LEAST_PER_SECOND = 300


def run(system: System) -> list[Figure]:
    """A Bell pair in each request, over kept connections; nothing runs the jobs meanwhile."""
    count = 1000 if system.options.quick else 3000
    stack = system.stack("api", redis_database=2)
    port, peer_port = free_port(), free_port()
    api = stack.run(
        "api", QTASKS_API_PORT=str(port), QTASKS_API_WORKERS=str(PROCESSES), QTASKS_API_RATE="100000/second"
    )
    peer = _peer(peer_port, system.folder / "constant.log")
    try:
        eventually(lambda: _answers(port, "/readyz"), seconds=60, what="the API answering")
        eventually(lambda: _answers(peer_port, "/docs"), seconds=60, what="the peer answering")
        for each in (port, peer_port):
            _load(each, _CONNECTIONS, 300)
        rounds = [
            (count / _load(peer_port, _CONNECTIONS, count)[0], count / _load(port, _CONNECTIONS, count)[0])
            for _ in range(system.options.rounds)
        ]
        quiet = _load(port, 1, count // 5)[1]
        busy = _load(port, _CONNECTIONS, count)[1]
    finally:
        peer.send_signal(signal.SIGTERM)
        peer.wait(20)
        api.stop()
    submitted = 300 + count * (system.options.rounds + 1) + count // 5
    assert _jobs(stack.settings.database) == submitted, "a submit that was answered is missing"
    what = f"{_CONNECTIONS} connections, {PROCESSES} processes"
    rate = compared("api", what, "submits/s", rounds, peer_is="FastAPI answering a constant")
    return [
        replace(rate, target=f"≥ {_LEAST_PER_SECOND} submits/s", met=rate.value >= _LEAST_PER_SECOND),
        *_times("one connection", quiet, 10),
        *_times(what, busy, None),
    ]


def _times(what: str, times: Sequence[float], most: float | None) -> list[Figure]:
    return [
        bounded("api", f"{what}: submit, p50", "ms", percentile(times, 0.5), most=most, of=()),
        bounded("api", f"{what}: submit, p95", "ms", percentile(times, 0.95), most=None, of=()),
    ]


def _load(port: int, connections: int, requests: int) -> tuple[float, list[float]]:
    command = [sys.executable, "-m", "bench.load", str(port), "/v1/jobs", str(connections), str(requests)]
    body = json.dumps(BELL_JOB).encode()
    found: dict[str, Any] = json.loads(
        subprocess.run(command, input=body, capture_output=True, check=True, cwd=ROOT).stdout
    )
    assert len(found["milliseconds"]) == requests
    return found["seconds"], found["milliseconds"]


def _peer(port: int, log: Path) -> subprocess.Popen[bytes]:
    command = ["-m", "uvicorn", "bench.constant:app", "--port", str(port), "--workers", str(PROCESSES)]
    options = ["--no-access-log", "--loop", "uvloop", "--http", "httptools"]
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, *command, *options], stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=ROOT
        )


def _answers(port: int, path: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def _jobs(address: str) -> int:
    store = Store(address, pool_size=1)
    with store.read() as tx:
        found = tx.execute(select(func.count()).select_from(tables.jobs)).scalar_one()
    store.close()
    return int(found)
