"""Submitting now and collecting later, as a user of the command line does, against IBM's API on loopback."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import delete
from typer.testing import CliRunner

from qtasks.cli.app import app
from qtasks.client import Client
from qtasks.client.jobs_file import FIELDS
from qtasks.settings import settings as application_settings
from qtasks.store import tables
from tests.support import insides
from tests.support.ibm_server import IBMServer
from tests.support.remote import account, write_accounts
from tests.support.servers import Postgres, Redis, eventually
from tests.support.stack import Stack, own_namespace, shared_stack

pytestmark = pytest.mark.system

BELL = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; h q[0]; cx q[0],q[1]; measure q -> c;'


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Lab:
    """One user's folder and namespace."""

    stack: Stack
    ibm: IBMServer
    namespace: str
    folder: Path

    @property
    def client(self) -> Client:
        return self.stack.client(self.namespace)

    def qtasks(self, *arguments: str | Path) -> Answer:
        """What `qtasks … -n NAMESPACE` answers in the folder; asked in this process, for a new one takes a second."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("QTASKS_")}
        application_settings.cache_clear()
        words = [*map(str, arguments), "-n", self.namespace]
        result = CliRunner().invoke(app, words, env={**clean, **self.stack.settings.environment()})
        application_settings.cache_clear()
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return Answer(result.exit_code, result.stdout, result.stderr)

    def jobs(self, number: int, **backend: str) -> Path:
        """A file of jobs for IBM, `bell-0`, …"""
        documents = [
            {
                "apiVersion": "quantum.io/v1",
                "kind": "QiskitJob",
                "metadata": {
                    "name": f"bell-{place}",
                    "labels": {"experiment-type": "surface_code"},
                    "annotations": {"logical-state": "+"},
                },
                "spec": {
                    "backend": {"type": "ibm_quantum", **backend},
                    "circuit": {"source": "inline", "code": BELL},
                    "execution": {"shots": 100 + place},
                },
            }
            for place in range(number)
        ]
        path = self.folder / "experiments.yaml"
        path.write_text(yaml.safe_dump_all(documents))
        return path

    def lines(self, path: Path) -> list[dict[str, Any]]:
        return [json.loads(line) for line in path.read_text().splitlines()]

    def collected(self) -> list[Path]:
        return sorted(self.folder.glob("collected_results_*.json"))


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, redis_server: Redis
) -> Iterator[tuple[Stack, IBMServer]]:
    """Two accounts of one provider, and pollers that look when they are asked to, for they do not by themselves."""
    folder = tmp_path_factory.mktemp("collect")
    with IBMServer(devices=("lagos",)) as server:
        values = write_accounts(
            folder,
            account("lab-a", "ibm", server.account(), allowance={"quantumSeconds": 600, "days": 28}),
            account("lab-b", "ibm", server.account(), allowance={"quantumSeconds": 500, "days": 28}),
            secrets={"ibm": server.secret()},
        )
        values |= {"poll_seconds": 60.0, "poll_longest_seconds": 60.0}
        with shared_stack(folder, postgres, redis_server, 9, **values) as stack:
            stack.worker("polling")
            yield stack, server


@pytest.fixture
def lab(shared: tuple[Stack, IBMServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    stack, ibm = shared
    monkeypatch.chdir(tmp_path)
    ibm.hold()
    yield Lab(stack, ibm, own_namespace(), tmp_path)
    ibm.release()
    ibm.clear_faults()


def at_ibm(lab: Lab, number: int) -> list[str]:
    """The ids of so many jobs that the namespace has at IBM."""

    def there() -> list[str] | None:
        found = [job.provider_job_id() for job in reversed(lab.client.jobs())]
        return found if len(found) == number and all(found) else None  # type: ignore[return-value]

    return eventually(there, seconds=60, what="jobs at IBM")


def test_a_session_is_declared_shown_and_deleted(lab: Lab) -> None:
    file = lab.folder / "session.yaml"
    session = {"apiVersion": "quantum.io/v1", "kind": "QiskitSession", "metadata": {"name": "vqe"}}
    session["spec"] = {"backend": {"type": "ibm_quantum", "account": "lab-a"}, "maxTime": "30m", "mode": "batch"}
    file.write_text(yaml.safe_dump(session))
    assert lab.qtasks("get", "sessions").err == f"No sessions found for namespace {lab.namespace}.\n"
    assert lab.qtasks("apply", "-f", file).out == "qiskitsession/vqe created\n"
    assert lab.qtasks("apply", "-f", file).out == "qiskitsession/vqe unchanged\n"
    assert json.loads(lab.qtasks("apply", "-f", file, "-o", "json").out)["status"]["phase"] == "Declared"
    titles, line = lab.qtasks("get", "sessions").out.splitlines()
    assert titles.split() == ["NAME", "PHASE", "MODE", "ACCOUNT", "DEVICE", "OPEN-JOBS", "EXPIRES", "AGE"]
    assert line.split()[:4] == ["vqe", "Declared", "batch", "lab-a"]
    described = lab.qtasks("describe", "session", "vqe").out
    assert re.search(r"Longest time: +30m\n", described)
    assert lab.qtasks("delete", "session", "vqe").out == "qiskitsession/vqe deleted\n"
    assert lab.qtasks("get", "session", "vqe", "-o", "jsonpath={.status.phase}").out in ("", "Deleted", "Closed")
    assert lab.qtasks("describe", "session", "nobody").code == 4


def forget(lab: Lab) -> None:
    """Lose the namespace's jobs, as with a database that is gone."""
    client = lab.client
    with insides.store(client).begin() as tx:
        ids = [job.job_id() for job in client.jobs()]
        for table, column in ((tables.events, "job_id"), (tables.conditions, "job_id"), (tables.jobs, "id")):
            tx.execute(delete(table).where(table.c[column].in_(ids)))


