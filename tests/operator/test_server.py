"""What the operator's process says of itself, and waits for."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from qtasks.client import Client
from qtasks.errors import Forbidden, InvalidInput, Unavailable
from qtasks.operator.api_server import ApiServer as Asking
from qtasks.operator.crds import definitions
from qtasks.operator.kinds import JOBS, Key
from qtasks.operator.server import Operator, namespaces_of
from qtasks.settings import Settings
from tests.support.kubernetes import ApiServer
from tests.support.servers import eventually

pytestmark = pytest.mark.system


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    with ApiServer("lab") as server:
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig(tmp_path / "kubeconfig", server.admin_token)))
        yield server


def test_namespaces_are_names_with_commas_between() -> None:
    assert namespaces_of(Settings(operator_namespaces="")) == []
    assert namespaces_of(Settings(operator_namespaces=" lab, teaching,lab ")) == ["lab", "teaching"]
    with pytest.raises(InvalidInput) as caught:
        namespaces_of(Settings(operator_namespaces="lab,team-*"))
    assert caught.value.reason == "InvalidSettings"


def test_it_waits_for_the_definitions_and_says_so(api: ApiServer) -> None:
    with Client(Settings(api_url="http://127.0.0.1:1")) as client:
        operator = Operator(client, Asking(), patience=60.0)
        waiting = threading.Thread(target=operator._wait_for_definitions)
        waiting.start()
        eventually(lambda: any(path.startswith("/apis/quantum.io") for _, path in api.requests), what="its asking")
        document = json.loads(operator.ready().content)
        assert (operator.ready().status, document["checks"]["definitions"]) == (503, "kubectl apply -f k8s/crds")
        for definition in definitions().values():
            api.install(definition)
        waiting.join(20)
        assert not waiting.is_alive()
        checks = json.loads(operator.ready().content)["checks"]
        assert (checks["definitions"], checks["cluster"]) == ("ok", "ok")
        assert operator.healthy().status == 200


def test_a_mirror_that_does_not_turn_is_not_live(api: ApiServer) -> None:
    with Client(Settings(api_url="http://127.0.0.1:1")) as client:
        operator = Operator(client, Asking(), patience=0.0)
        assert eventually(lambda: operator.healthy().status == 503, seconds=5)


def test_what_the_cluster_refuses_is_told_apart(api: ApiServer) -> None:
    api.install(definitions()[JOBS])
    key = Key(JOBS, "lab", "bell")
    spec = {"circuit": {"source": "inline", "code": "OPENQASM 2.0;"}}
    api.create({"kind": "QiskitJob", "metadata": {"name": "bell", "namespace": "lab"}, "spec": spec})
    asking = Asking()
    with pytest.raises(InvalidInput) as refused:
        asking.patch_status(key, {"phase": "Exploded"})
    assert refused.value.reason == "ClusterRefused"
    assert asking.patch_status(Key(JOBS, "lab", "another"), {"phase": "Failed"}) is None
    api.broken = True
    with pytest.raises(Unavailable) as away:
        asking.get(key)
    assert away.value.reason == "ClusterUnavailable"
    api.broken = False
    api.access.tokens[api.admin_token] = "system:serviceaccount:qtasks:nobody"
    with pytest.raises(Forbidden) as forbidden:
        asking.get(key)
    assert forbidden.value.reason == "ClusterForbidden"
    assert "qtasks-operator" in forbidden.value.hint
    assert api.admin_token not in str(forbidden.value)


def test_without_a_cluster_it_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("KUBE")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(Unavailable) as caught:
        Asking()
    assert caught.value.reason == "ClusterUnavailable"
    assert "KUBECONFIG" in caught.value.hint
