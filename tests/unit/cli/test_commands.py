"""The commands as far as they go without a queue: checking, refusing, helping."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command
from typer.testing import CliRunner

from qtasks.cli.app import app, exit_code
from qtasks.cli.reference import main as reference
from qtasks.errors import Conflict, Forbidden, InvalidInput, JobFailed, NotFound, QTasksError, Unavailable, WaitTimeout
from qtasks.settings import settings
from tests.unit.costs.test_offers import server as offers  # noqa: F401 - a fixture

ROOT = Path(__file__).parents[3]
BELL = str(ROOT / "examples" / "bell.yaml")

BUDGET = """
apiVersion: quantum.io/v1
kind: QiskitBudget
metadata: {name: research}
spec: {limit: "$100.00", period: monthly}
"""


def qtasks(*arguments: str, stdin: str | None = None) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, arguments, input=stdin)
    return result.exit_code, result.stdout, result.stderr


def test_help_is_quick_since_nothing_heavy_is_imported() -> None:
    code = """
import sys
from typer.testing import CliRunner
from qtasks.cli.app import app
result = CliRunner().invoke(app, ["--help"])
assert result.exit_code == 0 and "run" in result.stdout, result.output
print(*{"qiskit", "celery", "sqlalchemy", "redis", "boto3", "numpy", "pydantic"} & set(sys.modules))
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""


def test_nothing_but_the_commands_of_servers_reaches_past_the_client() -> None:
    for file in (ROOT / "qtasks" / "cli").glob("*.py"):
        found = re.findall(r"(?:from|import) qtasks\.(store|objects|stages|notify)\b", file.read_text())
        assert not found or file.name == "servers.py", file


def commands() -> list[list[str]]:
    def below(group: Any, words: list[str]) -> Iterator[list[str]]:
        yield words
        for name, command in getattr(group, "commands", {}).items():
            yield from below(command, [*words, name])

    return list(below(get_command(app), []))


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_help_shows_an_example(words: list[str]) -> None:
    code, out, _ = qtasks(*words, "--help")
    assert code == 0
    assert "Example" in out


def test_the_reference_in_docs_is_up_to_date() -> None:
    assert reference(["--check", str(ROOT / "docs" / "commands.md")]) == 0


def test_a_dry_run_checks_files_and_standard_input() -> None:
    code, out, _ = qtasks("apply", "--dry-run", "-f", BELL, "-f", "-", stdin=BUDGET)
    assert code == 0
    assert out == "qiskitjob/my-quantum-job valid (dry run)\nqiskitbudget/research valid (dry run)\n"


def test_a_dry_run_names_the_field_that_is_wrong(tmp_path: Path) -> None:
    wrong = tmp_path / "job.yaml"
    wrong.write_text(Path(BELL).read_text().replace("shots: 1024", "shotz: 1024"))
    assert qtasks("apply", "--dry-run", "-f", str(wrong)) == (
        2,
        "",
        'qtasks: spec.execution.shotz: unknown field; did you mean "shots"? [InvalidResource]\n',
    )