def test_what_is_spread_over_all_accounts_is_collected_later(lab: Lab) -> None:
    file = lab.folder / "submitted_jobs_20261120_204500.jsonl"
    applied = lab.qtasks("apply", "-f", lab.jobs(3), "--submit-all", "--jobs-file", file)
    assert (applied.code, applied.out.count("created")) == (0, 3)
    assert [(line["account"], line["api_key_index"]) for line in lab.lines(file)] == [
        ("lab-a", 0),
        ("lab-b", 1),
        ("lab-a", 0),
    ]
    assert lab.lines(file)[0]["job_id"] == lab.lines(file)[0]["qtasks_job_id"]
    ids = at_ibm(lab, 3)

    again = lab.qtasks("apply", "-f", lab.jobs(3), "--submit-all", "--jobs-file", file)
    assert again.out.count("unchanged") == 3
    waiting = lab.qtasks("collect", "--jobs-file", file)
    queued = "".join(f"Job {job_id}: QUEUED\n" for job_id in ids)
    assert (waiting.code, waiting.out) == (0, f"{queued}  ✓ Completed: 0/3\n  Pending: 3/3\n")
    assert lab.collected() == []
    first = lab.lines(file)[0]
    assert list(first)[:12] == list(FIELDS)
    assert first | {"qtasks_job_id": "", "name": "", "namespace": ""} == {
        "job_id": ids[0],
        "experiment_type": "surface_code",
        "backend": "ibm_lagos",
        "logical_state": "+",
        "shots": 100,
        "circuit_hash": lab.client.describe(first["qtasks_job_id"])["status"]["circuit"]["hash"],
        "transpiled_depth": 5,
        "transpiled_gates": 6,
        "submission_time": lab.client.describe(first["qtasks_job_id"])["metadata"]["creationTimestamp"],
        "api_key_index": 0,
        "git_commit": None,
        "status": "submitted",
        "qtasks_job_id": "",
        "name": "",
        "namespace": "",
        "account": "lab-a",
    }

    lab.ibm.release()
    done = lab.qtasks("collect", "--poll-all", "--watch", "--interval", "1")
    assert done.code == 0
    assert done.out.endswith("  ✓ Completed: 3/3\n  Pending: 0/3\n")
    assert {f"Job {job_id}: DONE" for job_id in ids} <= set(done.out.splitlines())
    assert [line["status"] for line in lab.lines(file)] == ["completed"] * 3
    (results,) = lab.collected()
    found = json.loads(results.read_text())
    assert found["summary"] == {"total": 3, "completed": 3, "failed": 0, "cancelled": 0, "error": 0, "pending": 0}
    assert [sum(job["counts"].values()) for job in found["jobs"]] == [100, 101, 102]
    assert [job["job_id"] for job in found["jobs"]] == ids
    assert all(job["quantum_seconds"] > 0 and job["provenance"]["calibration"] for job in found["jobs"])

    lab.ibm.forget_requests()
    assert lab.qtasks("collect", "--jobs-file", file, "-o", "again.json").code == 0
    assert (lab.folder / "again.json").read_bytes() == results.read_bytes()
    assert lab.ibm.count() == 0

    job = lab.client.job(ids[0])
    assert (job.provider_job_id(), job.queue_position()) == (ids[0], None)
    assert job.usage() == found["jobs"][0]["quantum_seconds"]
    accounts = {entry["name"]: entry["status"] for entry in lab.client.accounts()}
    assert accounts["lab-a"]["used"] > accounts["lab-b"]["used"] > 0
    table = lab.qtasks("get", "accounts").out.splitlines()
    assert table[0].split() == [
        "NAME",
        "PROVIDER",
        "PLAN",
        "USED",
        "REMAINING",
        "FREES",
        "JOBS",
        "LAST-POLL",
        "TROUBLE",
    ]
    assert "█" in table[1]


