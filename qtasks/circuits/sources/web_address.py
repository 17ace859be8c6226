"""An http or https address, taken apart strictly: what is checked is what is connected to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote, urlsplit

from qtasks.circuits.sources.hosts import authority, normal
from qtasks.errors import Forbidden, InvalidInput

DEFAULT_PORTS = {"https": 443, "http": 80}
_STRANGE = re.compile(r"[\x00-\x20\x7f\\]")
_KEPT = "/%:@!$&'()*+,;=~-._?[]|"


@dataclass(frozen=True, slots=True)
class WebAddress:
    """A host in its normal form, its port, and what is asked of it."""

    scheme: str
    host: str
    port: int
    target: str
    """Path and query, as they stand in a request's first line."""

    @classmethod
    def parse(cls, text: str, *, http: bool = True) -> Self:
        """Raises InvalidInput (`InvalidSource`), and Forbidden (`SourceForbidden`) for http that is not allowed."""
        shown = repr(text[:80].partition("?")[0].rpartition("@")[2])
        if _STRANGE.search(text) or len(text) > 8192:
            raise _invalid(f"The address {shown} has a space, a backslash or a control character.")
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            raise _invalid(f"The address {shown} cannot be read.") from None
        if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
            raise _invalid(f"{shown} is not an https:// address.")
        if "@" in parts.netloc:
            raise _invalid(f"The address {shown} holds a user or password.")
        if port == 0:
            raise _invalid(f"The address {shown} has port 0.")
        if parts.scheme == "http" and not http:
            raise Forbidden(
                f"{shown} is not encrypted: anybody on the way could change the circuit.",
                reason="SourceForbidden",
                hint="Use https; an operator can allow http with QTASKS_SOURCE_HTTP=true.",
            )
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(parts.scheme, normal(parts.hostname), port or DEFAULT_PORTS[parts.scheme], quote(target, safe=_KEPT))

    @property
    def authority(self) -> str:
        """Host and, unless it is the scheme's own, port: the Host header."""
        return authority(self.host, self.port, usual=DEFAULT_PORTS[self.scheme])

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"

    @property
    def shown(self) -> str:
        """The address for messages and provenance: without the query, which may hold a credential."""
        return self.url.partition("?")[0]


def _invalid(message: str) -> InvalidInput:
    return InvalidInput(message, reason="InvalidSource", hint="Give the https:// address of one file.")
