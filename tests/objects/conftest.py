"""Servers of the tests' own for S3 (moto) and Google Cloud Storage (an emulator), over real HTTP, and a fresh store of
each kind."""

from __future__ import annotations

import os
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from qtasks.objects import ObjectStore, open_store
from tests.support.gcs_server import GcsServer

BUCKET = "qtasks-tests"
PAGE = 5  # keys that this server lists at once (S3 itself: 1000)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of an S3 server on loopback, with a bucket, and the environment in which boto3 finds it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # moto and what it imports use deprecated names
        from moto.server import ThreadedMotoServer

        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_ENDPOINT_URL_S3", address)
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        patch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", str(PAGE))
        patch.setenv("NO_PROXY", "127.0.0.1")
        import boto3

        boto3.session.Session().client("s3").create_bucket(Bucket=BUCKET)
        yield address
    server.stop()


@pytest.fixture(scope="session")
def gcs_server() -> Iterator[str]:
    """The address of a GCS emulator on loopback, with a bucket, and the environment in which it is found."""
    with GcsServer(BUCKET) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", server.url)
        patch.setenv("NO_PROXY", "127.0.0.1")
        yield server.url


@pytest.fixture(params=["local", *(pytest.param(kind, marks=pytest.mark.system) for kind in ("s3", "gcs"))])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store, one of each kind."""
    if request.param != "local":
        request.getfixturevalue(f"{request.param}_server")
        scheme = {"s3": "s3", "gcs": "gs"}[request.param]
        return f"{scheme}://{BUCKET}/{uuid.uuid4().hex}/deep"
    return (tmp_path / "objects" / "deep").as_uri()


@pytest.fixture
def store(url: str) -> ObjectStore:
    return open_store(url)
