"""Circuits from ConfigMaps: from a folder, and from a cluster's API by the official client."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from qtasks.errors import Forbidden, InvalidInput, NotFound, QTasksError, Unavailable
from qtasks.results.outputs.configmap import ConfigMapOutput
from qtasks.results.outputs.protocol import Delivery
from tests.sources.conftest import Fetch, Serve
from tests.sources.web_server import Asked, Handler, WebServer

pytestmark = pytest.mark.system


def configmap(name: str = "grover", key: str = "circuit.py") -> dict[str, Any]:
    return {"source": "configmap", "configMapRef": {"name": name, "key": key}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """ConfigMap default/grover with the key circuit.py."""
    folder = tmp_path / "configmaps"
    (folder / "default" / "grover").mkdir(parents=True)
    (folder / "default" / "grover" / "circuit.py").write_text("qc = 1\n")
    return folder


def test_a_key_is_read_from_the_folder_that_was_set(get: Fetch, folder: Path) -> None:
    fetched = get(configmap(), configmaps_dir=folder)
    assert (fetched.data, fetched.origin) == (b"qc = 1\n", "configmap:default/grover/circuit.py")
    assert fetched.commit is None


def test_a_key_is_read_from_the_home_where_there_is_no_cluster(get: Fetch, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    folder.rename(tmp_path / "home" / "configmaps")
    assert get(configmap()).data == b"qc = 1\n"


def test_a_mounted_config_map_is_read_through_its_links(get: Fetch, folder: Path) -> None:
    mounted = folder / "default" / "mounted"
    (mounted / "..2026_01_01").mkdir(parents=True)
    (mounted / "..2026_01_01" / "circuit.py").write_text("mounted")
    (mounted / "..data").symlink_to("..2026_01_01")
    (mounted / "circuit.py").symlink_to("..data/circuit.py")
    assert get(configmap("mounted"), configmaps_dir=folder).data == b"mounted"


def test_what_a_job_wrote_there_is_another_jobs_source(get: Fetch, folder: Path) -> None:
    ConfigMapOutput(folder).deliver(Delivery("default", "j", "my-results"), b"{}")
    assert get(configmap("my-results", "results"), configmaps_dir=folder).data == b"{}"


@pytest.mark.parametrize(
    ("circuit", "kind", "reason", "said"),
    [
        (configmap("grove"), NotFound, "ConfigMapNotFound", "There is no ConfigMap default/grove."),
        (configmap(key="circuit.pi"), NotFound, "ConfigMapKeyNotFound", 'Did you mean "circuit.py"?'),
        (
            configmap(key="other"),
            NotFound,
            "ConfigMapKeyNotFound",
            'There is "circuit.py", "folder", "pipe", "way-out"',
        ),
        (configmap(key=".."), InvalidInput, "InvalidSource", "'..' is not a key"),
        (configmap(key="way-out"), NotFound, "ConfigMapKeyNotFound", ""),
        (configmap(key="pipe"), InvalidInput, "InvalidSource", "is not a file"),
        (configmap(key="folder"), InvalidInput, "InvalidSource", "is not a file"),
        (configmap(key="circuit.py"), InvalidInput, "TooLarge", "longer than 3 bytes"),
    ],
)
def test_what_was_wrong_is_told(
    get: Fetch, folder: Path, circuit: dict[str, Any], kind: type[QTasksError], reason: str, said: str
) -> None:
    home = folder / "default" / "grover"
    (home / "way-out").symlink_to("/etc/passwd")
    (home / "folder").mkdir()
    os.mkfifo(home / "pipe")
    limit = {"max_input_bytes": 3} if reason == "TooLarge" else {}
    with pytest.raises(kind) as error:
        get(circuit, configmaps_dir=folder, **limit)
    assert error.value.reason == reason
    assert said in str(error.value)


def answer_with(found: dict[str, Any], status: int = 200) -> Handler:
    def answer(asked: Asked) -> None:
        body = json.dumps(found).encode()
        if asked.headers.get("Authorization") != "Bearer of-this-worker":
            asked.reply(status=401)
        elif asked.path == "/api/v1/namespaces/default/configmaps/grover":
            asked.reply(body, status, {"Content-Type": "application/json"})
        else:
            asked.reply(json.dumps({"kind": "Status", "code": 404}).encode(), 404)

    return answer


FOUND = {
    "kind": "ConfigMap",
    "metadata": {"name": "grover", "namespace": "default"},
    "data": {"circuit.py": "qc = 'é'\n"},
    "binaryData": {"circuit.qpy": base64.b64encode(b"QISKIT\x00\xff").decode(), "broken": "%%%"},
}


def kubeconfig(
    server: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str = "of-this-worker"
) -> None:
    path = tmp_path / "kubeconfig"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "clusters": [
            {
                "name": "it",
                "cluster": {"server": server.url(""), "certificate-authority": str(tmp_path / "authority.pem")},
            }
        ],
        "users": [{"name": "it", "user": {"token": token}}],
    }
    path.write_text(yaml.safe_dump(config))
    monkeypatch.setenv("KUBECONFIG", str(path))


def test_a_cluster_is_asked_by_kubeconfig(
    serve: Serve, get: Fetch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(answer_with(FOUND))
    kubeconfig(server, tmp_path, monkeypatch)
    fetched = get(configmap())
    assert (fetched.data, fetched.origin) == ("qc = 'é'\n".encode(), "configmap:default/grover/circuit.py")
    assert get(configmap(key="circuit.qpy")).data == b"QISKIT\x00\xff"
    assert len(server.requests) == 2
    assert get(configmap(), configmaps_dir=_other(tmp_path)).data == b"of the folder"  # what is set goes first


def _other(tmp_path: Path) -> Path:
    (tmp_path / "other" / "default" / "grover").mkdir(parents=True)
    (tmp_path / "other" / "default" / "grover" / "circuit.py").write_text("of the folder")
    return tmp_path / "other"


@pytest.mark.parametrize(
    ("answer", "circuit", "kind", "reason", "said"),
    [
        (answer_with(FOUND), configmap("grove"), NotFound, "ConfigMapNotFound", "There is no ConfigMap default/grove."),
        (answer_with(FOUND), configmap(key="circuit.pi"), NotFound, "ConfigMapKeyNotFound", "Did you mean"),
        (answer_with(FOUND), configmap(key="broken"), InvalidInput, "InvalidSource", "is not base64"),
        (answer_with({}, 403), configmap(), Forbidden, "SourceForbidden", "may not read ConfigMap default/grover"),
        (answer_with({}, 500), configmap(), Unavailable, "SourceUnreachable", "it answers HTTP 500"),
        (answer_with({"kind": "Secret"}), configmap(), Unavailable, "SourceUnreachable", "something else"),
        (lambda asked: asked.reply(b"x" * 2**23), configmap(), Unavailable, "SourceUnreachable", "too long"),
        (lambda asked: asked.reply(b"[" * 2**20), configmap(), Unavailable, "SourceUnreachable", ""),
    ],
)
def test_what_the_cluster_refuses_is_told(
    serve: Serve,
    get: Fetch,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: Handler,
    circuit: dict[str, Any],
    kind: type[QTasksError],
    reason: str,
    said: str,
) -> None:
    kubeconfig(serve(answer), tmp_path, monkeypatch)
    with pytest.raises(kind) as error:
        get(circuit)
    assert error.value.reason == reason
    assert said in str(error.value)
    assert "of-this-worker" not in str(error.value)


def test_a_cluster_that_does_not_answer_may_come_back(
    authority: trustme.CA, get: Fetch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with WebServer(answer_with(FOUND), authority) as server:
        kubeconfig(server, tmp_path, monkeypatch)
    with pytest.raises(Unavailable) as error:
        get(configmap())
    assert error.value.reason == "SourceUnreachable"
    (tmp_path / "kubeconfig").write_text("{")
    with pytest.raises(Unavailable, match="configuration cannot be read"):
        get(configmap())