def test_a_namespace_that_contradicts_the_file_is_refused(tmp_path: Path) -> None:
    theirs = tmp_path / "job.yaml"
    theirs.write_text(Path(BELL).read_text().replace("name: my-quantum-job", "name: bell\n  namespace: lab"))
    code, _, err = qtasks("apply", "-n", "ops", "-f", str(theirs))
    assert code == 2
    assert "Job bell is of namespace lab, not ops." in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["get", "pods"], 'There is no kind of thing called "pods".'),
        (["get", "jobs", "-o", "xml"], 'There is no output format "xml".'),
        (["get", "jobs", "-o", "jsonpath={.a"], "The JSONPath template makes no sense: a brace is not closed"),
        (["get", "jobs", "-o", "custom-columns=NAME"], '"NAME" is no column.'),
        (["get", "jobs", "--sort-by", "colour"], 'Nothing can be sorted by "colour".'),
        (["get", "budgets", "--sort-by", "shots"], 'Nothing can be sorted by "shots".'),
        (["get", "jobs", "--since", "lately"], '"lately" is no time.'),
        (["get", "jbs"], 'Did you mean "jobs"?'),
        (["get", "jobs", "bell", "-l", "a=b"], "Give names, or -l, --phase, --backend, --priority, --since and -A"),
        (["get", "jobs", "bell", "--since", "2h"], "Give names, or -l, --phase, --backend, --priority, --since and -A"),
        (["get", "accounts", "-w"], "--limit and -w are for jobs, not for accounts."),
        (["delete", "account", "lab"], "Jobs, sessions, budgets and backends can be deleted, accounts cannot."),
        (["delete", "jobs"], "Say which jobs: `qtasks delete job NAME…`."),
        (["delete", "budgets"], "Say which budgets: `qtasks delete budget NAME…`."),
        (["get", "budgets", "--priority", "low"], "--limit and -w are for jobs, not for budgets."),
        (["explain", "one", "two"], "One job is wanted, not 2: one, two."),
        (["estimate"], "Say which jobs: give a FILE, or -f FILE."),
        (["estimate", BELL, "-f", BELL], "Say which jobs: give a FILE, or -f FILE."),
        (["estimate", BELL, "--shots", "5"], "--shots and --backend are for circuits"),
        (["costs", "--since", "yesterday"], '"yesterday" is no time.'),
        (["costs", "--since", "2026-11-02", "--until", "2026-11-01"], "--until is not after --since."),
        (["costs", "-o", "xml"], "xml"),
        (["delete", "sessions"], "Say which sessions"),
        (["wait", "session/vqe"], "Jobs are wanted, not sessions."),
        (["collect"], "Say which jobs"),
        (["collect", "--poll-all", "--account", "lab", "--api-key-index", "0"], "give one of the two"),
        (["collect", "--poll-all", "--interval", "soon"], '--interval: "soon" is not a Duration'),
        (["collect", "--poll-all", "-o", "/no/such/folder/results.json"], "cannot be written: No such file"),
        (["apply", "-f", BELL, "--submit-all", "--api-key-index", "0"], "give one of the two"),
        (["recover", "--account", "lab", "--since", "yesterday"], '"yesterday" is no time.'),
        (["get", "jobs", "--phase", "Done"], "Done"),
        (["get", "jobs", "-n", "Not A Name"], 'namespace: "Not A Name" is not allowed'),
        (["cancel"], "Say which jobs"),
        (["cancel", "bell", "--all"], "Say which jobs"),
        (["wait", "bell", "--timeout", "soon"], '"soon" is not a Duration'),
        (["logs", "one", "two"], "One job is wanted, not 2: one, two."),
        (["wait", "bell", "--for", "phase=Done"], 'there is no phase "Done"'),
        (["wait", "bell", "--for", "condition=Validate"], 'Did you mean "Validated"?'),
        (["wait", "bell", "--for", "ever"], '"ever" is nothing to wait for'),
        (["plot", "bell", "-o", "bell.gif"], "bell.gif is no name of a picture."),
        (["plot", "bell", "ghz", "--circuit"], "--circuit draws one job's circuit"),
        (["plot", *(f"job-{number}" for number in range(9))], "At most 8 jobs"),
        (["results", "one", "two", "-o", "-"], "Results of several jobs go into a folder"),
        (["apply", "-f", str(ROOT / "tests" / "unit")], "There is no .yaml, .yml, .json file in"),
        (["completion", "tcsh"], "tcsh"),
        (["run", "nowhere.yaml"], "does not exist"),
        (["run", BELL, "--priority", "asap"], "asap"),
        (["describe"], "Missing argument"),
        (["frobnicate"], "No such command"),
        (["describ", "bell"], "Did you mean 'describe'?"),
        (["get", "jobs", "--phas", "Failed"], "Did you mean --phase? `qtasks get --help` shows what there is."),
    ],
)
def test_wrong_input_is_exit_code_2(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QTASKS_HOME", str(tmp_path))
    code, out, err = qtasks(*words)
    assert (code, out) == (2, "")
    assert said in err
    # One form for every error: what is wrong, what to do, and a reason in brackets at the end.
    assert re.fullmatch(r"qtasks: .* \[[A-Z][A-Za-z]+\]\n", err, re.DOTALL)
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (JobFailed("…"), 1),
        (QTasksError("…"), 1),
        (InvalidInput("…"), 2),
        (Conflict("…"), 2),
        (Forbidden("…"), 3),
        (NotFound("…"), 4),
        (Unavailable("…"), 5),
        (WaitTimeout("…"), 5),
    ],
)
def test_exit_codes(error: QTasksError, code: int) -> None:
    assert exit_code(error) == code


def test_a_fault_of_qtasks_itself_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr("qtasks.results.versions", broken)
    code, out, err = qtasks("version")
    assert (code, out) == (1, "")
    assert err.startswith("qtasks: Something went wrong inside of qtasks: RuntimeError: two\n")
    assert err.endswith("[InternalError]\n")


def test_without_words_the_help_is_shown() -> None:
    code, out, err = qtasks()
    assert (code, err) == (2, "")
    assert "Usage: qtasks" in out


def test_version() -> None:
    code, out, _ = qtasks("version")
    assert code == 0
    assert out.startswith("qtasks 0.")
    assert "\nqiskit 2." in out


def test_prices_are_listed_without_a_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = {
        "provider": "ibm_quantum",
        "item": "flex",
        "unit": "minute",
        "amount": "60",
        "source": "ours",
        "date": "2026-11-01",
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"prices": [own]}))
    monkeypatch.setenv("QTASKS_HOME", str(tmp_path))
    settings.cache_clear()
    try:
        code, out, err = qtasks("prices")
        assert (code, err) == (0, "")
        (flex,) = (line for line in out.splitlines() if " flex " in line)
        assert flex.split() == ["ibm_quantum", "flex", "$60", "a", "minute", "2026-11-01", "ours"]
        assert qtasks("prices", "list")[1] == out
        found = json.loads(qtasks("prices", "list", "-o", "json")[1])["items"]
        assert next(price for price in found if price["item"] == "flex") == {"kind": "Price", **own}
    finally:
        settings.cache_clear()


def test_prices_that_are_refreshed_count(offers: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setenv("QTASKS_HOME", str(tmp_path))
    monkeypatch.setenv("BRAKET_PRICE_OFFERS_URL", f"{offers}/index.csv")
    settings.cache_clear()
    try:
        code, out, err = qtasks("prices", "refresh")
        assert (code, out) == (0, "")
        assert err.startswith(f"Wrote {tmp_path / 'prices.yaml'}: ")
        assert f"{offers}/index.csv" in qtasks("prices")[1]
        elsewhere = tmp_path / "elsewhere.yaml"
        assert qtasks("prices", "refresh", "--write", str(elsewhere))[0] == 0
        assert elsewhere.read_text() == (tmp_path / "prices.yaml").read_text()
        monkeypatch.setenv("BRAKET_PRICE_OFFERS_URL", f"{offers}/nothing.csv")
        refused = qtasks("prices", "refresh")
        assert (refused[0], "[PricesUnavailable]" in refused[2]) == (5, True)
    finally:
        settings.cache_clear()
