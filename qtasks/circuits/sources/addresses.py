"""Which addresses lie inside the network, and which hosts there the settings allow. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Self

Address = IPv4Address | IPv6Address

# Not `is_global`: what it says changed between Python releases, and a platform's own service is global to it.
_IPV4 = [
    (ip_network(network), kind)
    for network, kind in (
        ("0.0.0.0/8", "an unspecified"),
        ("10.0.0.0/8", "a private"),
        ("100.64.0.0/10", "a carrier's private"),
        ("127.0.0.0/8", "a loopback"),
        ("168.63.129.16/32", "a platform's own"),  # Azure's, of a public range
        ("169.254.0.0/16", "a link-local"),  # 169.254.169.254 gives credentials away
        ("172.16.0.0/12", "a private"),
        ("192.0.0.0/24", "a reserved"),
        ("192.0.2.0/24", "a reserved"),
        ("192.88.99.0/24", "a reserved"),
        ("192.168.0.0/16", "a private"),
        ("198.18.0.0/15", "a reserved"),
        ("198.51.100.0/24", "a reserved"),
        ("203.0.113.0/24", "a reserved"),
        ("224.0.0.0/4", "a multicast"),
        ("240.0.0.0/4", "a reserved"),
    )
]
_IPV6 = [
    (ip_network(network), kind)
    for network, kind in (
        ("::/128", "an unspecified"),
        ("::1/128", "a loopback"),
        ("fc00::/7", "a private"),  # fd00:ec2::254 gives credentials away
        ("fe80::/10", "a link-local"),
        ("ff00::/8", "a multicast"),
        ("2001::/23", "a reserved"),  # Teredo among them
        ("2001:db8::/32", "a reserved"),
        ("2002::/16", "a 6to4"),
        ("3fff::/20", "a reserved"),
    )
]
_IPV6_PUBLIC = ip_network("2000::/3")
_NAT64 = ip_network("64:ff9b::/96")


def inside(address: Address) -> str | None:
    """The kind of an address that lies inside the network, with its article ("a private"); None for a public one.

    An IPv6 address that stands for an IPv4 one (mapped, NAT64) is judged by that; 6to4 and Teredo are never public.
    """
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return "a link-local"
        if address.ipv4_mapped is not None:
            return inside(address.ipv4_mapped)
        if address in _NAT64:
            return inside(IPv4Address(int(address) & 0xFFFFFFFF))
        kind = next((kind for network, kind in _IPV6 if address in network), None)
        return kind or (None if address in _IPV6_PUBLIC else "a reserved")
    return next((kind for network, kind in _IPV4 if address in network), None)


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """The hosts inside the network that circuits may be fetched from; an entry without a port allows every port."""

    entries: frozenset[tuple[str, int | None]]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `host`, `host:port`, `*.domain` and `[IPv6 address]`, with commas between; the settings checked it."""
        return cls(frozenset(_entry(part.strip()) for part in text.split(",") if part.strip()))

    def cover(self, host: str, port: int) -> bool:
        """Whether a host, in lower case and without brackets, is allowed; `*.a.b` covers `x.a.b` but not `a.b`."""
        names = {host} | {"*" + host[i:] for i, character in enumerate(host) if character == "." and i > 0}
        return any((name, number) in self.entries for name in names for number in (port, None))


def _entry(text: str) -> tuple[str, int | None]:
    host, colon, port = text.lower().rpartition(":")
    if not colon or port.endswith("]"):
        host, port = text.lower(), ""
    if host.startswith("["):
        host = str(ip_address(host.strip("[]")))
    return host.removesuffix("."), int(port) if port else None
