"""A result in a cluster goes with the QiskitJob that it is of, and takes nothing of anybody else's along."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qtasks.operator.crds import definitions
from qtasks.results.outputs import Delivery, Means, deliver
from qtasks.results.outputs.owner import Owner
from qtasks.settings import Settings
from tests.support.kubernetes import ApiServer

pytestmark = pytest.mark.system

JOB = Delivery("lab", "0192-one", "my-results", name="bell", format="json", date="2026-01-02")
SPEC = {"circuit": {"source": "inline", "code": "OPENQASM 2.0;"}}


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    with ApiServer("lab") as server:
        server.install(definitions()["qiskitjobs"])
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig(tmp_path / "kubeconfig", server.admin_token)))
        yield server


def owned_by(api: ApiServer, name: str) -> Owner:
    metadata = {"name": name, "namespace": "lab"}
    made = api.create({"apiVersion": "quantum.io/v1", "kind": "QiskitJob", "metadata": metadata, "spec": SPEC})
    return Owner(name, made["metadata"]["uid"])


def put(owner: Owner | None, job_id: str = "0192-one", rendered: bytes = b"{}") -> None:
    job = dataclasses.replace(JOB, owner=owner, job_id=job_id)
    deliver("configmap", job, rendered, Means(Settings(), seconds=5.0))


def results(api: ApiServer) -> dict[str, Any]:
    found = api.get("ConfigMap", "lab", "my-results")
    assert found is not None
    return found


def owners(api: ApiServer) -> list[str]:
    return [each["name"] for each in results(api)["metadata"].get("ownerReferences", [])]


def test_what_is_made_for_a_job_goes_with_it(api: ApiServer) -> None:
    put(owned_by(api, "bell"))
    assert owners(api) == ["bell"]
    api.delete("QiskitJob", "lab", "bell")
    assert api.get("ConfigMap", "lab", "my-results") is None


def test_what_nobody_in_the_cluster_owns_has_no_owner(api: ApiServer) -> None:
    put(None)
    assert "ownerReferences" not in results(api)["metadata"]
    put(owned_by(api, "bell"))
    assert owners(api) == []


def test_what_was_there_before_is_nobodys_to_take_along(api: ApiServer) -> None:
    metadata = {"name": "my-results", "namespace": "lab"}
    api.create({"kind": "ConfigMap", "metadata": metadata, "data": {"circuit.py": "qc = 1"}})
    owner = owned_by(api, "bell")
    for rendered in (b"one", b"two"):
        put(owner, rendered=rendered)
    assert owners(api) == []
    api.delete("QiskitJob", "lab", "bell")
    assert results(api)["data"] == {"circuit.py": "qc = 1", "results": "two"}


def test_an_owner_that_somebody_took_off_comes_back_with_the_next_delivery(api: ApiServer) -> None:
    owner = owned_by(api, "bell")
    put(owner)
    made = results(api)["metadata"]
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "name": "theirs", "uid": "1"}
    api.update("ConfigMap", "lab", "my-results", metadata={**made, "ownerReferences": [theirs]})
    put(owner)
    assert owners(api) == ["theirs", "bell"]
    put(owner)
    assert owners(api) == ["theirs", "bell"]


def test_of_two_jobs_with_one_output_neither_takes_the_others_result_along(api: ApiServer) -> None:
    put(owned_by(api, "bell"), "0192-one", b"one")
    put(owned_by(api, "ghz"), "0192-two", b"two")
    api.delete("QiskitJob", "lab", "bell")
    assert results(api)["data"]["results"] == "two"
    api.delete("QiskitJob", "lab", "ghz")
    assert api.get("ConfigMap", "lab", "my-results") is None


def test_a_forged_owner_harms_nobody(api: ApiServer) -> None:
    put(owned_by(api, "bell"), "0192-one")
    forged = Owner("bell", "00000000-0000-0000-0000-000000000000")
    put(forged, "0192-two")
    api.create({"kind": "ConfigMap", "metadata": {"name": "another", "namespace": "lab"}})
    api.delete("ConfigMap", "lab", "another")  # the collector looks around
    assert results(api)["metadata"]["name"] == "my-results"
