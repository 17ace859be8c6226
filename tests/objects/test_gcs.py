"""What only Google Cloud Storage does: what its servers answer, said in this library's words, without a secret."""

from __future__ import annotations

import gc
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from qtasks.errors import Forbidden, NotFound, QTasksError, Unavailable
from qtasks.objects import ObjectStore, gcs, open_store
from tests.support.gcs_server import GcsServer

SECRET = "hunter2-hunter2"
BUCKET = "qtasks-refusing"

# Google's library leaves the connection of an answer that it does not like to the garbage collector.
pytestmark = [pytest.mark.system, pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[GcsServer]:
    monkeypatch.setattr(gcs, "_RETRY_SECONDS", 0.2)
    with GcsServer(BUCKET) as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        yield server
    gc.collect()


def all_operations(store: ObjectStore) -> Iterator[QTasksError]:
    for operation in (
        lambda: store.put("a", b"x"),
        lambda: store.get("a"),
        lambda: store.delete("a"),
        lambda: store.exists("a"),
        lambda: list(store.list()),
        store.check,
    ):
        with pytest.raises(QTasksError) as caught:
            operation()
        yield caught.value


def test_no_access_is_forbidden(server: GcsServer) -> None:
    server.public_key, server.token = b"nobody's", SECRET
    for error in all_operations(open_store(f"gs://{BUCKET}/prefix")):
        assert isinstance(error, Forbidden)
        assert (error.reason, SECRET in str(error)) == ("ObjectStoreForbidden", False)


def test_a_server_in_trouble_is_unavailable(server: GcsServer) -> None:
    server.broken = True
    for error in all_operations(open_store(f"gs://{BUCKET}/prefix")):
        assert isinstance(error, Unavailable)
        assert error.reason == "ObjectStoreUnavailable"


def test_no_bucket_is_not_taken_for_no_object(server: GcsServer) -> None:
    store = open_store("gs://no-such-bucket/prefix")
    for operation in (lambda: store.put("a", b"x"), store.check):
        with pytest.raises(NotFound) as caught:
            operation()
        assert caught.value.reason == "BucketNotFound"
        assert "no-such-bucket" in caught.value.message


def test_nobody_listening_is_unavailable_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gcs, "_RETRY_SECONDS", 0.2)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{unused.getsockname()[1]}")
        began = time.monotonic()
        with pytest.raises(Unavailable):
            open_store(f"gs://{BUCKET}").get("a")
    assert time.monotonic() - began < 10


def test_credentials_that_cannot_be_read_are_forbidden_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "key.json"
    path.write_text(json.dumps({"type": "service_account", "private_key": SECRET}))
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    with pytest.raises(Forbidden) as caught:
        open_store(f"gs://{BUCKET}").put("a", b"x")
    assert caught.value.reason == "ObjectStoreForbidden"
    assert "GOOGLE_APPLICATION_CREDENTIALS" in caught.value.hint
    assert SECRET not in str(caught.value)
