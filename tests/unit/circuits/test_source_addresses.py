"""Which addresses lie inside the network, in every form that they are written in, and which hosts are allowed there."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from typing import Any

import pytest

from qtasks.circuits.sources.addresses import AllowedHosts, inside
from qtasks.circuits.sources.hosts import normal, route
from qtasks.circuits.sources.web_address import WebAddress
from qtasks.errors import Forbidden, InvalidInput, QTasksError, Unavailable

NONE = AllowedHosts.parse("")

INSIDE = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1.1.1.1",
    "100::1",
    "2001::1",
    "2001:0:5ef5:79fd::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:101:101::1",
    "3fff::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700::1%eth0",
    "fec0::1",
    "ff02::1",
]
PUBLIC = ["1.1.1.1", "93.184.216.34", "172.32.0.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1"]


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_inside_is_known_as_one(address: str) -> None:
    assert inside(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_known_as_one(address: str) -> None:
    assert inside(ip_address(address)) is None


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Example.ORG", "example.org"),
        ("example.org.", "example.org"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("under_score.example", "under_score.example"),
        ("1.2.3.4", "1.2.3.4"),
        ("1.2.3.4.", "1.2.3.4"),
        ("2606:4700:0:0::1111", "2606:4700::1111"),
        ("::FFFF:127.0.0.1", str(ip_address("::ffff:127.0.0.1"))),
    ],
)
def test_a_host_has_one_normal_form(written: str, read: str) -> None:
    assert normal(written) == normal(read) == read


@pytest.mark.parametrize(
    "host",
    [
        *("127.1", "2130706433", "0x7f000001", "0x7f.1", "0x", "0177.0.0.1", "127.0.0.01", "1.2.3.256", "1.2.3.4.5"),
        *(
            "",
            ".",
            "a..b",
            "-a.example",
            "a.-b",
            "a b",
            "a\tb",
            "a/b",
            "a%2eb",
            "bücher.example",
            "１２７.0.0.1",
            "a,b",
        ),
        *("a" * 64, "a." * 130 + "a", "::g", "fe80::1%", "1:2", "[::1]", "*"),
    ],
)
def test_a_host_that_programs_read_differently_is_refused(host: str) -> None:
    with pytest.raises(InvalidInput) as error:
        normal(host)
    assert error.value.reason == "InvalidSource"


@pytest.mark.parametrize(
    ("entries", "host", "port", "covered"),
    [
        ("git.corp.example", "git.corp.example", 443, True),
        ("git.corp.example", "git.corp.example", 8443, True),
        ("git.corp.example:8443", "git.corp.example", 443, False),
        ("git.corp.example:8443", "git.corp.example", 8443, True),
        ("*.corp.example", "git.corp.example", 22, True),
        ("*.corp.example", "a.b.corp.example", 22, True),
        ("*.corp.example", "corp.example", 22, False),
        ("*.corp.example", "evilcorp.example", 22, False),
        ("*.corp.example:22", "git.corp.example", 443, False),
        ("corp.example", "git.corp.example", 443, False),
        (" a.example , Git.Corp.Example. ", "git.corp.example", 443, True),
        ("[::1]", "::1", 443, True),
        ("[0:0::1]:8443", "::1", 8443, True),
        ("[::1]:8443", "::1", 443, False),
        ("10.0.0.5", "10.0.0.5", 443, True),
        ("10.0.0.5", "10.0.0.50", 443, False),
        ("", "localhost", 443, False),
    ],
)
def test_an_entry_allows_its_host_and_no_other(entries: str, host: str, port: int, covered: bool) -> None:
    assert AllowedHosts.parse(entries).cover(host, port) is covered


def answering(*addresses: str) -> Any:
    return lambda host, port, **_: [(0, 0, 0, "", (address, port)) for address in addresses]


def failing(number: int) -> Any:
    def lookup(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(number, "failed")

    return lookup


def test_a_route_has_every_address_of_the_host() -> None:
    found = route("a.example", 443, NONE, answering("1.1.1.1", "2606:4700::1111", "1.1.1.1"))
    assert found.addresses == ("1.1.1.1", "2606:4700::1111")
    assert not found.is_address
    assert route("1.1.1.1", 443, NONE, failing(0)).is_address  # nothing is looked up


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.0.0.1", "::ffff:7f00:1"])
def test_one_address_inside_is_enough_to_refuse_a_host(address: str) -> None:
    for lookup in (answering(address), answering("1.1.1.1", address)):
        with pytest.raises(Forbidden, match=r"a\.example has a") as error:
            route("a.example", 443, NONE, lookup)
        assert address not in str(error.value)
        assert address in route("a.example", 443, AllowedHosts.parse("a.example"), lookup).addresses


@pytest.mark.parametrize(
    ("lookup", "kind", "said"),
    [
        (failing(socket.EAI_NONAME), Unavailable, "There is no such host: a.example."),
        (failing(socket.EAI_AGAIN), Unavailable, "a.example cannot be looked up at present"),
        (answering(), Unavailable, "a.example has no address"),
    ],
)
def test_a_host_without_an_address_may_get_one(lookup: Any, kind: type[QTasksError], said: str) -> None:
    with pytest.raises(kind) as error:
        route("a.example", 443, NONE, lookup)
    assert error.value.reason == "SourceUnreachable"
    assert said in error.value.message


@pytest.mark.parametrize(
    ("written", "asked", "authority", "shown"),
    [
        ("https://A.example", "/", "a.example", "https://a.example/"),
        ("https://a.example:443/x y".replace(" ", "%20"), "/x%20y", "a.example", "https://a.example/x%20y"),
        ("https://a.example:8443/x?t=1&u=%2F#f", "/x?t=1&u=%2F", "a.example:8443", "https://a.example:8443/x"),
        ("https://[2606:4700::1111]/x", "/x", "[2606:4700::1111]", "https://[2606:4700::1111]/x"),
        ("https://a.example/é", "/%C3%A9", "a.example", "https://a.example/%C3%A9"),
        ("https://a.example/@x", "/@x", "a.example", "https://a.example/@x"),
    ],
)
def test_an_address_is_taken_apart(written: str, asked: str, authority: str, shown: str) -> None:
    address = WebAddress.parse(written)
    assert (address.target, address.authority, address.shown) == (asked, authority, shown)


@pytest.mark.parametrize(
    "address",
    [
        *("", "x", "/x", "a.example/x", "ftp://a.example/", "file:///etc/passwd", "gopher://a.example/", "https:///x"),
        *("https://", "https://u@a.example/", "https://u:hunter2@a.example/", "https://a.example:0/"),
        *("https://a.example:65536/", "https://a.example:x/", "https://[::1/", "https://a.example/\r\nX: y"),
        *("https://a.example/ x", "https://a.example\\@127.0.0.1/", "https://a.example/\0", "https://%31.example/"),
        "https://a.example/" + "x" * 9000,
    ],
)
def test_what_is_no_plain_address_is_refused_and_no_password_repeated(address: str) -> None:
    with pytest.raises(InvalidInput) as error:
        WebAddress.parse(address)
    assert error.value.reason == "InvalidSource"
    assert "hunter2" not in str(error.value)
