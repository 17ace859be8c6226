"""The kubectl commands that users of QiskitJobs know print what they always did."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.cluster.conftest import Get, Kubectl, runner
from tests.cluster.jobs import BELL, job
from tests.support.apiserver import ApiServer
from tests.support.servers import eventually

pytestmark = [pytest.mark.system, pytest.mark.needs_packages]

PROGRAMS = ["of the server's version", *(["of this machine"] if shutil.which("kubectl") else [])]


@pytest.fixture(scope="module", params=PROGRAMS)
def kubectl(request: pytest.FixtureRequest, cluster: ApiServer, programs: Path, completed: str) -> Kubectl:
    own = shutil.which("kubectl")
    old = request.param == PROGRAMS[0] or own is None
    return runner(cluster, programs / "kubectl" if old or own is None else Path(own))


def test_get_lists_the_jobs(kubectl: Kubectl) -> None:
    head, *rows = kubectl("get", "qiskitjobs").splitlines()
    assert head.split() == ["NAME", "PHASE", "BACKEND", "PRIORITY", "SHOTS", "COST", "AGE"]
    row = next(row.split() for row in rows if row.startswith("my-quantum-job"))
    assert row[:6] == ["my-quantum-job", "Completed", "local_simulator", "normal", "1024", "$0.00"]


def test_get_wide_lists_more(kubectl: Kubectl, get: Get) -> None:
    head, *rows = kubectl("get", "qiskitjobs", "-o", "wide").splitlines()
    assert {"ID", "ATTEMPT", "OUTPUT"} <= set(head.split())
    row = next(row for row in rows if row.startswith("my-quantum-job"))
    assert get("my-quantum-job")["status"]["jobId"] in row
    assert "my-results" in row


def test_get_filters_by_labels(kubectl: Kubectl) -> None:
    assert "my-quantum-job" in kubectl("get", "qiskitjobs", "-l", "algorithm=grover")
    assert "my-quantum-job" not in kubectl("get", "qiskitjobs", "-l", "algorithm=shor")


def test_get_watches_for_changes(kubectl: Kubectl, cluster: ApiServer, programs: Path, tmp_path: Path) -> None:
    command = [str(programs / "kubectl"), "get", "qiskitjobs", "-w"]
    environment = {"KUBECONFIG": str(cluster.folder / "kubeconfig"), "HOME": str(cluster.folder)}
    log = tmp_path / "watching"

    def rows(name: str) -> list[str]:
        return [line.split()[1] for line in log.read_text().splitlines() if line.startswith(f"{name} ")]

    with log.open("wb") as output, subprocess.Popen(command, env=environment, stdout=output) as watching:
        try:
            eventually(lambda: rows("my-quantum-job"), what="what is there being listed")
            kubectl("apply", "-f", "-", stdin=job("watched", code=BELL, location="of-watched"))
            eventually(lambda: "Completed" in rows("watched"), seconds=60, what="watched being seen to complete")
        finally:
            watching.kill()
    assert len(rows("watched")) > 1
    kubectl("delete", "qiskitjob", "watched", "--timeout=60s")


def test_describe_tells_status_and_events(kubectl: Kubectl) -> None:
    told = kubectl("describe", "qiskitjob", "my-quantum-job")
    for said in (
        "Phase:",
        "Completed",
        "Cost:",
        "$0.00",
        "Validated",
        "OutputDelivered",
        "Events:",
        "Submitted as job",
    ):
        assert said in told


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("{.status.phase}", "Completed"),
        ("{.status.cost}", "$0.00"),
        ('{.status.conditions[?(@.type=="Validated")].status}', "True"),
    ],
)
def test_a_path_tells_one_thing(kubectl: Kubectl, path: str, said: str) -> None:
    assert kubectl("get", "qiskitjob", "my-quantum-job", "-o", f"jsonpath={path}") == said


def test_conditions_say_why_a_job_does_not_go_on(kubectl: Kubectl) -> None:
    message = 'jsonpath={.status.conditions[?(@.type=="%s")].message}'
    assert "QuantumCircus" in kubectl("get", "qiskitjob", "my-invalid-job", "-o", message % "Validated")
    assert kubectl("get", "qiskitjob", "my-quantum-job", "-o", message % "BudgetChecked")


def test_a_result_is_in_its_configmap(kubectl: Kubectl) -> None:
    found = json.loads(kubectl("get", "configmap", "my-results", "-o", "jsonpath={.data.results}"))
    assert set(found["counts"]) <= {"00", "11"} and sum(found["counts"].values()) == 1024
    whole = yaml.safe_load(kubectl("get", "configmap", "my-results", "-o", "yaml"))
    assert json.loads(whole["data"]["results"]) == found
    assert whole["metadata"]["annotations"]["quantum.io/job"] == "my-quantum-job"


def test_explain_tells_what_a_field_is(kubectl: Kubectl) -> None:
    told = kubectl("explain", "qiskitjob.spec.execution.shots")
    assert "<integer>" in told and "Number of times the circuit is executed" in told
