"""How servers are asked that tenants name: where nobody may go nobody is sent, and nobody is waited for longer than is
said."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from qtasks.errors import Forbidden, InvalidInput, QTasksError, Unavailable
from qtasks.results.outputs import Answer, Question
from qtasks.settings import Settings
from qtasks.stages.asking import asker


def ask(url: str, *, seconds: float = 10.0, body: bytes = b"x", lookup: Any = None, **settings: Any) -> Answer:
    options = {} if lookup is None else {"lookup": lookup}
    own = settings.pop("own", False)
    found = asker(Settings(**settings), ends=time.monotonic() + seconds, own=own, **options)
    return found(Question("PUT", url, {"Authorization": "hunter2"}, body))


@contextmanager
def server(*parts: bytes, pause: float = 0.0, read: bool = True) -> Iterator[tuple[str, list[bytes]]]:
    """A server that says `parts`, with pauses between, to whoever asks; its address, and what it heard."""
    listener = socket.create_server(("127.0.0.1", 0))
    heard: list[bytes] = []
    over = threading.Event()

    def answer() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                if read:
                    heard.append(connection.recv(2**16))
                try:
                    for part in parts:
                        connection.sendall(part)
                        over.wait(pause)
                except OSError:
                    continue

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}", heard
    over.set()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(10)


HERE = {"source_hosts": "127.0.0.1,bucket.example", "source_http": True}
OK = b"HTTP/1.1 200 OK\r\nX-Amz-Bucket-Region: here\r\nContent-Length: 2\r\n\r\nhi"


def test_an_answer_is_its_status_headers_and_body() -> None:
    with server(OK) as (url, heard):
        assert ask(url, **HERE) == Answer(200, {"x-amz-bucket-region": "here", "content-length": "2"}, b"hi")
    assert heard[0].startswith(b"PUT / HTTP/1.1\r\n")
    assert f"Host: {url.removeprefix('http://')}".encode() in heard[0]


@pytest.mark.parametrize(
    ("url", "settings", "kind", "said"),
    [
        ("https://169.254.169.254/latest", {}, Forbidden, "lies inside of the network"),
        ("https://127.0.0.1/", {}, Forbidden, "QTASKS_SOURCE_HOSTS"),
        ("https://[::ffff:10.0.0.1]/", {}, Forbidden, "lies inside of the network"),
        ("http://8.8.8.8/", {}, Forbidden, "QTASKS_SOURCE_HTTP=true"),
        ("https://user:password@host/", {}, InvalidInput, "cannot be read as an address"),
        ("ftp://host/", HERE, InvalidInput, "https://host"),
        ("minio:9000", HERE, InvalidInput, "cannot be read as an address"),
    ],
)
def test_what_may_not_be_asked_is_not(url: str, settings: Any, kind: type[QTasksError], said: str) -> None:
    with pytest.raises(kind) as caught:
        ask(url, **settings)
    assert said in str(caught.value)
    assert "password" not in str(caught.value) and "hunter2" not in str(caught.value)


def test_a_name_is_looked_up_once_and_a_later_answer_changes_nothing() -> None:
    looked: list[str] = []
    with server(OK) as (url, heard):
        port = int(url.rpartition(":")[2])

        def lookup(host: str, _port: int, **_: Any) -> list[Any]:
            looked.append(host)
            address = "127.0.0.1" if len(looked) == 1 else "169.254.169.254"
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

        assert ask(f"http://bucket.example:{port}/", lookup=lookup, **HERE).status == 200
    assert looked == ["bucket.example"]
    assert f"Host: bucket.example:{port}".encode() in heard[0]
    with pytest.raises(Forbidden):
        ask(f"https://other.example:{port}/", lookup=lookup, **HERE)


def test_a_redirect_is_not_followed() -> None:
    with server(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n") as (url, heard):
        assert ask(url, **HERE).status == 302
    assert len(heard) == 1


@pytest.mark.parametrize(
    ("parts", "pause", "read"),
    [
        ([b"H", *[b"T"] * 50], 0.2, True),  # a byte now and then
        ([], 0.0, True),  # hangs up
        ([b"\x16\x03\x01garbage\r\n\r\n"], 0.0, True),
        ([b"", b""], 30.0, False),  # hears nothing and says nothing
    ],
    ids=["drips", "hangs up", "garbage", "stalls"],
)
def test_nobody_is_waited_for_longer_than_is_said(parts: list[bytes], pause: float, read: bool) -> None:
    with server(*parts, pause=pause, read=read) as (url, _):
        began = time.monotonic()
        with pytest.raises(Unavailable) as caught:
            ask(url, seconds=0.5, body=b"x" * 30_000_000, **HERE)
        assert time.monotonic() - began < 3
    assert caught.value.reason == "OutputUnavailable"
    assert "hunter2" not in str(caught.value)


def test_nobody_listening_is_told_at_once() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(Unavailable, match="does not answer"):
            ask(f"http://127.0.0.1:{unused.getsockname()[1]}", own=True)


def test_a_server_that_refuses_before_it_has_heard_all_is_heard() -> None:
    with server(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", pause=0.2) as (url, _):
        assert ask(url, body=b"x" * 20_000_000, **HERE).status == 403
