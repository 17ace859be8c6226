"""Git servers that mean harm: each costs a bounded time, memory and disk, and gives an error."""

from __future__ import annotations

import hashlib
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from qtasks.errors import InvalidInput, QTasksError, Unavailable
from tests.sources.conftest import Fetch, Serve
from tests.sources.processes import processes_of
from tests.sources.repositories import MadeRepository, backend
from tests.sources.web_server import Asked, Handler, WebServer

pytestmark = pytest.mark.system

COMMIT = "1" * 40


def pkt(line: bytes) -> bytes:
    return b"%04x" % (len(line) + 4) + line


def speaking(refs: Iterator[bytes], pack: Iterator[bytes]) -> Handler:
    """A server of protocol version 2, whose list of branches and whose pack are as a test wants them."""

    def answer(asked: Asked) -> None:
        body = asked.body()
        advertised = b"command=" not in body
        kind = "advertisement" if advertised else "result"
        asked.send_response(200)
        asked.send_header("Content-Type", f"application/x-git-upload-pack-{kind}")
        asked.send_header("Transfer-Encoding", "chunked")
        asked.end_headers()
        for part in advertisement() if advertised else refs if b"ls-refs" in body else pack:
            asked.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        asked.wfile.write(b"0\r\n\r\n")

    return answer


def advertisement() -> Iterator[bytes]:
    yield pkt(b"# service=git-upload-pack\n") + b"0000"
    lines = (b"version 2\n", b"ls-refs\n", b"fetch=shallow filter\n", b"object-format=sha1\n")
    yield b"".join(map(pkt, lines)) + b"0000"


def head() -> Iterator[bytes]:
    yield pkt(COMMIT.encode() + b" HEAD symref-target:refs/heads/main\n") + b"0000"


def endless_refs() -> Iterator[bytes]:
    number = 0
    while True:
        number += 1
        yield pkt(COMMIT.encode() + b" refs/heads/%d%s\n" % (number, b"x" * 200)) * 100


def endless_pack() -> Iterator[bytes]:
    """One blob of 2⁴⁰ bytes, uncompressed, for as long as somebody reads it."""
    yield pkt(b"packfile\n")
    size, header = 2**40, []
    first, size = 0x30 | (size & 15), size >> 4
    while size:
        header.append(first | 0x80)
        first, size = size & 0x7F, size >> 7
    header.append(first)
    block = b"\x00" + struct.pack("<HH", 0x7FFF, 0x8000) + bytes(0x7FFF)
    yield pkt(b"\x01PACK" + struct.pack(">II", 2, 1) + bytes(header) + b"\x78\x01")
    while True:
        yield pkt(b"\x01" + block)


def pack_of_a_commit_without_tree() -> Iterator[bytes]:
    yield pkt(b"packfile\n")
    content = b"tree " + b"2" * 40 + b"\nauthor A <a> 0 +0000\ncommitter A <a> 0 +0000\n\nx\n"
    data = b"PACK" + struct.pack(">II", 2, 1) + bytes([0x90 | len(content) & 15, len(content) >> 4])
    data += zlib.compress(content)
    yield pkt(b"\x01" + data + hashlib.sha1(data).digest()) + b"0000"


def garbage_pack() -> Iterator[bytes]:
    yield pkt(b"packfile\n") + pkt(b"\x01" + bytes(range(256))) + b"0000"


def endless_progress() -> Iterator[bytes]:
    yield pkt(b"packfile\n")
    while True:
        yield pkt(b"\x02" + b"\x1b[31mremote\n" * 1000)


def git(server: WebServer, **more: str) -> dict[str, object]:
    return {"source": "git", "gitRef": {"repository": server.url("/a.git"), "path": "a.py", **more}}


@pytest.mark.parametrize(
    ("refs", "pack", "reasons", "said"),
    [
        (head, endless_pack, {"TooLarge"}, "sends more than is taken"),
        (head, garbage_pack, {"SourceUnreachable"}, "pack"),
        (head, pack_of_a_commit_without_tree, {"SourceUnreachable"}, ""),
        (head, endless_progress, {"TooLarge"}, ""),
        (endless_refs, head, {"TooLarge", "SourceTimeout"}, ""),
    ],
)
def test_a_hostile_server_gives_an_error(
    serve: Serve, get: Fetch, own_world: Path, refs: object, pack: object, reasons: set[str], said: str
) -> None:
    server = serve(speaking(refs(), pack()))  # type: ignore[operator]
    with pytest.raises(QTasksError) as error:
        get(git(server), seconds=30)
    assert error.value.reason in reasons
    assert said in error.value.message
    assert error.value.message.isprintable()
    assert list(own_world.iterdir()) == []


def test_a_file_that_unpacks_to_too_much_is_never_read(serve: Serve, get: Fetch, tmp_path: Path) -> None:
    made = MadeRepository(tmp_path, "a")
    made.commit({"a.py": bytes(2**26)})  # 64 KiB when it is packed
    with pytest.raises(InvalidInput) as error:
        get(git(serve(backend(tmp_path))))
    assert error.value.reason == "TooLarge"
    assert "67,108,864" in error.value.message


def test_a_server_that_says_nothing_costs_no_more_than_the_time(serve: Serve, get: Fetch, own_world: Path) -> None:
    end = threading.Event()
    server = serve(lambda asked: end.wait(60) and None)
    began = time.monotonic()
    try:
        with pytest.raises(Unavailable) as error:
            get(git(server), seconds=1.5)
    finally:
        end.set()
    assert error.value.reason == "SourceTimeout"
    assert time.monotonic() - began < 15
    assert processes_of(own_world) == []
    assert list(own_world.iterdir()) == []