def test_a_jobs_file_of_other_scripts_is_imported_and_its_finished_lines_are_left_alone(lab: Lab) -> None:
    assert lab.qtasks("apply", "-f", lab.jobs(2)).code == 0
    ids = at_ibm(lab, 2)
    ours = lab.client.job("bell-1").job_id()
    forget(lab)
    for job_id in ids:
        lab.ibm.jobs_by_id[job_id].tags.clear()
    file = lab.folder / "old.jsonl"
    line = {"experiment_type": "deployment", "backend": "ibm_lagos", "logical_state": "+", "circuit_hash": "a3f5b2c1"}
    line |= {"transpiled_depth": 409, "submission_time": "2025-12-21T20:45:15.675969", "api_key_index": 1}
    lines = [
        {"job_id": ids[0], **line, "shots": 100, "status": "submitted", "retry_count": 2},
        {"job_id": "d541c5onsj9s73b1d4lg", **line, "shots": 4096, "status": "completed"},
        {"job_id": ids[1], **line, "shots": 101, "status": "submitted", "qtasks_job_id": ours},
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    lab.ibm.fail(ids[1], "The circuit is too deep.", 1002)
    lab.ibm.finish(ids[0])

    answer = lab.qtasks("collect", "--jobs-file", file, "--watch", "--interval", "1")
    assert answer.code == 1
    said = answer.out.splitlines()
    assert {f"Job {ids[0]}: DONE", "Job d541c5onsj9s73b1d4lg: DONE", f"Job {ids[1]}: ERROR"} <= set(said)
    assert said[-3:] == ["  ✓ Completed: 2/3", "  ✗ Failed: 1/3", "  Pending: 0/3"]
    assert "Imported 2 jobs that no row knew." in answer.err
    assert "1 of 3 jobs did not complete" in answer.err
    assert "The circuit is too deep." in answer.err
    after = lab.lines(file)
    assert after[1] == lines[1]
    assert lines[0].items() - after[0].items() == {("status", "submitted")}
    assert (after[0]["status"], after[0]["account"]) == ("completed", "lab-b")
    assert after[2]["qtasks_job_id"] == ours == lab.client.job(ids[1]).job_id()
    assert (after[2]["status"], "The circuit is too deep" in after[2]["error"]) == ("failed", True)
    (results,) = lab.collected()
    jobs = json.loads(results.read_text())["jobs"]
    assert [job["counts"] is not None and sum(job["counts"].values()) for job in jobs] == [100, False, False]
    assert jobs[0]["retry_count"] == 2

    assert "Imported" not in lab.qtasks("collect", "--jobs-file", file).err
    assert len(lab.client.jobs()) == 2
    described = lab.qtasks("describe", ids[0]).out
    assert re.search(r"Account: +lab-b", described)
    assert "circuit-hash=a3f5b2c1" in described
    assert sum(json.loads(lab.qtasks("results", ids[0]).out)["counts"].values()) == 100
    assert lab.qtasks("collect", "--job-id", "d541c5onsj9s73b1d4lg").code == 4


def test_jobs_of_a_database_that_was_lost_are_recovered_once(lab: Lab) -> None:
    assert lab.qtasks("apply", "-f", lab.jobs(2, account="lab-a")).code == 0
    ids = at_ibm(lab, 2)
    known = lab.qtasks("recover", "--account", "lab-a", "--since", "1h")
    assert (known.code, known.out) == (0, "")
    assert "is known." in known.err
    before = {job.name: job.job_id() for job in lab.client.jobs()}
    forget(lab)

    listed = lab.qtasks("recover", "--account", "lab-a", "--since", "1h", "-o", "json")
    found = {one["id"]: one for one in json.loads(listed.out)["items"] if one["id"] in ids}
    assert list(found) == ids
    assert found[ids[0]]["tag"] == f"qtasks-{before['bell-0']}-1"
    assert (found[ids[0]]["state"], found[ids[0]]["known"]) == ("queued", "unknown")
    assert lab.client.jobs() == []

    adopted = lab.qtasks("recover", "--account", "lab-a", "--since", "1h", "--adopt")
    assert [line.split()[4] for line in adopted.out.splitlines() if line.split()[0] in ids] == ["adopted"] * 2
    assert {job.job_id() for job in lab.client.jobs()} == set(before.values())
    again = lab.qtasks("recover", "--account", "lab-a", "--since", "1h", "--adopt")
    assert (again.out, len(lab.client.jobs())) == ("", 2)

    lab.ibm.release()
    done = lab.qtasks("collect", "--poll-all", "--watch", "--interval", "1")
    assert (done.code, done.out.count("DONE")) == (0, 2)
    assert sum(lab.client.job(before["bell-1"]).result(5).get_counts().values()) == 101
