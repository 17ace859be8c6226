"""What is applied in a cluster runs in qtasks, and is told back: real processes on both sides of an API server."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from qtasks.client import Client
from tests.operator.world import BELL, FOREVER, LAB, REST, World, cluster_and_qtasks
from tests.support.servers import Postgres, eventually

pytestmark = pytest.mark.system

HEAD = {"apiVersion": "quantum.io/v1"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[World]:
    """As in production: who runs circuits has no token, and the outputs are written by pollers."""
    folder = tmp_path_factory.mktemp("operator")
    config = folder / "config.yaml"
    config.write_text(json.dumps({"tenants": [{"namespace": REST, "waiting": 1}]}))
    with cluster_and_qtasks(folder, postgres, deliver_at_once=False, config=config) as made:
        workers = [
            made.work("validation", "scheduling", "execution"),
            made.work("validation.fetch", account="fetch"),
            made.work("polling", account="polling"),
        ]
        made.stack.run("beat")
        made.stack.run("api")
        made.operate(LAB)
        made.operate(REST)
        for worker in workers:
            made.stack.ready(worker)
        yield made


@pytest.fixture(scope="module")
def client(world: World) -> Client:
    """What qtasks itself says, whatever the operator does."""
    return world.stack.client(LAB)


@pytest.mark.parametrize("namespace", [LAB, REST])
def test_a_job_runs_and_its_results_go_with_it(world: World, client: Client, namespace: str) -> None:
    labels, notes = {"algorithm": "grover"}, {"owner": "alice@example.com"}
    made = world.apply(BELL | {"metadata": {"labels": labels, "annotations": notes}}, "bell", namespace)
    status = world.phase("bell", "Completed", namespace)
    results = eventually(lambda: world.api.get("ConfigMap", namespace, "my-results"), what="the results")
    assert sum(json.loads(results["data"]["results"])["counts"].values()) == 1024
    owner = {**HEAD, "kind": "QiskitJob", "name": "bell", "uid": made["metadata"]["uid"]}
    assert results["metadata"]["ownerReferences"] == [owner]

    document = client.describe(status["jobId"])
    assert document["metadata"]["labels"].items() >= labels.items()
    assert document["metadata"]["annotations"].items() >= notes.items()
    eventually(lambda: not world.job("bell", namespace)["metadata"]["finalizers"], what="its being let go")
    world.told("bell", "Normal Submitted", "Normal Completed", namespace=namespace)

    world.api.delete("QiskitJob", namespace, "bell")
    assert world.api.get("QiskitJob", namespace, "bell") is None
    assert world.api.get("ConfigMap", namespace, "my-results") is None
    assert client.job(status["jobId"]).done()


def test_all_that_qtasks_says_of_a_job_is_in_its_status(world: World, client: Client) -> None:
    world.apply(BELL, "asked")
    world.phase("asked", "Completed")
    eventually(
        lambda: world.condition("QiskitJob", "asked", "OutputDelivered").get("status") == "True", what="delivery"
    )
    status = world.status("asked")
    known = client.describe(status["jobId"])["status"]
    assert set(known) <= set(status)
    for name in ("metrics", "counts", "circuit", "results", "cost", "message"):
        assert status[name] == known[name], name
    assert world.kubectl_get("asked", "{.status.phase}") == "Completed"
    assert world.kubectl_get("asked", "{.status.cost}").startswith("$0.")
    for kind in ("Validated", "BudgetChecked"):
        assert world.kubectl_get("asked", f'{{.status.conditions[?(@.type=="{kind}")].message}}')


def test_a_circuit_that_is_none_fails_and_says_why(world: World) -> None:
    world.apply(BELL, "no-circuit", circuit={"source": "inline", "code": "qc = QuantumCircuit(2)\n"})
    status = world.phase("no-circuit", "Failed")
    said = world.kubectl_get("no-circuit", '{.status.conditions[?(@.type=="Validated")].message}')
    assert "QuantumCircuit" in said
    world.told("no-circuit", "Normal Submitted", f"Warning {status['reason']}")


def test_what_the_model_refuses_is_told_and_runs_once_it_is_corrected(world: World, client: Client) -> None:
    wrong = world.apply(BELL, "wrong", output={"type": "configmap", "location": "s3://bucket"})
    status = world.phase("wrong", "Failed")
    assert (status["reason"], status["observedGeneration"], "jobId" in status) == ("InvalidResource", 1, False)
    assert "spec.output.location" in status["message"]
    assert world.condition("QiskitJob", "wrong", "Validated")["status"] == "False"
    world.told("wrong", "Warning InvalidResource")
    world.api.update("QiskitJob", LAB, "wrong", spec={**wrong["spec"], "output": {"location": "right"}})
    status = world.phase("wrong", "Completed")
    assert world.condition("QiskitJob", "wrong", "Validated")["status"] == "True"
    assert client.describe(status["jobId"])["metadata"]["name"] == "wrong"


def test_the_spec_of_a_submitted_job_never_changes(world: World, client: Client) -> None:
    made = world.apply(BELL, "changed", resources=FOREVER)
    job_id = world.phase("changed", "Pending")["jobId"]
    world.api.update("QiskitJob", LAB, "changed", spec={**made["spec"], "execution": {"shots": 7}})
    accepted = lambda: world.condition("QiskitJob", "changed", "Accepted")  # noqa: E731
    eventually(lambda: accepted()["status"] == "False", what="the refusal")
    assert accepted()["reason"] == "JobExists"
    assert "spec.execution.shots" in accepted()["message"]
    world.told("changed", "Normal Submitted", "Warning JobExists")
    world.api.update("QiskitJob", LAB, "changed", spec=made["spec"])
    eventually(lambda: accepted()["status"] == "True", what="its being as it was")
    assert world.status("changed")["jobId"] == job_id
    world.api.delete("QiskitJob", LAB, "changed")
    world.gone("QiskitJob", "changed")
    assert client.job(job_id).cancelled()


def test_a_job_beyond_a_quota_waits_for_it(world: World) -> None:
    world.apply(BELL, "first", REST, resources=FOREVER)
    world.phase("first", "Pending", REST)
    world.apply(BELL, "second", REST, resources=FOREVER)
    assert world.phase("second", "Pending", REST)["reason"] == "QuotaExceeded"
    world.told("second", "Warning QuotaExceeded", namespace=REST)
    for name in ("second", "first"):
        world.api.delete("QiskitJob", REST, name)
        world.gone("QiskitJob", name, REST)


def test_a_job_that_is_applied_again_runs_again(world: World) -> None:
    ids = set()
    for time in range(2):
        uid = world.apply(BELL, "again")["metadata"]["uid"]
        status = world.phase("again", "Completed")
        ids.add(status["jobId"])
        assert status["jobName"] == (f"again-{uid[:8]}" if time else "again")
        world.api.delete("QiskitJob", LAB, "again")
        world.gone("QiskitJob", "again")
    assert len(ids) == 2


def test_a_job_that_was_deleted_in_qtasks_is_not_submitted_again(world: World, client: Client) -> None:
    world.apply(BELL, "deleted", resources=FOREVER)
    client.job(world.phase("deleted", "Pending")["jobId"]).delete()
    world.phase("deleted", "Cancelled")
    world.api.update("QiskitJob", LAB, "deleted", spec={**BELL["spec"], "debug": True})
    eventually(lambda: world.status("deleted")["observedGeneration"] == 2, what="the change being seen")
    assert [job.name for job in client.jobs() if job.name.startswith("deleted")] == []


def test_a_budget_that_is_raised_lets_its_jobs_go_on(world: World) -> None:
    budget = {**HEAD, "kind": "QiskitBudget", "spec": {"limit": "$0.00", "period": "total"}}
    made = world.apply(budget, "small", selector={"labels": {"team": "broke"}})
    eventually(lambda: world.condition("QiskitBudget", "small", "Accepted").get("status") == "True", what="a budget")
    world.apply(BELL | {"metadata": {"labels": {"team": "broke"}}}, "dear")
    eventually(lambda: world.condition("QiskitJob", "dear", "BudgetChecked").get("status") == "False", what="waiting")
    assert world.status("dear")["phase"] not in ("Completed", "Failed")
    world.api.update("QiskitBudget", LAB, "small", spec={**made["spec"], "limit": "$10.00"})
    world.phase("dear", "Completed")

    def spent() -> bool:
        status = (world.api.get("QiskitBudget", LAB, "small") or {})["status"]
        return (status["limit"], status["keptGeneration"], status["reserved"]) == ("$10.00", 2, "$0.00") and (
            status["spent"] > "$0.00"
        )

    eventually(spent, what="what was spent being told")


def test_what_is_kept_is_told_and_goes_when_it_is_deleted(world: World, client: Client) -> None:
    session = {**HEAD, "kind": "QiskitSession", "spec": {"backend": {"type": "local_simulator"}}}
    device = {**HEAD, "kind": "QiskitBackend", "spec": {"type": "aws_braket", "name": "arn:aws:braket:::device/x/y"}}
    wide = {**HEAD, "kind": "QiskitBudget", "spec": {"limit": 1, "period": "daily", "selector": {"namespaces": ["*"]}}}
    for document in (session, device, wide):
        world.apply(document, "kept")

    def status(kind: str, name: str) -> object:
        return (world.api.get(kind, LAB, "kept") or {}).get("status", {}).get(name)

    eventually(lambda: status("QiskitSession", "phase") == "Declared", what="a session")
    eventually(lambda: status("QiskitBackend", "state") == "unknown", what="a device")
    eventually(lambda: world.condition("QiskitBudget", "kept", "Accepted"), what="a refusal")
    # By the operator's rights nobody limits what other namespaces spend.
    assert world.condition("QiskitBudget", "kept", "Accepted")["reason"] == "SpansNamespaces"
    assert "kept" not in [one["metadata"]["name"] for one in client.budgets()]
    for kind in ("QiskitSession", "QiskitBackend", "QiskitBudget"):
        world.api.delete(kind, LAB, "kept")
        world.gone(kind, "kept")
    assert client.session("kept")["status"]["phase"] == "Deleted"
    assert "kept" not in [name for one in client.backends() for name in one["registeredAs"]]


def test_fifty_jobs_at_once_are_asked_about_all_together(world: World) -> None:
    before = len(world.api.requests)
    names = [f"of-fifty-{number}" for number in range(50)]
    for name in names:
        world.apply(BELL, name, output={"location": name})
    for name in names:
        world.phase(name, "Completed", seconds=90)
    # Each is looked at, held, told of twice, written a few times and let go; nothing is asked again and again.
    assert len(world.api.requests) - before < 50 * 15


def test_the_roles_are_enough_and_not_more(world: World) -> None:
    """Of all that has been asked until here: nothing was refused, and every permission was made use of."""
    for name in ("ssh", "place"):
        metadata = {"name": name, "namespace": LAB}
        world.api.create({"kind": "Secret", "metadata": metadata, "data": {"token": "dG9rZW4="}})
    code = {"circuit.py": BELL["spec"]["circuit"]["code"]}
    world.api.create({"kind": "ConfigMap", "metadata": {"name": "code", "namespace": LAB}, "data": code})
    source = {"source": "configmap", "configMapRef": {"name": "code", "key": "circuit.py"}}
    world.apply(BELL, "fetched", circuit=source)
    git = {"repository": "https://127.0.0.1:1/x", "path": "x.py", "secretRef": {"name": "ssh"}}
    world.apply(BELL, "cloned", circuit={"source": "git", "gitRef": git}, retryPolicy={"maxRetries": 0})
    place = {"type": "s3", "location": "s3://bucket/", "credentials": {"secretRef": {"name": "place"}}}
    world.apply(BELL, "placed", output=place)
    world.phase("fetched", "Completed")
    world.phase("cloned", "Failed")
    world.phase("placed", "Completed")
    access = world.api.access
    provider = "system:serviceaccount:qtasks:qtasks-provider"

    def unused() -> list[str]:
        # What was done in one namespace counts for the other, whose operator and workers are the same.
        asked = {(one.subject, one.verb, one.group, one.resource) for one in access.asked}
        rules = {(one.subject, one.verb, one.group, one.resource) for one in access.rules() if one.subject != provider}
        return sorted(map(str, rules - asked))

    eventually(lambda: not unused(), seconds=10, what="every permission being used")
    assert access.refused == set()
