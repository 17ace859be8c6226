"""The stand-in keeps the rules of Kubernetes that the operator's tests rely on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from qtasks.operator.crds import definitions
from tests.support.kubernetes import ApiServer
from tests.support.kubernetes.access import Asked

JOBS = "/apis/quantum.io/v1/namespaces/lab/qiskitjobs"
DEFINITION = definitions()["qiskitjobs"]
MERGE = {"Content-Type": "application/merge-patch+json"}
ROLE = {
    "kind": "Role",
    "metadata": {"name": "reader"},
    "rules": [{"apiGroups": ["quantum.io"], "resources": ["qiskitjobs"], "verbs": ["get", "list", "watch"]}],
}
BINDING = {
    "kind": "RoleBinding",
    "metadata": {"name": "reader"},
    "roleRef": {"name": "reader"},
    "subjects": [{"kind": "ServiceAccount", "namespace": "qtasks", "name": "reader"}],
}


def job(name: str = "bell", **metadata: Any) -> dict[str, Any]:
    spec = {"circuit": {"source": "inline", "code": "OPENQASM 2.0;"}}
    head = {"apiVersion": "quantum.io/v1", "kind": "QiskitJob"}
    return {**head, "metadata": {"name": name, "namespace": "lab", **metadata}, "spec": spec}


@pytest.fixture
def api() -> Iterator[ApiServer]:
    with ApiServer("lab") as server:
        server.install(DEFINITION)
        server.bookmark_seconds = 0.1
        yield server


@pytest.fixture
def ask(api: ApiServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=api.url, headers={"Authorization": f"Bearer {api.admin_token}"}) as client:
        yield client


def test_discovery_tells_of_the_kinds_and_their_statuses(ask: httpx.Client) -> None:
    assert ask.get("/api").json()["versions"] == ["v1"]
    assert [group["name"] for group in ask.get("/apis").json()["groups"]] == ["quantum.io"]
    found = {entry["name"]: entry for entry in ask.get("/apis/quantum.io/v1").json()["resources"]}
    assert found["qiskitjobs"]["kind"] == "QiskitJob"
    assert found["qiskitjobs/status"]["verbs"] == ["get", "patch", "update"]


def test_what_a_schema_does_not_know_is_pruned_and_what_is_wrong_refused(ask: httpx.Client) -> None:
    new = job()
    new["spec"]["colour"] = "red"
    assert "colour" not in ask.post(JOBS, json=new).raise_for_status().json()["spec"]
    new = job("wrong")
    new["spec"]["execution"] = {"shots": "many"}
    refused = ask.post(JOBS, json=new)
    assert (refused.status_code, refused.json()["reason"]) == (422, "Invalid")
    assert "spec.execution.shots" in refused.json()["message"]


def test_a_status_is_written_by_its_own_subresource_alone(ask: httpx.Client) -> None:
    made = ask.post(JOBS, json={**job(), "status": {"phase": "Completed"}}).json()
    assert "status" not in made
    both = {"status": {"phase": "Running"}, "spec": {"debug": True}}
    assert "status" not in ask.patch(f"{JOBS}/bell", json=both, headers=MERGE).json()
    found = ask.patch(f"{JOBS}/bell/status", json={**both, "spec": {"debug": False}}, headers=MERGE).json()
    assert (found["status"], found["spec"]["debug"]) == ({"phase": "Running"}, True)
    assert found["metadata"]["generation"] == 2


def test_of_two_who_change_one_version_the_second_is_refused(ask: httpx.Client) -> None:
    version = ask.post(JOBS, json=job()).json()["metadata"]["resourceVersion"]
    change = {"metadata": {"labels": {"a": "b"}, "resourceVersion": version}}
    assert ask.patch(f"{JOBS}/bell", json=change, headers=MERGE).status_code == 200
    change["metadata"]["labels"] = {"a": "c"}
    assert ask.patch(f"{JOBS}/bell", json=change, headers=MERGE).json()["reason"] == "Conflict"
    assert ask.post(JOBS, json=job()).json()["reason"] == "AlreadyExists"


def test_a_json_patch_changes_one_place(ask: httpx.Client) -> None:
    ask.post(JOBS, json=job(labels={"a": "b"}))
    patch = [{"op": "test", "path": "/metadata/labels/a", "value": "b"}]
    patch += [{"op": "replace", "path": "/metadata/labels/a", "value": "c"}]
    headers = {"Content-Type": "application/json-patch+json"}
    assert ask.patch(f"{JOBS}/bell", json=patch, headers=headers).json()["metadata"]["labels"] == {"a": "c"}
    assert ask.patch(f"{JOBS}/bell", json=patch, headers=headers).status_code == 422
    assert ask.patch(f"{JOBS}/bell", json={}, headers={"Content-Type": "text/plain"}).status_code == 415


def test_what_is_held_is_marked_and_goes_when_it_is_let_go(ask: httpx.Client) -> None:
    ask.post(JOBS, json=job(finalizers=["a", "b"]))
    assert ask.delete(f"{JOBS}/bell").json()["metadata"]["deletionTimestamp"]
    refused = ask.patch(f"{JOBS}/bell", json={"metadata": {"finalizers": ["a", "b", "c"]}}, headers=MERGE)
    assert "no new finalizers" in refused.json()["message"]
    assert ask.patch(f"{JOBS}/bell", json={"metadata": {"finalizers": ["b"]}}, headers=MERGE).status_code == 200
    assert ask.patch(f"{JOBS}/bell", json={"metadata": {"finalizers": []}}, headers=MERGE).status_code == 200
    assert ask.get(f"{JOBS}/bell").json()["reason"] == "NotFound"


def test_what_is_owned_goes_with_the_last_of_its_owners(api: ApiServer) -> None:
    def owner(made: dict[str, Any]) -> dict[str, str]:
        return {"apiVersion": "quantum.io/v1", "kind": "QiskitJob", **{k: made["metadata"][k] for k in ("name", "uid")}}

    one, two = api.create(job("one")), api.create(job("two"))
    metadata = {"name": "results", "namespace": "lab", "ownerReferences": [owner(one), owner(two)]}
    api.create({"kind": "ConfigMap", "metadata": metadata, "data": {}})
    api.delete("QiskitJob", "lab", "one")
    assert api.get("ConfigMap", "lab", "results")
    api.delete("QiskitJob", "lab", "two")
    assert api.get("ConfigMap", "lab", "results") is None


def test_a_watch_goes_on_from_a_version_and_is_told_when_that_is_gone(api: ApiServer, ask: httpx.Client) -> None:
    api.create(job("one"))
    version = ask.get(JOBS).json()["metadata"]["resourceVersion"]
    api.create(job("two"))
    api.delete("QiskitJob", "lab", "two")
    query = {"watch": "true", "resourceVersion": version, "allowWatchBookmarks": "true"}
    told = []
    with ask.stream("GET", JOBS, params=query) as stream:
        for line in stream.iter_lines():
            told.append(json.loads(line)["type"])
            if told[-1] == "BOOKMARK":
                break
    assert told == ["ADDED", "DELETED", "BOOKMARK"]
    api.objects.forget_history()
    with ask.stream("GET", JOBS, params=query) as stream:
        (line,) = stream.iter_lines()
    assert json.loads(line)["object"]["code"] == 410


def test_nobody_does_what_no_role_allows(api: ApiServer, ask: httpx.Client) -> None:
    api.access.add(ROLE, "lab")
    api.access.add(BINDING, "lab")
    headers = {"Authorization": f"Bearer {api.account('qtasks', 'reader')}"}
    assert ask.get(JOBS, headers=headers).status_code == 200
    refused = ask.post(JOBS, json=job(), headers=headers)
    assert refused.json()["message"] == (
        'qiskitjobs.quantum.io is forbidden: User "system:serviceaccount:qtasks:reader" cannot create resource '
        '"qiskitjobs" in API group "quantum.io" in the namespace "lab"'
    )
    assert ask.get("/apis/quantum.io/v1/qiskitjobs", headers=headers).status_code == 403
    assert ask.get(JOBS, headers={"Authorization": "Bearer nobody"}).status_code == 401
    reader = "system:serviceaccount:qtasks:reader"
    assert api.access.asked == {Asked(reader, "list", "quantum.io", "qiskitjobs", "lab")}
    assert {rule.verb for rule in api.access.unused(api.access.asked)} == {"get", "watch"}


def test_it_keeps_what_it_has_when_it_is_started_again(api: ApiServer, ask: httpx.Client) -> None:
    ask.post(JOBS, json=job())
    api.stop()
    with pytest.raises(httpx.TransportError):
        ask.get(JOBS)
    api.start()
    assert [item["metadata"]["name"] for item in ask.get(JOBS).json()["items"]] == ["bell"]
