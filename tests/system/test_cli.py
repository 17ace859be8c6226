"""The command line on real servers, as a user has it: exit codes, standard output, standard error."""

from __future__ import annotations

import fcntl
import json
import os
import pickle
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from qiskit import qpy
from rich.cells import cell_len
from typer.testing import CliRunner

from qtasks.cli.app import app
from qtasks.settings import settings as application_settings
from tests.support.servers import Postgres, Redis, eventually, free_port
from tests.support.stack import Stack, shared_stack

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]
BELL = ROOT / "examples" / "bell.yaml"
CIRCUITS = ROOT / "tests" / "data" / "circuits"
INVALID = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\nfoo q[0];\n'


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str


@pytest.fixture(scope="module")
def stack(postgres: Postgres, redis_server: Redis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One queue for all tests here: PostgreSQL, Redis, one worker. Each test names its jobs for itself."""
    with shared_stack(tmp_path_factory.mktemp("cli"), postgres, redis_server, 7) as stack:
        yield stack


def environment(stack: Stack, **values: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("QTASKS_")}
    return {**clean, **stack.settings.environment(), **values}


def qtasks(stack: Stack, *arguments: str | Path, stdin: str = "", **values: str) -> Answer:
    done = subprocess.run(
        [sys.executable, "-m", "qtasks.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        input=stdin,
        env=environment(stack, **values),
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return Answer(done.returncode, done.stdout, done.stderr)


def ask(stack: Stack, *arguments: str | Path, stdin: str = "", **values: str) -> Answer:
    """What `qtasks` answers, asked in this process: it spares the second that a new one takes to start."""
    application_settings.cache_clear()
    runner = CliRunner()
    result = runner.invoke(app, list(map(str, arguments)), input=stdin, env=environment(stack, **values))
    application_settings.cache_clear()
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return Answer(result.exit_code, result.stdout, result.stderr)


def typed(stack: Stack, columns: int, *arguments: str | Path, **values: str) -> str:
    """What somebody sees who runs `qtasks …` in a terminal of so many columns, with all that moves the cursor."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    command = [sys.executable, "-m", "qtasks.cli", *map(str, arguments)]
    colours = {"TERM": "xterm-256color", **values}
    with subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, env=environment(stack, **colours)
    ) as process:
        os.close(slave)
        seen = b""
        with suppress(OSError):  # the end of a terminal is EIO
            while part := os.read(master, 65536):
                seen += part
        os.close(master)
        process.wait(60)
    return seen.decode()


