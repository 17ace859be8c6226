"""What TAB offers: pure candidates, the files of known names, and the scripts of the shells."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.main import get_command

from qtasks.cli import known_names
from qtasks.cli.app import app
from qtasks.cli.completing import FILES, candidates
from tests.support.servers import eventually

KNOWN = {
    ("jobs", "default"): ["bell", "ghz"],
    ("jobs", "lab"): ["vqe-1", "vqe-2"],
    ("budgets", "default"): ["research"],
    ("backends", "default"): ["local_simulator", "ibm_fez"],
    ("accounts", "default"): ["lab-open"],
    ("namespaces", "default"): ["default", "lab"],
}


def offered(line: str) -> list[str]:
    """The candidates at the end of a line, which may end with a blank."""

    def names(kind: str, namespace: str) -> Sequence[str]:
        return KNOWN.get((kind, namespace), [])

    return [word for word, _ in candidates(get_command(app), line.split(" "), names)]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("desc", ["describe"]),
        ("auth b", ["bind"]),
        ("get ", ["jobs", "accounts", "sessions", "budgets", "backends"]),
        ("get jobs ", ["bell", "ghz"]),
        ("get jobs bell ", ["ghz"]),
        ("get job/b", ["job/bell"]),
        ("get budgets ", ["research"]),
        ("get jobs -n lab ", ["vqe-1", "vqe-2"]),
        ("get jobs --namespace=lab vqe-2 ", ["vqe-1"]),
        ("get jobs --namespace=l", ["--namespace=lab"]),
        ("get jobs -n ", ["default", "lab"]),
        ("get jobs --backend ibm", ["ibm_fez"]),
        ("get jobs --phase Can", ["Cancelled"]),
        ("get jobs --phase=Can", ["--phase=Cancelled"]),
        ("get jobs --sort-by d", ["duration"]),
        ("get jobs -o cu", ["custom-columns="]),
        ("get jobs -w --wat", []),
        ("get jobs --wat", ["--watch"]),
        ("describe b", ["budgets", "backends", "bell"]),
        ("describe budget r", ["research"]),
        ("delete b", ["budgets", "backends"]),
        ("logs -f b", ["bell"]),
        ("logs -- -", []),
        ("cancel ", ["bell", "ghz"]),
        ("plot bell ", ["ghz"]),
        ("plot bell -o ", [FILES]),
        ("results bell --format p", ["pickle"]),
        ("wait bell --for con", ["condition="]),
        ("recover --account ", ["lab-open"]),
        ("apply -f ", [FILES]),
        ("run ", [FILES]),
        ("completion f", ["fish"]),
        ("nonsense bell ", []),
        ("get pods ", []),
    ],
)
def test_what_is_offered(line: str, found: list[str]) -> None:
    assert offered(line) == found


def test_every_option_of_a_command_is_offered_once() -> None:
    shown = offered("logs --")
    assert {"--follow", "--since", "--tail", "--timestamps", "--previous", "--namespace", "--help"} == set(shown)
    assert "--tail" not in offered("logs --tail 3 --")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in list(os.environ):
        if name.startswith("QTASKS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("QTASKS_HOME", str(tmp_path))
    return tmp_path


def test_names_that_a_command_saw_are_offered_and_each_queue_has_its_own(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known_names.remember("jobs", "default", ["bell"])
    assert not list(home.iterdir()), "nobody who never pressed a TAB has files of names"
    monkeypatch.setattr(known_names, "_ask_behind", lambda *_: None)
    known_names._folder().mkdir(parents=True)
    known_names.remember("jobs", "default", ["bell"])
    known_names.remember("jobs", "default", ["ghz", "bell"])
    assert known_names.seen("jobs", "default") == ["ghz", "bell"]
    assert known_names.seen("jobs", "lab") == []
    assert known_names.seen("jobs", "../..") == []
    monkeypatch.setenv("QTASKS_API_URL", "http://127.0.0.1:1")
    assert known_names.seen("jobs", "default") == []


def asked(*words: str) -> str:
    """What the process answers that a shell's script starts."""
    command = [sys.executable, "-m", "qtasks.cli", "__complete", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""
    return done.stdout


@pytest.mark.system
def test_a_tab_asks_behind_the_shells_back_and_starts_no_stack(home: Path) -> None:
    assert asked("logs", "") == ""
    eventually(lambda: not list(home.glob("completion/*/*.asking")), what="the end of the process that asks")
    assert known_names.ask("jobs", "default") is None
    assert not (home / "qtasks.db").exists()


@pytest.mark.system
def test_the_answer_to_a_shell_is_lines_and_never_a_complaint(home: Path) -> None:
    assert asked("lo") == "logs\tShow what happened to a job, and what its source printed\n"
    assert asked("--no-such-option", "") != ""
    assert asked("get", "pods", "") == ""


def test_a_tab_is_quick_since_nothing_heavy_is_imported(home: Path) -> None:
    code = """
import sys
from qtasks.cli import main
sys.argv = ["qtasks", "__complete", "get", "jobs", "--sort"]
main()
print(*{"rich", "qiskit", "celery", "sqlalchemy", "redis", "pydantic", "httpx"} & set(sys.modules))
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[1:] == [""]
    assert found.stdout.startswith("--sort-by\t")


BASH = """
source <("$PYTHON" -m qtasks.cli completion bash)
qtasks() { "$PYTHON" -m qtasks.cli "$@"; }
try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _qtasks; echo "${COMPREPLY[*]}"; }
try qtasks desc
try qtasks get jobs --phase = Can
try qtasks wait bell --for = condition = ""
try qtasks logs ""
"""


@pytest.mark.system
def test_bash_completes(home: Path) -> None:
    known_names._folder().mkdir(parents=True)
    known_names.remember("jobs", "default", ["bell", "ghz"])
    done = subprocess.run(
        ["bash", "--norc", "-c", BASH],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, "PYTHON": sys.executable},
    )
    assert (done.stdout.splitlines(), done.stderr) == (["describe", "Cancelled", "", "bell ghz"], "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_script_asks_qtasks(shell: str) -> None:
    from qtasks.cli.shells import SCRIPTS

    assert "__complete" in SCRIPTS[shell]
    assert ":files" in SCRIPTS[shell]
