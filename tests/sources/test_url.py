"""Circuits from https addresses, against real servers: what is taken, what is refused, and what an attack costs."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import socket
import threading
import time
import zlib
from pathlib import Path
from typing import Any

import pytest

from qtasks.circuits.sources.messages import Request
from qtasks.circuits.sources.web import fetch_url
from qtasks.errors import Forbidden, InvalidInput, NotFound, QTasksError, Unavailable
from tests.sources.conftest import Fetch, Serve
from tests.sources.web_server import Asked, Handler

pytestmark = pytest.mark.system

BELL = b"from qiskit import QuantumCircuit\nqc = QuantumCircuit(2)\n"


def url(address: str, **more: Any) -> dict[str, Any]:
    return {"source": "url", "url": address, **more}


def bell(asked: Asked) -> None:
    asked.reply(BELL)


def to(location: str, status: int = 302) -> Handler:
    return lambda asked: asked.reply(status=status, headers={"Location": location})


def test_the_bytes_at_an_address_are_fetched_and_the_query_stays_out_of_the_origin(serve: Serve, get: Fetch) -> None:
    server = serve(bell)
    fetched = get(url(server.url("/a%20b/é.py?token=hunter2#part")))
    assert fetched.data == BELL
    assert fetched.origin == server.url("/a%20b/%C3%A9.py")
    assert fetched.commit is None
    [(path, headers)] = server.requests
    assert path == "/a%20b/%C3%A9.py?token=hunter2"
    assert headers["Host"] == f"localhost:{server.port}"
    assert not {"authorization", "cookie"} & {name.lower() for name in headers}


def test_the_checksum_that_was_asked_for_is_compared(serve: Serve, get: Fetch) -> None:
    server = serve(bell)
    right, wrong = hashlib.sha256(BELL).hexdigest(), "0" * 64
    assert get(url(server.url(), sha256=right.upper())).data == BELL
    with pytest.raises(InvalidInput) as error:
        get(url(server.url(), sha256=wrong))
    assert error.value.reason == "ChecksumMismatch"
    assert right in error.value.message and wrong in error.value.message


def test_loopback_is_refused_unless_the_setting_allows_the_host(serve: Serve, get: Fetch) -> None:
    server = serve(bell)
    for hosts in ("", "example.org", "localhost:1", "127.0.0.1"):
        with pytest.raises(Forbidden, match=r"localhost has a loopback address.*QTASKS_SOURCE_HOSTS"):
            get(url(server.url()), source_hosts=hosts)
    assert server.requests == []
    for hosts in ("localhost", f"localhost:{server.port}", "example.org, LocalHost"):
        assert get(url(server.url()), source_hosts=hosts).data == BELL
    assert get(url(server.url(host="127.0.0.1")), source_hosts="127.0.0.1").data == BELL


def test_redirects_are_followed_to_where_fetching_is_allowed(serve: Serve, get: Fetch) -> None:
    last = serve(bell)
    for status in (301, 302, 303, 307, 308):
        first = serve(to(last.url("/bell.py"), status))
        assert get(url(first.url("/old"))).data == BELL
    relative = serve(lambda asked: bell(asked) if asked.path == "/new" else to("new")(asked))
    assert get(url(relative.url("/old"))).origin == relative.url("/old")


@pytest.mark.parametrize(
    ("location", "kind", "reason"),
    [
        ("https://127.0.0.1:{port}/", Forbidden, "SourceForbidden"),
        ("https://[::1]:{port}/", Forbidden, "SourceForbidden"),
        ("https://[::ffff:127.0.0.1]:{port}/", Forbidden, "SourceForbidden"),
        ("https://169.254.169.254/latest/meta-data/", Forbidden, "SourceForbidden"),
        ("//10.0.0.1/", Forbidden, "SourceForbidden"),
        ("https://2130706433:{port}/", InvalidInput, "InvalidSource"),
        ("https://0177.0.0.1:{port}/", InvalidInput, "InvalidSource"),
        ("https://127.1:{port}/", InvalidInput, "InvalidSource"),
        ("https://user:hunter2@localhost:{port}/", InvalidInput, "InvalidSource"),
        ("file:///etc/passwd", InvalidInput, "InvalidSource"),
        ("ftp://localhost/x", InvalidInput, "InvalidSource"),
        ("http://localhost:{port}/", Forbidden, "SourceForbidden"),
    ],
)
def test_a_redirect_leads_nowhere_that_could_not_be_named_at_once(
    serve: Serve, get: Fetch, location: str, kind: type[QTasksError], reason: str
) -> None:
    last = serve(bell)
    with pytest.raises(kind) as error:
        get(url(serve(to(location.format(port=last.port))).url()), source_http=True)
    assert error.value.reason == reason
    assert "hunter2" not in str(error.value)
    assert last.requests == []


def test_a_redirect_loop_ends(serve: Serve, get: Fetch) -> None:
    server = serve(to("/again"))
    with pytest.raises(InvalidInput) as error:
        get(url(server.url()))
    assert error.value.reason == "TooManyRedirects"
    assert len(server.requests) == 6


def test_http_is_refused_unless_the_setting_allows_it(serve: Serve, get: Fetch) -> None:
    server = serve(bell, https=False)
    with pytest.raises(Forbidden, match="QTASKS_SOURCE_HTTP"):
        get(url(server.url()))
    assert server.requests == []
    assert get(url(server.url()), source_http=True).data == BELL
    with pytest.raises(Forbidden, match="loopback"):
        get(url(server.url()), source_http=True, source_hosts="")


def test_a_host_must_show_a_certificate_of_its_own(serve: Serve, get: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    other = serve(bell, names=("elsewhere.example",))
    with pytest.raises(InvalidInput, match="certificate of localhost is not trusted"):
        get(url(other.url()))
    unknown = serve(bell)
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(InvalidInput, match="certificate of localhost is not trusted") as error:
        get(url(unknown.url()))
    assert error.value.reason == "SourceNotTrusted"
    assert other.requests == unknown.requests == []


def looked_up(*addresses: str) -> Any:
    """A resolver that gives these addresses, and fails when it is asked a second time."""
    answers = iter([addresses])
    return lambda host, port, **_: [(socket.AF_INET, 1, 6, "", (address, port)) for address in next(answers)]


def request(address: str, **more: Any) -> Request:
    return Request("url", {"url": address, "sha256": ""}, address, **{"seconds": 10, "max_bytes": 1000, **more})


def test_the_connection_goes_to_the_address_that_was_checked(serve: Serve) -> None:
    server = serve(bell, names=("circuits.example",))
    asked = request(server.url(host="circuits.example"), hosts="circuits.example")
    assert fetch_url(asked, looked_up("127.0.0.1")).data == BELL  # the name means nothing to this machine
    [(_, headers)] = server.requests
    assert headers["Host"] == f"circuits.example:{server.port}"


def test_a_host_with_several_addresses_is_tried_at_each(serve: Serve) -> None:
    server = serve(bell, names=("circuits.example",))
    asked = request(server.url(host="circuits.example"), hosts="*.example")
    assert fetch_url(asked, looked_up("127.0.0.2", "127.0.0.1")).data == BELL


@pytest.mark.parametrize("addresses", [("127.0.0.1",), ("93.184.216.34", "10.1.2.3"), ("fe80::1%lo",), ("::1",)])
def test_a_public_name_with_an_address_inside_is_refused(serve: Serve, addresses: tuple[str, ...]) -> None:
    with pytest.raises(Forbidden) as error:
        fetch_url(request("https://circuits.example/x.py"), looked_up(*addresses))
    assert error.value.reason == "SourceForbidden"
    assert not any(address in str(error.value) for address in addresses)


def test_a_host_that_is_not_there_may_come(get: Fetch) -> None:
    with pytest.raises(Unavailable) as error:
        get(url("https://no-such-host.invalid/x.py?token=hunter2"))
    assert error.value.reason == "SourceUnreachable"
    assert "no-such-host.invalid" in error.value.message
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(Unavailable, match="the connection is refused"):
        get(url(f"https://localhost:{port}/x.py"))


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        (404, NotFound, "UrlNotFound"),
        (410, NotFound, "UrlNotFound"),
        (401, Forbidden, "SourceForbidden"),
        (403, Forbidden, "SourceForbidden"),
        (418, InvalidInput, "InvalidSource"),
        (206, InvalidInput, "InvalidSource"),
        (429, Unavailable, "SourceUnreachable"),
        (500, Unavailable, "SourceUnreachable"),
        (503, Unavailable, "SourceUnreachable"),
    ],
)
def test_an_answer_tells_what_may_heal_from_what_does_not(
    serve: Serve, get: Fetch, status: int, kind: type[QTasksError], reason: str
) -> None:
    with pytest.raises(kind) as error:
        get(url(serve(lambda asked: asked.reply(b"x", status)).url("/x.py?token=hunter2")))
    assert error.value.reason == reason
    assert str(status) in error.value.message
    assert "hunter2" not in str(error.value)


def test_a_web_page_is_not_taken_for_a_circuit(serve: Serve, get: Fetch) -> None:
    with pytest.raises(InvalidInput) as error:
        get(url(serve(lambda asked: asked.reply(b"\n<!DOCTYPE html><html>...")).url()))
    assert error.value.reason == "NotACircuit"


@pytest.mark.parametrize("length", [True, False])
def test_more_than_the_limit_is_refused(serve: Serve, get: Fetch, length: bool) -> None:
    def answer(asked: Asked) -> None:
        if length:
            asked.reply(b"x" * 1001)
        else:
            asked.send_response(200)
            asked.end_headers()
            asked.wfile.write(b"x" * 1001)

    server = serve(answer)
    with pytest.raises(InvalidInput) as error:
        get(url(server.url()), max_input_bytes=1000)
    assert error.value.reason == "TooLarge"
    assert len(get(url(server.url()), max_input_bytes=1001).data) == 1001


def endless_body(asked: Asked) -> None:
    asked.send_response(200)
    asked.end_headers()
    while True:
        asked.wfile.write(b"x" * 2**16)


def endless_chunk_sizes(asked: Asked) -> None:
    asked.send_response(200)
    asked.send_header("Transfer-Encoding", "chunked")
    asked.end_headers()
    while True:
        asked.wfile.write(b"0" * 2**16)


def endless_header(asked: Asked) -> None:
    asked.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        asked.wfile.write(b"x" * 2**16)


def endless_headers(asked: Asked) -> None:
    asked.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in itertools.count():
        asked.wfile.write(f"X-{number}: {'y' * 1000}\r\n".encode())


def cut_short(asked: Asked) -> None:
    asked.reply(BELL, headers={"Content-Length": str(len(BELL) + 1)})


def garbage(asked: Asked) -> None:
    asked.wfile.write(bytes(range(256)) * 100)


def gzip_bomb(asked: Asked) -> None:
    """4 GiB of zeros in 4 MiB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = packer.compress(b"\0" * 2**26) + packer.flush(zlib.Z_FULL_FLUSH)
    asked.send_response(200)
    asked.send_header("Content-Encoding", "gzip")
    asked.end_headers()
    middle = packer.compress(b"\0" * 2**26) + packer.flush(zlib.Z_FULL_FLUSH)
    asked.wfile.write(packed)
    for _ in range(63):
        asked.wfile.write(middle)


