"""What only S3 does: what its servers answer, said in this library's words, without a secret."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from qtasks.errors import Forbidden, InvalidInput, NotFound, QTasksError, Unavailable
from qtasks.objects import ObjectStore, open_store

SECRET = "hunter2-hunter2"
CODES = {code.lower(): code for code in ("AccessDenied", "SignatureDoesNotMatch", "SlowDown")}

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("s3_server")]


class RefusingServer(BaseHTTPRequestHandler):
    """Refuses every request as S3 does; the bucket's name says how: `status-403-accessdenied`."""

    protocol_version = "HTTP/1.1"  # which answers Expect: 100-continue

    def answer(self) -> None:
        _, status, code = self.path.split("/")[1].split("?")[0].split("-")
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        text = f"<Error><Code>{CODES[code]}</Code><Message>{SECRET}</Message></Error>"
        body = b"" if self.command == "HEAD" else text.encode()
        self.send_response(int(status))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_HEAD = do_DELETE = answer

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@pytest.fixture
def refusing_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), RefusingServer)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    yield
    server.shutdown()
    thread.join()
    server.server_close()


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


@pytest.mark.usefixtures("refusing_server")
@pytest.mark.parametrize("bucket", ["status-403-accessdenied", "status-403-signaturedoesnotmatch"])
def test_no_access_is_forbidden(bucket: str) -> None:
    for error in all_operations(open_store(f"s3://{bucket}/prefix")):
        assert isinstance(error, Forbidden)
        assert error.reason == "ObjectStoreForbidden"
        assert SECRET not in f"{error} {error.details} {error.__cause__}"


@pytest.mark.usefixtures("refusing_server")
def test_a_server_in_trouble_is_unavailable() -> None:
    store = open_store("s3://status-503-slowdown/prefix")
    with pytest.raises(Unavailable) as caught:
        store.put("a", b"x")
    assert caught.value.reason == "ObjectStoreUnavailable"
    assert "SlowDown" in caught.value.message
    assert SECRET not in str(caught.value)


def test_no_bucket_is_not_taken_for_no_object() -> None:
    store = open_store("s3://no-such-bucket/prefix")
    for operation in (lambda: store.get("a"), lambda: store.put("a", b"x"), lambda: list(store.list()), store.check):
        with pytest.raises(NotFound) as caught:
            operation()
        assert caught.value.reason == "BucketNotFound"
        assert "no-such-bucket" in caught.value.message


def test_no_credentials_is_forbidden_and_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    for error in all_operations(open_store("s3://bucket/prefix")):
        assert isinstance(error, Forbidden)
        assert "AWS_ACCESS_KEY_ID" in error.hint


def test_nobody_listening_is_unavailable_soon_and_names_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://user:{SECRET}@127.0.0.1:{port}")
        began = time.monotonic()
        with pytest.raises(Unavailable) as caught:
            open_store("s3://bucket/prefix").get("a")
    assert time.monotonic() - began < 15
    assert f"127.0.0.1:{port}" in caught.value.message
    assert SECRET not in f"{caught.value} {caught.value.__cause__}"


def test_an_endpoint_that_is_no_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "not an address")
    with pytest.raises(InvalidInput) as caught:
        open_store("s3://bucket/prefix").get("a")
    assert "AWS_ENDPOINT_URL_S3" in str(caught.value)
