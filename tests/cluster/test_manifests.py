"""A real API server takes the kinds and the manifests, as far as it is new enough to know them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.conftest import Kubectl
from tests.cluster.roles import K8S
from tests.support.apiserver import ApiServer
from tests.support.servers import eventually

pytestmark = [pytest.mark.system, pytest.mark.needs_packages]

UNKNOWN = {
    # Younger than this server. The offline check against the newest schemas covers them.
    "policy/v1": "PodDisruptionBudget",
    "autoscaling/v2": "HorizontalPodAutoscaler",
    # Kinds of others, whose definitions come with KEDA, External Secrets and the Prometheus operator.
    "keda.sh/v1alpha1": "ScaledObject TriggerAuthentication",
    "external-secrets.io/v1": "ExternalSecret SecretStore ClusterSecretStore",
    "monitoring.coreos.com/v1": "ServiceMonitor PodMonitor PrometheusRule",
}
YOUNGER = {"matchLabelKeys", "sleep"}
"""Of topologySpreadConstraints (1.27) and of lifecycle.preStop (1.30); `restartPolicy` of init containers, which makes
them sidecars, is of 1.29."""
EMPTIED = {"preStop", "lifecycle"}
RENDERED = sorted((K8S / "rendered").glob("*.yaml"))
KINDS = {"qiskitjobs": "QiskitJob", "qiskitbackends": "QiskitBackend"} | {
    "qiskitbudgets": "QiskitBudget",
    "qiskitsessions": "QiskitSession",
}


@pytest.mark.parametrize("plural", KINDS)
def test_a_kind_is_established_and_its_schema_is_structural(cluster: ApiServer, plural: str) -> None:
    def conditions() -> dict[str, str]:
        path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{plural}.quantum.io"
        found = cluster.ask("GET", path)[1]
        return {condition["type"]: condition["status"] for condition in found.get("status", {}).get("conditions", [])}

    eventually(lambda: conditions().get("Established") == "True", what=f"{plural} being established")
    # There is a condition NonStructuralSchema where a schema is not one that a server prunes and defaults by.
    assert conditions() == {"NamesAccepted": "True", "Established": "True"}
    served = cluster.ask("GET", "/apis/quantum.io/v1")[1]["resources"]
    assert {found["name"]: found["kind"] for found in served if "/" not in found["name"]}[plural] == KINDS[plural]
    assert f"{plural}/status" in {found["name"] for found in served}


def test_every_rendering_is_there() -> None:
    assert {path.stem for path in RENDERED} >= {"dev", "production", "gpu"}


@pytest.mark.parametrize("path", RENDERED, ids=lambda path: path.stem)
def test_a_rendering_is_taken_by_the_server(cluster: ApiServer, ctl: Kubectl, path: Path) -> None:
    known, unknown = _told_apart(path)
    for found in unknown:
        assert found["kind"] in UNKNOWN[found["apiVersion"]].split()
    _namespaces(cluster, known)
    text = yaml.safe_dump_all(_as_of_this_version(document) for document in known)
    taken = ctl("apply", "--server-side", "--dry-run=server", "-f", "-", stdin=text).splitlines()
    assert len(taken) == len(known)
    assert all("serverside-applied" in line for line in taken)


def test_a_field_that_the_server_does_not_know_is_seen(cluster: ApiServer, ctl: Kubectl) -> None:
    """What the test above shows depends on the server's refusing, which it does by type."""
    wrong = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x", "namespace": "default"}}
    with pytest.raises(AssertionError, match="replica"):
        ctl(
            "apply", "--server-side", "--dry-run=server", "-f", "-", stdin=json.dumps({**wrong, "spec": {"replica": 1}})
        )


def _told_apart(path: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    found = [document for document in yaml.safe_load_all(path.read_text()) if document]
    unknown = [document for document in found if document["apiVersion"] in UNKNOWN]
    return [document for document in found if document not in unknown], unknown


def _as_of_this_version(found: Any) -> Any:
    """Without the fields that are younger than 1.20, sidecars being plain containers, and with the default without
    which its server-side apply cannot tell the ports of a list apart."""
    if isinstance(found, list):
        return [_as_of_this_version(item) for item in found]
    if not isinstance(found, dict):
        return found
    kept = {key: _as_of_this_version(value) for key, value in found.items() if key not in YOUNGER}
    if "containerPort" in kept or "targetPort" in kept:
        kept.setdefault("protocol", "TCP")
    if sidecars := [container for container in kept.get("initContainers", []) if "restartPolicy" in container]:
        kept["initContainers"] = [container for container in kept["initContainers"] if container not in sidecars]
        kept["containers"] += [{k: v for k, v in sidecar.items() if k != "restartPolicy"} for sidecar in sidecars]
    return {key: value for key, value in kept.items() if value or key not in EMPTIED}


def _namespaces(cluster: ApiServer, documents: list[dict[str, Any]]) -> None:
    """A dry run makes no namespace for what follows."""
    for name in {document["metadata"].get("namespace", "default") for document in documents}:
        status, said = cluster.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        assert status in (201, 409), said