def cut_gzip(asked: Asked) -> None:
    asked.reply(gzip.compress(BELL)[:-9], headers={"Content-Encoding": "gzip"})


def not_gzip(asked: Asked) -> None:
    asked.reply(BELL, headers={"Content-Encoding": "gzip"})


def brotli(asked: Asked) -> None:
    asked.reply(BELL, headers={"Content-Encoding": "br"})


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (endless_body, "TooLarge"),
        (endless_chunk_sizes, "SourceUnreachable"),
        (endless_header, "SourceUnreachable"),
        (endless_headers, "SourceUnreachable"),
        (cut_short, "SourceUnreachable"),
        (garbage, "SourceUnreachable"),
        (gzip_bomb, "TooLarge"),
        (cut_gzip, "SourceUnreachable"),
        (not_gzip, "InvalidSource"),
        (brotli, "InvalidSource"),
    ],
)
def test_a_hostile_answer_gives_an_error(serve: Serve, get: Fetch, answer: Handler, reason: str) -> None:
    with pytest.raises(QTasksError) as error:
        get(url(serve(answer).url()))
    assert error.value.reason == reason
    assert "does not fit into memory" not in error.value.message


def test_what_is_sent_packed_is_unpacked(serve: Serve, get: Fetch) -> None:
    server = serve(lambda asked: asked.reply(gzip.compress(BELL), headers={"Content-Encoding": "gzip"}))
    assert get(url(server.url())).data == BELL


def test_a_server_that_drips_or_says_nothing_costs_no_more_than_the_time(
    serve: Serve, get: Fetch, own_world: Path
) -> None:
    end = threading.Event()

    def drip(asked: Asked) -> None:
        asked.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n")
        while not end.wait(0.05):
            asked.wfile.write(b"X" if asked.path == "/header" else b"A: b\r\n" if asked.path == "/headers" else b"")

    server = serve(drip)
    try:
        for path in ("/header", "/headers", "/nothing"):
            began = time.monotonic()
            with pytest.raises(Unavailable) as error:
                get(url(server.url(path)), seconds=1.5)
            assert error.value.reason in ("SourceTimeout", "SourceUnreachable")
            assert time.monotonic() - began < 10
    finally:
        end.set()
    assert list(own_world.iterdir()) == []
