"""What a worker's probes are told, by what its processes noted and what answers."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from qtasks.settings import Settings
from qtasks.stages import answering
from qtasks.stages.pulse import Pulse, note_heart
from qtasks.telemetry.probes import Answer
from tests.support.servers import eventually, free_port

_PATIENCE = 0.05


def _pulse(folder: Path, *, database: str = "", sandbox: Path | None = None) -> Pulse:
    config = Settings(
        home=folder,
        database_url=database or f"sqlite:///{folder / 'some.db'}",
        broker_url=f"redis://127.0.0.1:{free_port()}/0",
        probe_seconds=_PATIENCE,
        heartbeat_seconds=0.01,
    )
    return Pulse(config, folder, sandbox)


def _checks(answer: Answer) -> dict[str, str]:
    found: dict[str, str] = json.loads(answer.content)["checks"]
    assert (answer.status == 200) == all(said == "ok" for said in found.values())
    return found


def test_leases_that_are_not_renewed_are_told_of(tmp_path: Path) -> None:
    pulse = _pulse(tmp_path)
    assert _checks(pulse.healthz())["leases"] == "ok"
    eventually(lambda: _checks(pulse.healthz())["leases"].startswith("not renewed for"), what="leases being late")
    pulse.renewed.move()
    assert _checks(pulse.healthz())["leases"] == "ok"


def test_a_database_that_is_away_is_no_reason_to_start_a_worker_again(tmp_path: Path) -> None:
    pulse = _pulse(tmp_path, database=f"postgresql+psycopg://nobody@127.0.0.1:{free_port()}/none")
    pulse.overdue = 100.0
    eventually(lambda: pulse.renewed.age > 3 * _PATIENCE, what="time passing")
    assert pulse.healthz().status == 200
    assert _checks(pulse.readyz())["database"] == "DatabaseUnavailable"


def test_what_is_held_past_its_limit_is_told_of(tmp_path: Path) -> None:
    pulse = _pulse(tmp_path)
    pulse.overdue = 100.0
    assert _checks(pulse.healthz())["limits"] == "a process is 100 s over its job's time limit"


def test_a_pool_that_stays_incomplete_is_told_of(tmp_path: Path) -> None:
    pulse = _pulse(tmp_path)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    assert dead.wait() == 0
    note_heart(tmp_path, processes=[os.getpid(), dead.pid], wanted=2, stopping=False)
    eventually(lambda: _checks(pulse.healthz())["pool"] == "1 of 2 processes are alive", what="the pool being told of")
    assert _checks(pulse.readyz())["pool"] == "1 processes"
    note_heart(tmp_path, processes=[os.getpid()], wanted=1, stopping=False)
    assert _checks(pulse.healthz())["pool"] == _checks(pulse.readyz())["pool"] == "ok"


def test_a_worker_that_stops_in_peace_is_alive_and_not_ready(tmp_path: Path) -> None:
    pulse = _pulse(tmp_path)
    note_heart(tmp_path, processes=[], wanted=0, stopping=True)
    eventually(lambda: pulse.turned.age > 3 * _PATIENCE, what="time passing")
    pulse.renewed.move()
    assert _checks(pulse.healthz())["main"] == _checks(pulse.healthz())["pool"] == "ok"
    assert _checks(pulse.readyz())["pool"] == "stopping"


def test_a_sandbox_that_does_not_answer_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "_WAIT_SECONDS", 0.1)
    assert _checks(_pulse(tmp_path, sandbox=tmp_path / "none").readyz())["sandbox"] == "SandboxUnavailable"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as silent:
        silent.bind(str(tmp_path / "silent"))
        silent.listen()
        told = _checks(_pulse(tmp_path, sandbox=tmp_path / "silent").readyz())["sandbox"]
    assert told in ("SandboxUnavailable", "no answer within 0.1 s")
