"""A desk with a database, and a place of each kind; their servers are started once."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from qtasks.stages import delivery
from qtasks.stages.ailing import Ailing
from qtasks.store import Store, schema
from tests.outputs.desk import Desk, settings_in
from tests.outputs.places import Cluster, ConfigMapFolder, GcsBucket, Place, S3Bucket, Volume
from tests.support.gcs_server import GcsServer
from tests.support.kubernetes_server import KubernetesServer
from tests.support.relay import Relay
from tests.support.s3_server import S3Server

BUCKET = "results-of-tenants"
TOKEN = "token-of-the-tenant"


@pytest.fixture(autouse=True)
def nobodys_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No cluster, no cloud and no home but the test's own; no place is ailing."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "GOOGLE_", "KUBE", "QTASKS_", "STORAGE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(delivery, "_ailing", Ailing(clock=_Clock()))


class _Clock:
    """An hour goes by between any two looks."""

    now = 0.0

    def __call__(self) -> float:
        self.now += 3600
        return self.now


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("outputs") / "qtasks.db"
    store = Store(f"sqlite:///{path}", pool_size=1)
    schema.upgrade(store)
    store.close()
    return path


@pytest.fixture
def desk(tmp_path: Path, database: Path) -> Iterator[Desk]:
    settings = settings_in(tmp_path)
    settings.home_path.mkdir()
    shutil.copy(database, settings.home_path / "qtasks.db")
    desk = Desk.open(settings)
    yield desk
    desk.worker.close()


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    server = S3Server(tmp_path_factory.mktemp("s3"), BUCKET).create()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def gcs_keys() -> tuple[str, str, bytes]:
    """The private key of a service account, another one, and the first one's public key."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    keys = [rsa.generate_private_key(65537, 2048) for _ in range(2)]
    own, other = (
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        for key in keys
    )
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return own, other, keys[0].public_key().public_bytes(serialization.Encoding.PEM, form)


@pytest.fixture(scope="session")
def gcs_server(gcs_keys: tuple[str, str, bytes]) -> Iterator[GcsServer]:
    with GcsServer(BUCKET, public_key=gcs_keys[2], token=TOKEN) as server:
        yield server


@pytest.fixture
def cluster_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KubernetesServer]:
    with KubernetesServer("default") as server:
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig(tmp_path / "kubeconfig")))
        yield server


@pytest.fixture(params=["configmap", "cluster", "pvc", "s3", "gcs"])
def place(request: pytest.FixtureRequest, desk: Desk) -> Iterator[Place]:
    """Each kind of place, empty."""
    prefix = uuid.uuid4().hex
    match request.param:
        case "configmap":
            yield ConfigMapFolder(desk)
        case "pvc":
            yield Volume(desk)
        case "cluster":
            yield Cluster(request.getfixturevalue("cluster_server"))
        case "s3":
            server: S3Server = request.getfixturevalue("s3_server")
            with Relay(server.port) as relay:
                yield S3Bucket(desk, server, relay, prefix)
        case _:
            own, other, _ = request.getfixturevalue("gcs_keys")
            yield GcsBucket(desk, request.getfixturevalue("gcs_server"), BUCKET, (own, other), prefix)
