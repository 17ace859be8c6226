"""From a host as a user writes it to the addresses that a connection may go to."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_address
from typing import Any

from qtasks.circuits.sources.addresses import Address, AllowedHosts, inside
from qtasks.errors import Forbidden, InvalidInput, Unavailable

Lookup = Callable[..., Iterable[Any]]
"""`socket.getaddrinfo`, or what a test puts in its place."""

_NAME = re.compile(r"(?=.{1,253}$)(?!-)[a-z0-9_-]{1,63}(\.(?!-)[a-z0-9_-]{1,63})*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
MAX_ADDRESSES = 8


@dataclass(frozen=True, slots=True)
class Route:
    """A host and its port, and the addresses that were checked: connections go to one of these, and the name is not
    looked up again."""

    host: str
    port: int
    addresses: tuple[str, ...]

    @property
    def bracketed(self) -> str:
        """The host as it stands in a URL."""
        return bracketed(self.host)

    @property
    def is_address(self) -> bool:
        """Whether the host was written as an address."""
        return self.addresses == (self.host,)


def bracketed(host: str) -> str:
    """A host or address as it stands in a URL."""
    return f"[{host}]" if ":" in host else host


def authority(host: str, port: int, *, usual: int) -> str:
    """Host and, unless it is its scheme's `usual` one, port, as they stand in a URL."""
    return bracketed(host) + ("" if port == usual else f":{port}")


def normal(host: str) -> str:
    """A host, without brackets, as it is compared and connected to: lower case, no dot at its end.

    Raises InvalidInput (`InvalidSource`) for what programs read differently: numbers that are no dotted quad, letters
    beyond ASCII, escapes.
    """
    host = host.lower()
    if ":" in host:
        try:
            return str(IPv6Address(host))
        except AddressValueError:
            raise _invalid(host, "is not an IPv6 address") from None
    host = host.removesuffix(".")
    if not _NAME.fullmatch(host):
        what = "has letters beyond ASCII: write it in its xn-- form" if not host.isascii() else "is not a host's name"
        raise _invalid(host, what)
    if _NUMBER.fullmatch(host.rpartition(".")[2]):
        try:
            return str(IPv4Address(host))
        except AddressValueError:
            raise _invalid(host, "is a number: write an address as four decimal numbers, such as 192.0.2.1") from None
    return host


def route(host: str, port: int, allowed: AllowedHosts, lookup: Lookup = socket.getaddrinfo) -> Route:
    """Looks a host up, once, and checks every address that it has; `host` is what `normal` gave.

    Raises Forbidden (`SourceForbidden`) when one of them lies inside the network and the host is not allowed there, and
    Unavailable (`SourceUnreachable`) when there is none. No message tells an address that is inside.
    """
    literal = _literal(host)
    addresses = [literal] if literal else _look_up(host, port, lookup)
    if not allowed.cover(host, port):
        for kind in filter(None, map(inside, addresses)):
            named = "is" if literal else "has"
            raise Forbidden(
                f"{host} {named} {kind} address: circuits are not fetched from inside of the network.",
                reason="SourceForbidden",
                hint="An operator can allow the host in QTASKS_SOURCE_HOSTS.",
            )
    return Route(host, port, tuple(str(address) for address in addresses))


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _look_up(host: str, port: int, lookup: Lookup) -> list[Address]:
    try:
        found = lookup(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno == socket.EAI_NONAME:
            raise _unreachable(f"There is no such host: {host}.", "Check the spelling of the address.") from None
        raise _unreachable(f"The name {host} cannot be looked up at present.", "") from None
    except UnicodeError:
        raise _invalid(host, "is not a host's name") from None
    addresses = list(dict.fromkeys(ip_address(entry[4][0]) for entry in found))
    if not addresses:
        raise _unreachable(f"The host {host} has no address.", "Check the spelling of the address.")
    return addresses[:MAX_ADDRESSES]


def _unreachable(message: str, hint: str) -> Unavailable:
    return Unavailable(message, reason="SourceUnreachable", hint=hint)


def _invalid(host: str, what: str) -> InvalidInput:
    return InvalidInput(f"The host {host[:80]!r} {what}.", reason="InvalidSource")
