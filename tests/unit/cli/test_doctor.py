"""`qtasks doctor`: each part tried for real, what fails named, nothing left behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from qtasks import settings as settings_module
from qtasks.cli.app import app


@pytest.fixture(autouse=True)
def fresh_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings_module.settings.cache_clear()
    monkeypatch.setenv("QTASKS_HOME", str(tmp_path / "home"))


def test_on_a_machine_where_nothing_runs_yet_nothing_fails(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["doctor", "-o", "json"])
    assert result.exit_code == 0, result.output
    found = {one["part"]: one["mark"] for one in json.loads(result.stdout)["items"]}
    assert (found["database"], found["broker"], found["objects"]) == ("-", "-", "-")
    assert found["git"] == "ok"
    assert {mark for part, mark in found.items() if part.startswith("sandbox: ")} == {"ok"}
    assert len(found) > 10
    assert not (tmp_path / "home").exists()


def test_what_fails_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("QTASKS_BROKER_URL", f"unix://{tmp_path}/no.sock")
    monkeypatch.setenv("QTASKS_SANDBOX_SOCKET", str(tmp_path / "nobody"))
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 5
    assert "fail  The database is at schema none" in result.stdout
    assert "Run `qtasks db upgrade`" in result.stdout
    assert "Redis does not answer" in result.stdout
    assert f"No sandbox answers at {tmp_path}/nobody" in result.stdout
    assert result.stderr.startswith("qtasks: 3 of 7 parts fail: schema, broker, sandbox.")


def test_what_is_set_wrongly_has_an_exit_code_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("accounts: none")
    monkeypatch.setenv("QTASKS_CONFIG", str(tmp_path / "config.yaml"))
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 2, result.output
    assert "wrong" in result.stdout and result.stderr.startswith("qtasks: 1 of ")
    assert "[PartsSetWrongly]" in result.stderr
