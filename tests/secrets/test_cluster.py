"""What only a cluster's secrets do: when they are the ones, and how the API server is asked."""

from __future__ import annotations

import logging
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from qtasks.errors import InvalidInput, QTasksError, Unavailable
from qtasks.secrets import cluster as cluster_secrets
from qtasks.secrets import in_cluster, read_secret
from qtasks.settings import Settings
from tests.secrets.conftest import HIDDEN, InCluster
from tests.support.kubernetes_server import TOKEN

pytestmark = pytest.mark.system


def read(cluster: InCluster, **settings: Any) -> dict[str, str]:
    found = cluster.settings.model_copy(update=settings)
    return dict(read_secret(found, namespace="default", name="lab").values)


def test_one_secret_is_got_and_none_is_listed(cluster: InCluster) -> None:
    cluster.put("lab", token=HIDDEN.encode())
    cluster.put("neighbour", token=b"theirs")
    read(cluster)
    asked = [request[:2] for request in cluster.server.requests]
    assert asked == [("GET", "/api/v1/namespaces/default/secrets/lab")]


def test_a_folder_that_was_set_goes_before_the_cluster(cluster: InCluster, tmp_path: Path) -> None:
    cluster.put("lab", token=b"of the cluster")
    (tmp_path / "set/default/lab").mkdir(parents=True)
    (tmp_path / "set/default/lab/token").write_text("of the folder")
    assert read(cluster, secrets_dir=tmp_path / "set") == {"token": "of the folder"}
    assert cluster.server.requests == []


def test_a_pod_has_the_clusters_secrets_and_a_mere_kubeconfig_in_the_home_means_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path)
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube/config").write_text("{}")
    assert not in_cluster(settings)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert in_cluster(settings)
    assert not in_cluster(settings.model_copy(update={"secrets_dir": tmp_path}))


def test_a_pod_without_a_token_is_told_what_it_lacks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    with pytest.raises(Unavailable) as caught:
        read_secret(Settings(home=tmp_path), namespace="default", name="lab")
    assert caught.value.reason == "SecretUnavailable"
    assert "automountServiceAccountToken" in caught.value.hint


@pytest.mark.parametrize(
    ("found", "kind", "reason", "said"),
    [
        ({"kind": "Secret", "data": {"token": "%%%"}}, InvalidInput, "InvalidSecret", "not base64"),
        ({"kind": "Secret", "data": ["token"]}, InvalidInput, "InvalidSecret", "not base64"),
        ({"kind": "ConfigMap", "data": {"token": HIDDEN}}, Unavailable, "SecretUnavailable", "something else than a"),
        ({"kind": "Secret", "data": {"token": "QQ==" * 2**20}}, Unavailable, "SecretUnavailable", "too long"),
    ],
)
def test_what_is_no_secret_is_refused(
    cluster: InCluster, found: dict[str, Any], kind: type[QTasksError], reason: str, said: str
) -> None:
    cluster.server.secrets["default", "lab"] = found
    with pytest.raises(kind) as caught:
        read(cluster)
    assert (caught.value.reason, said in str(caught.value), HIDDEN in str(caught.value)) == (reason, True, False)


def test_a_cluster_that_fails_may_be_asked_again(cluster: InCluster, caplog: pytest.LogCaptureFixture) -> None:
    cluster.put("lab", token=HIDDEN.encode())
    cluster.server.broken = True
    with caplog.at_level(logging.DEBUG):
        with pytest.raises(Unavailable, match="it answers HTTP 503") as caught:
            read(cluster)
        cluster.server.broken = False
        assert read(cluster) == {"token": HIDDEN}
    assert caught.value.reason == "SecretUnavailable"
    said = f"{caught.value!r} {caplog.text}"
    assert TOKEN not in said and HIDDEN not in said


def test_a_cluster_that_does_not_answer_is_not_waited_for(
    cluster: InCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_secrets, "_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config = tmp_path / "kubeconfig"
        config.write_text(config.read_text().replace(cluster.server.url, f"http://127.0.0.1:{silent.getsockname()[1]}"))
        began = time.monotonic()
        with pytest.raises(Unavailable) as caught:
            read(cluster)
    assert time.monotonic() - began < 5
    assert caught.value.reason == "SecretUnavailable"
    config.write_text("{")
    with pytest.raises(Unavailable, match="configuration cannot be read"):
        read(cluster)
