"""Attacks through sockets: there is none of any kind, and the one descriptor that is a socket can only be read and
written."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.sandbox.attempts import not_refused, outcomes, outside
from tests.sandbox.users import POD, USERS, Attacked

everywhere = pytest.mark.parametrize("attacked", [*USERS, POD], indirect=True)


@pytest.fixture
def listening(attacked: Attacked) -> Iterator[dict[str, socket.socket]]:
    """Sockets that an attack could reach: TCP, UDP, a Unix path that the sandbox's user may write to, an abstract."""
    path = attacked.folder / "other"
    with ExitStack() as stack:
        made = {}
        for name, family, kind, address in (
            ("tcp", socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)),
            ("udp", socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)),
            ("unix", socket.AF_UNIX, socket.SOCK_STREAM, str(path)),
            ("abstract", socket.AF_UNIX, socket.SOCK_STREAM, f"\0{path}"),
        ):
            sock = stack.enter_context(socket.socket(family, kind))
            sock.bind(address)
            sock.setblocking(False)
            if kind == socket.SOCK_STREAM:
                sock.listen()
            made[name] = sock
        path.chmod(0o777)
        yield made
        path.unlink()


def reaching(attacked: Attacked, listening: dict[str, socket.socket]) -> dict[str, str]:
    tcp, udp = (listening[name].getsockname()[1] for name in ("tcp", "udp"))
    other = str(attacked.folder / "other")
    return {
        "tcp": f"socket.create_connection(('127.0.0.1', {tcp}))",
        "udp": f"socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {udp}))",
        "c-socket": "call('socket', 2, 1, 0)",
        "listen": "socket.create_server(('127.0.0.1', 0))",
        "unix": f"socket.socket(socket.AF_UNIX).connect({other!r})",
        "abstract": f"socket.socket(socket.AF_UNIX).connect(chr(0) + {other!r})",
        "unix-bind": f"socket.socket(socket.AF_UNIX).bind({other + '-mine'!r})",
        "pair": "socket.socketpair()",
        "datagrams": "socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)",
        "pipe": "os.pipe()",
        "netlink": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)",
        "event": "os.eventfd(0)",
        "poll-set": "__import__('select').epoll()",
        "pseudo-terminal": "os.openpty()",
    }


def special(attacked: Attacked) -> dict[str, str]:
    return {
        "own-socket": "socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)"
        f".connect({str(attacked.folder / 'socket')!r})",
        "ipv6": "socket.socket(socket.AF_INET6)",
        "raw": "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
        "packet": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
        "vsock": "socket.socket(40, socket.SOCK_STREAM)",
        "crypto": "socket.socket(38, 5)",
        "bluetooth": "socket.socket(31, socket.SOCK_RAW, 1)",
        "by-any-number": "[call('socket', family, 1, 0) for family in range(50)]",
        "resolve": "resolve('metadata.google.internal')",
        "url": "opened('http://169.254.169.254/')",
        "who-is-there": "socket_of(3).getsockopt(socket.SOL_SOCKET, 17, 12)",
        "peer": "socket_of(3).getpeername()",
        "send-descriptor": "socket.send_fds(socket_of(3), [b'x'], [0])",
        "receive-descriptor": "call('recvmsg', 3, (ctypes.c_char * 56)(), 0)",
        "send": "call('send', 3, b'', 0, 0)",
        "receive": "call('recv', 3, (ctypes.c_char * 8)(), 8, 0)",
        "shutdown": "call('shutdown', 3, 2)",
        "buffer-size": "call('setsockopt', 3, 1, 7, b'xxxx', 4)",
        "accept": "call('accept', 3, None, None)",
        "splice": "call('splice', 0, None, 3, None, ctypes.c_size_t(1), 0)",
        "sendfile": "os.sendfile(3, os.open(os.__file__, 0), 0, 1)",
    }


SETUP = """
def socket_of(descriptor):
    return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=descriptor)
def resolve(name):
    try:
        return socket.gethostbyname(name)
    except socket.gaierror:
        return socket.socket()
def opened(url):
    import urllib.error, urllib.request
    try:
        return urllib.request.urlopen(url, timeout=1)
    except urllib.error.URLError as error:
        raise error.reason
"""


def test_nobody_can_be_reached(attacked: Attacked, listening: dict[str, socket.socket]) -> None:
    assert not_refused(outcomes(attacked, reaching(attacked, listening))) == {}
    for name in ("tcp", "unix", "abstract"):
        with pytest.raises(BlockingIOError):
            listening[name].accept()
    with pytest.raises(BlockingIOError):
        listening["udp"].recv(1)


@everywhere
@pytest.mark.system
def test_no_socket_of_any_kind_can_be_made_and_the_pipe_is_none(attacked: Attacked) -> None:
    assert not_refused(outcomes(attacked, special(attacked), SETUP)) == {}


@pytest.mark.system
def test_outside_the_sandbox_they_can_be_reached(attacked: Attacked, listening: dict[str, socket.socket]) -> None:
    found = outside(reaching(attacked, listening))
    assert {name: came for name, came in found.items() if not came.startswith("got")} == {}
    listening["tcp"].accept()[0].close()
    (attacked.folder / "other-mine").unlink()
