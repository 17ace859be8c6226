"""What only a cluster's ConfigMaps do: others' keys stay, and what the API server refuses is told apart."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from qtasks.errors import Forbidden, InvalidInput, NotFound, QTasksError, Unavailable
from qtasks.results.outputs import Delivery, Means, deliver
from qtasks.settings import Settings
from tests.support.kubernetes_server import KubernetesServer

pytestmark = pytest.mark.system

JOB = Delivery("default", "0192-id", "my-results", name="bell", format="csv", date="2026-01-02")


def put(rendered: bytes = b"{}", namespace: str = "default", **settings: Any) -> str:
    job = Delivery(namespace, JOB.job_id, JOB.location, name=JOB.name, format="csv", date=JOB.date)
    return deliver("configmap", job, rendered, Means(Settings(**settings), seconds=5.0))


def kept(server: KubernetesServer, **values: Any) -> dict[str, Any]:
    """A ConfigMap that somebody else has made."""
    found = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "my-results", "labels": {"team": "q"}}}
    server.configmaps["default", "my-results"] = found | values
    return server.configmaps["default", "my-results"]


def test_a_configmap_is_made_with_the_key_results(cluster_server: KubernetesServer) -> None:
    assert put(b"outcome,count\n") == "ConfigMap default/my-results, key results"
    found = cluster_server.configmaps["default", "my-results"]
    assert (found["data"], found.get("binaryData")) == ({"results": "outcome,count\n"}, None)
    assert found["metadata"]["annotations"] == {
        "quantum.io/job-id": "0192-id",
        "quantum.io/job": "bell",
        "quantum.io/format": "csv",
    }
    assert [request[0] for request in cluster_server.requests] == ["PATCH", "POST"]


def test_keys_labels_and_bytes_of_others_stay(cluster_server: KubernetesServer) -> None:
    other = base64.b64encode(b"\xff").decode()
    kept(cluster_server, data={"circuit.py": "qc = 1", "results": "old"}, binaryData={"circuit.qpy": other})
    put(b"new")
    found = cluster_server.configmaps["default", "my-results"]
    assert found["data"] == {"circuit.py": "qc = 1", "results": "new"}
    assert found["binaryData"] == {"circuit.qpy": other}
    assert found["metadata"]["labels"] == {"team": "q"}
    put(b"\x80")
    found = cluster_server.configmaps["default", "my-results"]
    assert found["data"] == {"circuit.py": "qc = 1"}
    assert found["binaryData"] == {"circuit.qpy": other, "results": base64.b64encode(b"\x80").decode()}


def test_a_key_that_another_writes_meanwhile_is_not_lost(cluster_server: KubernetesServer) -> None:
    """The server hears of the other key between any two of our requests."""
    taken = cluster_server.lock

    class Meanwhile:
        def __enter__(self) -> None:
            taken.acquire()
            if ("default", "my-results") not in cluster_server.configmaps and len(cluster_server.requests) == 2:
                kept(cluster_server, data={"theirs": "kept"})

        def __exit__(self, *_: object) -> None:
            taken.release()

    cluster_server.lock = Meanwhile()  # type: ignore[assignment]
    put(b"ours")
    assert cluster_server.configmaps["default", "my-results"]["data"] == {"theirs": "kept", "results": "ours"}
    assert [request[0] for request in cluster_server.requests] == ["PATCH", "POST", "PATCH"]


def test_what_is_too_large_is_refused_and_others_count(cluster_server: KubernetesServer) -> None:
    before = kept(cluster_server, data={"theirs": "x" * 1_000_000})
    for rendered in (b"x" * 100_000, b"\xff" * 100_000, b"x" * (2**20 + 1)):
        with pytest.raises(InvalidInput) as caught:
            put(rendered)
        assert caught.value.reason == "ConfigMapTooLarge"
        assert "pvc, s3 or gcs" in caught.value.hint
    assert cluster_server.configmaps["default", "my-results"] == before


@pytest.mark.parametrize(
    ("trouble", "kind", "reason", "said"),
    [
        ("forbidden", Forbidden, "OutputForbidden", "`create` and `patch` configmaps"),
        ("broken", Unavailable, "OutputUnavailable", "HTTP 503"),
        ("namespace", NotFound, "NamespaceNotFound", "no namespace elsewhere in the cluster"),
        ("immutable", InvalidInput, "InvalidOutput", "is immutable"),
        ("gone", Unavailable, "OutputUnavailable", "does not answer"),
        ("unreadable", Unavailable, "OutputUnavailable", "configuration cannot be read"),
    ],
)
def test_what_the_cluster_refuses_is_told_apart(
    cluster_server: KubernetesServer, tmp_path: Path, trouble: str, kind: type[QTasksError], reason: str, said: str
) -> None:
    kept(cluster_server, immutable=trouble == "immutable", data={})
    cluster_server.forbidden, cluster_server.broken = trouble == "forbidden", trouble == "broken"
    config = tmp_path / "kubeconfig"
    if trouble == "gone":
        config.write_text(config.read_text().replace(cluster_server.url, "http://127.0.0.1:1"))
    if trouble == "unreadable":
        config.write_text("{")
    with pytest.raises(kind) as caught:
        put(namespace="elsewhere" if trouble == "namespace" else "default")
    assert caught.value.reason == reason
    assert said in str(caught.value)
    assert "token-of-this-worker" not in str(caught.value)


def test_a_folder_that_was_set_goes_before_the_cluster(cluster_server: KubernetesServer, tmp_path: Path) -> None:
    put(b"{}", configmaps_dir=tmp_path / "folder")
    assert (tmp_path / "folder/default/my-results/results").read_bytes() == b"{}"
    assert cluster_server.requests == []
