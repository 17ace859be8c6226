"""Where the API is, and whether a token may be sent there. Pure."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from qtasks.errors import InvalidInput
from qtasks.settings import Settings


@dataclass(frozen=True, slots=True)
class Address:
    """The API that QTASKS_API_URL names."""

    url: str
    """Without a slash at its end."""
    secure: bool
    """Whether it is https."""


def address_of(settings: Settings) -> Address:
    """Raises InvalidInput: `InvalidSettings` for what is no address of an API, `InsecureApi` where anybody on the way
    could read the token."""
    try:
        parts = urlsplit(settings.api_url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
        raise _invalid("is not the address of an API", "Write it as https://qtasks.example or http://127.0.0.1:8000.")
    if parts.username is not None or parts.password is not None:
        raise _invalid("holds a name or a password", "The token goes into QTASKS_API_TOKEN.")
    secure = parts.scheme == "https"
    if settings.api_token is not None and not (secure or settings.api_insecure or _loopback(host)):
        raise InvalidInput(
            f"The token would go to {host} over http, where anybody on the way can read it.",
            reason="InsecureApi",
            hint="Use https in QTASKS_API_URL, or set QTASKS_API_INSECURE=true if nobody else is on the way.",
        )
    return Address(settings.api_url.rstrip("/"), secure)


def _invalid(why: str, hint: str) -> InvalidInput:
    # Not a letter of it is shown: it may hold a password.
    return InvalidInput(f"QTASKS_API_URL {why}.", reason="InvalidSettings", hint=hint)


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