def plain(seen: str) -> str:
    """The same without colours and without what a spinner wrote over itself."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen).replace("\r\n", "\n")
    return "\n".join(line.rpartition("\r")[2] for line in text.split("\n"))


def bell(folder: Path, name: str, *, shots: int = 1024, labels: dict[str, str] | None = None) -> Path:
    """The example under another name."""
    document = yaml.safe_load(BELL.read_text())
    document["metadata"] = {"name": name, "labels": labels or {}}
    document["spec"]["execution"]["shots"] = shots
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def test_run_shows_phases_a_histogram_and_where_the_output_is(stack: Stack) -> None:
    answer = qtasks(stack, "run", BELL)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("qiskitjob/my-quantum-job created\n")
    words = answer.out.split()
    phases = ["Pending", "Validating", "Scheduling", "Running", "Completed"]
    places = [words.index(phase) for phase in phases]
    assert places == sorted(places)
    assert "█" in answer.out
    assert "\x1b" not in answer.out
    assert "Output:  The result was delivered to ConfigMap default/my-results, key results" in answer.out

    again = qtasks(stack, "run", BELL, "-o", "json")
    assert again.code == 0
    assert "qiskitjob/my-quantum-job unchanged" in again.err
    found = json.loads(again.out)
    assert list(found) == ["job_id", "name", "namespace", "phase", "counts", "shots", "metrics"]
    assert (found["name"], found["phase"], found["shots"]) == ("my-quantum-job", "Completed", 1024)
    assert set(found["counts"]) == {"00", "11"}
    assert sum(found["counts"].values()) == 1024


def test_run_takes_a_circuit_with_options(stack: Stack) -> None:
    options = ("--shots", "300", "--seed", "5", "--priority", "high", "-n", "lab", "-o", "json")
    first = qtasks(stack, "run", CIRCUITS / "qft_n4.qasm", *options)
    second = qtasks(stack, "run", CIRCUITS / "qft_n4.qasm", "--name", "qft", *options)
    assert (first.code, first.err) == (0, "")
    one, two = json.loads(first.out), json.loads(second.out)
    assert one["job_id"] != two["job_id"]
    assert one["counts"] == two["counts"]
    assert (two["name"], two["namespace"], two["shots"]) == ("qft", "lab", 300)


def test_a_failed_job_is_exit_code_1_with_the_line_that_is_wrong(stack: Stack, tmp_path: Path) -> None:
    invalid = tmp_path / "invalid.qasm"
    invalid.write_text(INVALID)
    plain = qtasks(stack, "run", invalid, "--name", "invalid")
    assert plain.code == 1
    assert "Failed      InvalidCircuit" in plain.out
    assert plain.err.startswith("qtasks: Job invalid failed: ")
    assert "line 4" in plain.err
    assert plain.err.endswith("[InvalidCircuit]\n")
    in_json = ask(stack, "run", invalid, "-o", "json")
    assert in_json.out, in_json.err
    found = json.loads(in_json.out)
    assert in_json.code == 1
    assert (found["phase"], found["reason"], found["counts"]) == ("Failed", "InvalidCircuit", None)
    assert "line 4" in found["message"]
    assert ask(stack, "results", "invalid").code == 1
    assert ask(stack, "wait", "invalid").code == 1
    assert ask(stack, "wait", "invalid", "--for", "final").code == 0


def test_apply_creates_once_and_refuses_another_spec(stack: Stack, tmp_path: Path) -> None:
    one, two = bell(tmp_path, "apply-one"), bell(tmp_path, "apply-two")
    both = one.read_text() + "---\n" + two.read_text()
    first = qtasks(stack, "apply", "-f", one)
    assert (first.code, first.out, first.err) == (0, "qiskitjob/apply-one created\n", "")
    second = ask(stack, "apply", "-f", "-", stdin=both)
    assert second.out == "qiskitjob/apply-one unchanged\nqiskitjob/apply-two created\n"
    named = ask(stack, "apply", "-f", one, "-f", two, "-o", "name")
    assert named.out == "qiskitjob/apply-one\nqiskitjob/apply-two\n"

    changed = ask(stack, "apply", "-f", bell(tmp_path, "apply-one", shots=7))
    assert (changed.code, changed.out) == (2, "")
    assert "Job apply-one exists in namespace default with another spec." in changed.err
    assert "\n  spec.execution.shots: 1024 → 7\n" in changed.err
    assert changed.err.endswith("[JobExists]\n")

    written = ask(stack, "get", "job", "apply-one", "-o", "yaml").out
    assert ask(stack, "apply", "-f", "-", stdin=written).out == "qiskitjob/apply-one unchanged\n"
    listed = ask(stack, "get", "jobs", "apply-one", "apply-two", "-o", "yaml").out
    assert ask(stack, "apply", "-f", "-", stdin=listed).out.count("unchanged") == 2


def test_apply_takes_folders(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    bell(tmp_path, "folder-one")
    bell(tmp_path / "below", "folder-two")
    (tmp_path / "notes.txt").write_text("no job")
    assert "folder" not in qtasks(stack, "__complete", "logs", "").out
    assert ask(stack, "apply", "-f", tmp_path).out == "qiskitjob/folder-one created\n"
    assert ask(stack, "apply", "-R", "-f", tmp_path).out == (
        "qiskitjob/folder-two created\nqiskitjob/folder-one unchanged\n"
    )
    # A TAB has at once what a command saw.
    assert sorted(qtasks(stack, "__complete", "logs", "folder-").out.split()) == ["folder-one", "folder-two"]


def test_get_in_every_form(stack: Stack, tmp_path: Path) -> None:
    for name, algorithm in (("get-one", "grover"), ("get-two", "vqe")):
        assert ask(stack, "run", bell(tmp_path, name, labels={"algorithm": algorithm}), "-n", "forms").code == 0
    where = ("-n", "forms")

    titles, *lines = ask(stack, "get", "jobs", *where).out.splitlines()
    assert titles.split() == ["NAME", "PHASE", "BACKEND", "PRIORITY", "SHOTS", "AGE"]
    assert [line.split()[:5] for line in lines] == [
        [name, "Completed", "local_simulator", "normal", "1024"] for name in ("get-two", "get-one")
    ]
    assert "algorithm=vqe" in ask(stack, "get", "jobs", *where, "-o", "wide").out
    assert ask(stack, "get", "jobs", *where, "-l", "algorithm=grover", "-o", "name").out == "qiskitjob/get-one\n"
    assert ask(stack, "get", "jobs", *where, "--phase", "failed").err == "No jobs found in namespace forms.\n"
    limited = ask(stack, "get", "jobs", *where, "--limit", "1", "-o", "name")
    assert (limited.out, limited.err) == ("qiskitjob/get-two\n", "There are more than these 1; --limit shows them.\n")
    assert "forms" in ask(stack, "get", "jobs", "-A").out
    for chosen in ("--backend=local_simulator", "--priority=normal", "--since=1h"):
        assert ask(stack, "get", "jobs", *where, chosen, "-o", "name").out.count("\n") == 2
    for excluded in ("--backend=ibm_fez", "--priority=high", "--since=2999-01-01"):
        assert ask(stack, "get", "jobs", *where, excluded).err == "No jobs found in namespace forms.\n"
    by_name = ask(
        stack, "get", "jobs", *where, "--sort-by", ".metadata.name", "-o", "custom-columns=JOB:.metadata.name"
    )
    assert by_name.out == "JOB\nget-one\nget-two\n"

    listing = json.loads(ask(stack, "get", "jobs", *where, "-o", "json").out)
    assert (listing["apiVersion"], listing["kind"], len(listing["items"])) == ("v1", "List", 2)
    single = json.loads(ask(stack, "get", "job", "get-one", *where, "-o", "json").out)
    assert (single["metadata"]["name"], single["status"]["phase"]) == ("get-one", "Completed")
    assert single == listing["items"][1]
    assert yaml.safe_load(ask(stack, "get", "qiskitjob/get-one", *where, "-o", "yaml").out) == single

    # The lines of the first seed document, with another name for kubectl.
    def picked(template: str) -> str:
        return ask(stack, "get", "qiskitjob", "get-one", *where, "-o", f"jsonpath={template}").out

    assert picked("{.status.phase}") == "Completed"
    assert picked("{.status.cost}") == "$0.00"
    assert picked('{.status.conditions[?(@.type=="Validated")].message}').startswith("The circuit is valid")
    assert picked('{.status.conditions[?(@.type=="BudgetChecked")].message}') != ""
    names = ask(stack, "get", "jobs", *where, "-o", 'jsonpath={range .items[*]}{.metadata.name}{"\\n"}{end}')
    assert names.out == "get-two\nget-one\n"


def test_a_watch_shows_new_jobs_and_their_phases_until_ctrl_c(stack: Stack, tmp_path: Path) -> None:
    log = tmp_path / "watch.log"
    with log.open("wb") as output:
        watch = subprocess.Popen(
            [sys.executable, "-m", "qtasks.cli", "get", "jobs", "-n", "watched", "-w"],
            stdout=output,
            stderr=output,
            env=environment(stack),
        )
    try:
        eventually(lambda: "No jobs found" in log.read_text(), what="the empty list")
        assert ask(stack, "run", bell(tmp_path, "watched"), "-n", "watched").code == 0
        eventually(lambda: "Completed" in log.read_text(), what="the job seen Completed")
        watch.send_signal(signal.SIGINT)
        assert watch.wait(20) == 130
    finally:
        watch.kill()
        watch.wait()
    lines = log.read_text().splitlines()
    assert lines[1].startswith("NAME ")
    assert lines[-1].split()[:2] == ["watched", "Completed"]


def test_describe_logs_and_results(stack: Stack, tmp_path: Path) -> None:
    assert ask(stack, "run", bell(tmp_path, "told")).code == 0
    described = qtasks(stack, "describe", "job", "told").out
    for part in ("Name:         told", "Phase:        Completed", "Two-qubit gates:  1", "Conditions:", "Counts:", "█"):
        assert part in described
    assert described.index("Conditions:") < described.index("Counts:") < described.index("Events:")

    logs = ask(stack, "logs", "told").out
    assert "INFO    Submitted: Waiting for validation." in logs
    assert ask(stack, "logs", "-f", "told").out == logs
    assert "DEBUG" not in logs
    document = yaml.safe_load(bell(tmp_path, "told-more").read_text())
    document["spec"]["debug"] = True
    (tmp_path / "told-more.yaml").write_text(yaml.safe_dump(document))
    assert ask(stack, "run", tmp_path / "told-more.yaml").code == 0
    more = ask(stack, "logs", "told-more", "--no-timestamps").out
    assert "DEBUG   Debug: Compiled for the simulator at level 1 in " in more
    assert "DEBUG   Debug: Simulated 1024 shots by method stabilizer, simulator seed " in more

    assert ask(stack, "logs", "told", "--tail", "1", "--no-timestamps").out.startswith("INFO    OutputDelivered: ")
    assert ask(stack, "logs", "told", "--previous").out == ""

    result = json.loads(ask(stack, "results", "told").out)
    assert (result["shots"], set(result["counts"])) == (1024, {"00", "11"})
    lines = ask(stack, "results", "told", "--format", "csv").out.splitlines()
    assert lines[0] == "outcome,count"
    assert sum(int(line.partition(",")[2]) for line in lines[1:]) == 1024
    saved = tmp_path / "counts.csv"
    assert ask(stack, "results", result["job_id"], "-o", saved).out == ""
    assert saved.read_text().splitlines() == lines
    assert ask(stack, "results", "told", "-o", tmp_path / "no" / "such" / "folder.json").code == 2

    near = ask(stack, "describe", "tolt")
    assert (near.code, near.err.splitlines()[1].startswith('Did you mean "told"? ')) == (4, True)


def test_results_of_every_format_into_files_and_a_folder(stack: Stack, tmp_path: Path) -> None:
    counts = []
    for name in ("kept-one", "kept-two"):
        assert ask(stack, "run", bell(tmp_path, name)).code == 0
        counts.append(json.loads(ask(stack, "results", name).out)["counts"])
    folder = tmp_path / "results"
    saved = ask(stack, "results", "kept-one", "kept-two", "--format", "csv", "-o", folder)
    assert saved.code == 0
    assert sorted(file.name for file in folder.iterdir()) == ["kept-one.csv", "kept-two.csv"]

    assert ask(stack, "results", "kept-one", "-o", folder / "one.qpy").code == 0
    with (folder / "one.qpy").open("rb") as file:
        (circuit,) = qpy.load(file)
    assert circuit.count_ops() == {"h": 1, "cx": 1, "measure": 2}
    assert circuit.metadata["qtasks"]["counts"] == counts[0]
    command = [sys.executable, "-m", "qtasks.cli", "results", "kept-two", "--format", "pickle"]
    piped = subprocess.run(command, capture_output=True, env=environment(stack), check=True, timeout=60)
    assert pickle.loads(piped.stdout)["counts"] == counts[1]

    assert ask(stack, "delete", "job", "kept-two").out == "qiskitjob/kept-two deleted\n"
    assert ask(stack, "results", "kept-two").code == 4

    on_terminal = typed(stack, 80, "results", "kept-one", "--format", "qpy")
    assert "which a terminal cannot show" in on_terminal
    assert "[BinaryOutput]" in on_terminal


def test_plots_fit_the_terminal_and_files_are_pictures(stack: Stack, tmp_path: Path) -> None:
    for name in ("plot-one", "plot-two"):
        assert ask(stack, "run", bell(tmp_path, name)).code == 0
    for columns, colours in ((80, {}), (200, {"NO_COLOR": "1"})):
        seen = typed(stack, columns, "plot", "plot-one", "plot-two", **colours)
        assert ("\x1b[34m█" in seen) is (not colours)
        shown = [line for line in plain(seen).splitlines() if "█" in line]
        assert len(shown) == 4
        assert max(map(cell_len, shown)) <= min(columns, 100)
    drawn = ask(stack, "plot", "plot-one", "--circuit")
    assert "┤ H ├──■──┤M├" in drawn.out
    for file, begins in (("one.svg", b"<?xml"), ("circuit.png", b"\x89PNG")):
        options = ["--circuit"] if file.startswith("circuit") else []
        assert ask(stack, "plot", "plot-one", *options, "-o", tmp_path / file).code == 0
        assert (tmp_path / file).read_bytes().startswith(begins)


def test_wait_for_phases_conditions_and_fields(stack: Stack, tmp_path: Path) -> None:
    assert ask(stack, "apply", "-f", bell(tmp_path, "goal")).code == 0
    delivered = ask(stack, "wait", "goal", "--for=condition=OutputDelivered", "--timeout", "60s")
    assert (delivered.code, delivered.out) == (0, "qiskitjob/goal condition=OutputDelivered met\n")
    assert ask(stack, "wait", "goal", "--for=phase=Running").out == "qiskitjob/goal Completed\n"
    assert ask(stack, "wait", "goal", "--for=jsonpath={.status.cost}=$0.00").code == 0
    never = ask(stack, "wait", "goal", "--for=phase=Retrying")
    assert (never.code, never.err.splitlines()[0]) == (1, "qtasks: Job goal can no longer be phase=Retrying.")


def test_wait_and_cancel(stack: Stack, tmp_path: Path) -> None:
    # Another queue's worker does not take what waits here: this broker has none.
    slow = {"QTASKS_BROKER_URL": stack.settings.broker_url.removesuffix("/7") + "/8"}
    for name in ("wait-one", "wait-two"):
        assert ask(stack, "apply", "-f", bell(tmp_path, name, labels={"group": "w"})).code == 0
    done = ask(stack, "wait", "job/wait-one", "wait-two", "--timeout", "60s")
    assert done.code == 0
    assert sorted(done.out.splitlines()) == ["qiskitjob/wait-one Completed", "qiskitjob/wait-two Completed"]
    late = ask(stack, "cancel", "wait-one")
    assert (late.code, late.out) == (0, "qiskitjob/wait-one unchanged: it is Completed\n")

    for name in ("stay-one", "stay-two", "stay-three"):
        path = bell(tmp_path, name, labels={"group": name[5:]})
        assert ask(stack, "apply", "-n", "idle", "-f", path, **slow).code == 0
    waited = ask(stack, "wait", "stay-one", "-n", "idle", "--timeout", "200ms", **slow)
    assert waited.code == 5
    assert waited.err.endswith("[WaitTimeout]\n")
    early = ask(stack, "results", "stay-one", "-n", "idle", **slow)
    assert (early.code, early.out) == (5, "")
    assert early.err.endswith("[ResultNotReady]\n")
    assert ask(stack, "cancel", "stay-one", "-n", "idle").out == "qiskitjob/stay-one cancelled\n"
    assert ask(stack, "cancel", "-l", "group=two", "-n", "idle").out == "qiskitjob/stay-two cancelled\n"
    assert ask(stack, "cancel", "--all", "-n", "idle").out == "qiskitjob/stay-three cancelled\n"
    ended = ask(stack, "results", "stay-one", "-n", "idle")
    assert (ended.code, ended.err) == (1, "qtasks: Job stay-one cancelled: Cancelled by request. [Cancelled]\n")


def test_ctrl_c_leaves_the_job_and_says_how_to_find_it(stack: Stack, tmp_path: Path) -> None:
    broker = stack.settings.broker_url.removesuffix("/7") + "/9"
    run = subprocess.Popen(
        [sys.executable, "-u", "-m", "qtasks.cli", "run", str(bell(tmp_path, "left")), "-n", "left"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(stack, QTASKS_BROKER_URL=broker),
    )
    try:
        assert run.stdout is not None
        assert run.stdout.readline() == "qiskitjob/left created\n"
        assert "Pending" in run.stdout.readline()
        run.send_signal(signal.SIGINT)
        _, err = run.communicate(timeout=20)
    finally:
        run.kill()
    assert run.returncode == 130
    assert "qiskitjob/left goes on." in err
    assert "`qtasks cancel left -n left`" in err
    assert qtasks(stack, "cancel", "left", "-n", "left").out == "qiskitjob/left cancelled\n"


@pytest.mark.parametrize("command", ["describe", "results", "logs", "wait", "cancel", "get jobs"])
def test_a_job_that_is_not_there_is_exit_code_4(stack: Stack, command: str) -> None:
    answer = ask(stack, *command.split(), "nobody")
    assert (answer.code, answer.out) == (4, "")
    assert answer.err == (
        "qtasks: There is no job nobody in namespace default.\n"
        "`qtasks get jobs -A` lists what there is. [JobNotFound]\n"
    )


def test_a_service_that_is_away_is_exit_code_5(stack: Stack, tmp_path: Path) -> None:
    port = free_port()
    database = qtasks(stack, "get", "jobs", QTASKS_DATABASE_URL=f"postgresql+psycopg://nobody@127.0.0.1:{port}/none")
    assert (database.code, database.out) == (5, "")
    assert database.err.endswith("[DatabaseUnavailable]\n")
    broker = qtasks(stack, "run", bell(tmp_path, "kept"), "-n", "kept", QTASKS_BROKER_URL=f"redis://127.0.0.1:{port}/0")
    assert broker.code == 5
    assert "Job kept is kept, and goes on when Redis is back. [BrokerUnavailable]" in broker.err
    assert ask(stack, "get", "jobs", "-n", "kept", "-o", "name").out == "qiskitjob/kept\n"


def test_a_reader_that_goes_away_is_no_error(stack: Stack) -> None:
    command = f"{sys.executable} -m qtasks.cli get jobs -A -o json | head -c 1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, env=environment(stack), check=True)
    assert (done.stdout, done.stderr) == ("{", "")


def test_every_verb_of_a_user_works_over_rest(stack: Stack, tmp_path: Path) -> None:
    port = free_port()
    api = stack.run("api", "--port", str(port))
    eventually(lambda: "qtasks api: http://127.0.0.1" in api.text, seconds=60, what="the API being up")
    # Nothing that a verb could reach instead: the database is nowhere.
    rest = {
        "QTASKS_API_URL": f"http://127.0.0.1:{port}",
        "QTASKS_DATABASE_URL": f"postgresql+psycopg://nobody@127.0.0.1:{free_port()}/none",
        "QTASKS_HOME": str(tmp_path / "home"),
    }
    try:
        assert ask(stack, "run", bell(tmp_path, "remote"), "-o", "json", **rest).code == 0
        unchanged = ask(stack, "apply", "-f", bell(tmp_path, "remote"), **rest)
        assert unchanged.out == "qiskitjob/remote unchanged\n"
        refused = ask(stack, "apply", "-f", bell(tmp_path, "remote", shots=7), **rest)
        assert (refused.code, "  spec.execution.shots: 1024 → 7\n" in refused.err) == (2, True)
        assert "remote" in ask(stack, "get", "jobs", "--since", "1h", "-o", "name", **rest).out
        assert ask(stack, "get", "job", "remote", "-o", "jsonpath={.status.phase}", **rest).out == "Completed"
        for words in ("get backends -o wide", "get budgets", "get sessions", "get accounts", "costs", "auth whoami"):
            assert ask(stack, *words.split(), **rest).code == 0, words
        for words in (
            "describe remote",
            "logs remote -f",
            "plot remote",
            "wait remote",
            "cancel remote",
            "results remote --format csv",
        ):
            told, near = ask(stack, *words.split(), **rest), ask(stack, *words.split())
            assert (told.code, len(told.out.splitlines())) == (0, len(near.out.splitlines())), words
        lost = ask(stack, "describe", "remot", **rest)
        assert (lost.code, lost.err.splitlines()[1].startswith('Did you mean "remote"? ')) == (4, True)
        away = ask(stack, "get", "jobs", **{**rest, "QTASKS_API_URL": f"http://127.0.0.1:{free_port()}"})
        assert (away.code, away.err.endswith("Unavailable]\n")) == (5, True)
    finally:
        api.stop()
