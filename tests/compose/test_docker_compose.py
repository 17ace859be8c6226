"""compose.yaml as Docker Compose itself reads it: version 2, as Debian 13's package docker-compose has it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.compose.document import ROOT, environment, services

pytestmark = pytest.mark.needs_packages


def compose(*arguments: str) -> subprocess.CompletedProcess[str]:
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) is None:
            continue
        version = subprocess.run([*command, "version", "--short"], capture_output=True, text=True, check=False)
        if version.returncode == 0 and not version.stdout.startswith(("0.", "1.")):
            return subprocess.run(
                [*command, "--file", str(ROOT / "compose.yaml"), *arguments],
                env=environment(),
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
    raise AssertionError("There is no Docker Compose 2: see docs/images.md.")


def read(*arguments: str) -> dict[str, Any]:
    done = compose(*arguments, "config", "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_it_reads_every_service_of_every_profile() -> None:
    assert read("--profile", "*")["services"].keys() == services().keys()


def test_profiles_are_left_out_unless_asked_for() -> None:
    left_out = {name for name, service in services().items() if "profiles" in service}
    assert services().keys() - read()["services"].keys() == left_out == {"execution-gpu", "prometheus", "grafana"}


def test_the_example_of_variables_changes_nothing() -> None:
    assert read("--env-file", str(ROOT / ".env.example")) == read("--env-file", "/dev/null")


def test_a_variable_is_heard(tmp_path: Path) -> None:
    (tmp_path / "env").write_text("EXECUTION_MEMORY=16g\nSTOP_SECONDS=5\nSTOP_GRACE=25s\n")
    execution = read("--env-file", str(tmp_path / "env"))["services"]["execution"]
    assert execution["deploy"]["resources"]["limits"]["memory"] == str(16 * 2**30)
    assert execution["stop_grace_period"] == "25s"
    assert execution["environment"]["QTASKS_STOP_SECONDS"] == "5"
