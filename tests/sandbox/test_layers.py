"""The layers themselves: tried for real, missed where they are missing, and a warm process that is replaced."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from qtasks.circuits.sandbox import Checked, Limits, Sandbox, Source, layers, seccomp
from qtasks.circuits.sandbox.trial import trial_apart
from qtasks.errors import Unavailable
from qtasks.settings import Settings
from tests.sandbox.asking import BELL, ask, eventually, reasons

WITHOUT_LANDLOCK = """
from qtasks.circuits.sandbox import seccomp, trial
from qtasks.circuits.sandbox.layers import Layers
for one in trial.trial(Layers(None, seccomp.Filter(files=False))):
    print(one.name, one.holds, one.by)
"""
WITHOUT_ANY = """
from qtasks.circuits.sandbox import trial
from qtasks.circuits.sandbox.layers import Layers
for one in trial.trial(Layers(None, None)):
    print(one.name, one.holds)
"""


def test_every_layer_holds_when_a_child_tries_it() -> None:
    found = trial_apart()
    assert [one.name for one in found if not one.holds] == []
    assert {"environment", "files", "network", "programs", "threads", "signals", "memory"} <= {
        one.name for one in found
    }


def test_a_layer_that_is_missing_is_seen() -> None:
    """A trial that always passes would prove nothing."""
    said = subprocess.run([sys.executable, "-c", WITHOUT_ANY], capture_output=True, text=True, check=True).stdout
    held = dict(line.split() for line in said.splitlines())
    assert held["memory"] == held["environment"] == "True"
    assert {name for name, holds in held.items() if holds == "False"} >= {"network", "signals"}


def test_without_landlock_no_file_can_be_opened() -> None:
    said = subprocess.run([sys.executable, "-c", WITHOUT_LANDLOCK], capture_output=True, text=True, check=True).stdout
    assert "files True seccomp: no file can be opened" in said
    assert "False" not in said


def lacking() -> list[str]:
    return ["This kernel has no seccomp."]


def test_a_platform_that_lacks_a_layer_is_refused_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(layers, "missing", lacking)
    with pytest.raises(Unavailable) as caught:
        Sandbox(Settings(home=tmp_path, sandbox="strict")).start()
    assert caught.value.reason == "SandboxIncomplete"
    assert "This kernel has no seccomp." in str(caught.value)
    assert "QTASKS_SANDBOX=permissive" in str(caught.value)


def test_it_is_permitted_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(layers, "missing", lacking)
    with caplog.at_level(logging.WARNING), Sandbox(Settings(home=tmp_path, sandbox="permissive")) as sandbox:
        answer = ask(sandbox, BELL)
        assert isinstance(answer, Checked)
        assert answer.notes == ("This source ran without a layer of the sandbox. This kernel has no seccomp.",)
    assert "This kernel has no seccomp." in caplog.text


def test_permissive_is_the_default_of_the_embedded_stack_alone(tmp_path: Path) -> None:
    assert Settings(home=tmp_path).sandbox_permissive
    assert not Settings(home=tmp_path, broker_url="redis://127.0.0.1:6379/0").sandbox_permissive
    assert not Settings(home=tmp_path, sandbox="strict").sandbox_permissive


def test_the_filter_knows_both_architectures() -> None:
    from qtasks.circuits.sandbox.system_calls import ARCHITECTURES

    for architecture in ARCHITECTURES.values():
        program = list(seccomp._program(architecture, files=True))
        assert len(program) < 4096  # the kernel's bound
        for at, (code, true, false, _) in enumerate(program):
            if code in (seccomp._EQUAL, seccomp._ANY_BIT):
                assert at + 1 + max(true, false) < len(program)


@pytest.mark.system
def test_other_platforms_read_each_request_in_an_interpreter_of_its_own(tmp_path: Path) -> None:
    limits = Limits(wall_seconds=10)
    with Sandbox(Settings(home=tmp_path), unconfined=True) as sandbox:
        sources = [BELL, "import os\nos._exit(3)", "1/0", "import os\nprint(dict(os.environ))\n" + BELL]
        found = sandbox.check([Source(str(i), "python", text.encode()) for i, text in enumerate(sources)], limits)
        assert reasons(found) == ["ok", "SandboxCrashed", "SourceError", "ok"]
        assert isinstance(found[3], Checked) and found[3].output == "{}\n"
        assert all("without a layer" in answer.notes[-1] for answer in found)
        assert reasons([ask(sandbox, "while True: pass", Limits(wall_seconds=2))]) == ["ValidationTimeout"]


@pytest.mark.system
def test_a_warm_process_that_has_grown_begins_again_at_the_same_socket(tmp_path: Path) -> None:
    address = tmp_path / "socket"
    command = [sys.executable, "-m", "qtasks.circuits.sandbox", "--socket", str(address), "--growth=-1000000000"]
    server = subprocess.Popen(command, cwd="/")
    try:
        eventually(address.exists, seconds=30)
        with Sandbox(Settings(home=tmp_path, sandbox_socket=address)) as sandbox:
            for _ in range(40):  # it looks at its size every 64 children, two of which read a source
                assert reasons([ask(sandbox, BELL)]) == ["ok"]
        assert server.poll() is None
        assert b"--fd=" in Path(f"/proc/{server.pid}/cmdline").read_bytes()
    finally:
        server.terminate()
        assert server.wait(20) == 0
