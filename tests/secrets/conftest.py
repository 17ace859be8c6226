"""Both places of secrets, each with what a test does to it, and no cluster but the test's own."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from qtasks.settings import Settings
from tests.support.kubernetes_server import KubernetesServer

HIDDEN = "hunter2-and-more"


class Place(Protocol):
    settings: Settings

    def put(self, name: str, **values: bytes) -> None:
        """Make the secret `name` of namespace default; a key's underscore stands for a dot."""

    def forbid(self) -> None:
        """Let nobody read it."""


@pytest.fixture(autouse=True)
def nobodys_cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "QTASKS_SECRETS_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


class InFolder:
    def __init__(self, folder: Path) -> None:
        self.settings = Settings(home=folder)
        self._folder = folder / "secrets" / "default"

    def put(self, name: str, **values: bytes) -> None:
        (self._folder / name).mkdir(parents=True)
        for key, value in values.items():
            (self._folder / name / key.replace("_", ".")).write_bytes(value)

    def forbid(self) -> None:
        """What nobody may read, root included: a link to itself."""
        for secret in self._folder.iterdir():
            secret.rename(secret.with_name(f"not-{secret.name}"))
            secret.symlink_to(secret.name)


class InCluster:
    def __init__(self, folder: Path, server: KubernetesServer) -> None:
        self.settings = Settings(home=folder)
        self.server = server

    def put(self, name: str, **values: bytes) -> None:
        data = {key.replace("_", "."): base64.b64encode(value).decode() for key, value in values.items()}
        found = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "default"}}
        self.server.secrets["default", name] = {**found, **({"data": data} if data else {})}

    def forbid(self) -> None:
        self.server.forbidden = True


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KubernetesServer]:
    """A cluster, and a kubeconfig for it that is named."""
    with KubernetesServer("default", "other") as server:
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig(tmp_path / "kubeconfig")))
        yield server


@pytest.fixture
def cluster(tmp_path: Path, server: KubernetesServer) -> InCluster:
    return InCluster(tmp_path, server)


@pytest.fixture(params=["folder", "cluster"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "folder":
        return InFolder(tmp_path)
    found: InCluster = request.getfixturevalue("cluster")
    return found
