"""A message posted to a webhook: to an address that was checked, signed as Standard Webhooks has it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException

from qtasks.alerts.deadline import cut_off, lookup
from qtasks.circuits.sources.addresses import AllowedHosts
from qtasks.circuits.sources.hosts import Lookup, Route, route
from qtasks.circuits.sources.web_address import WebAddress
from qtasks.errors import Forbidden, InvalidInput, QTasksError, Unavailable

_MAY_HEAL = (408, 425, 429)
_CONNECT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Message:
    """What is posted: JSON in the form of Standard Webhooks. Sent again, it has the same id."""

    id: str
    body: bytes
    what: str = "alert"
    """What errors call it: `alert` gives the reasons AlertNotSent and AlertRefused."""

    def reason(self, end: str) -> str:
        return self.what.capitalize() + end


def post(
    message: Message, url: str, *, key: bytes | None, hosts: str, http: bool, seconds: float, lookup: Lookup = lookup
) -> None:
    """Post a message, signed with `key` unless that is None, and have it taken (HTTP 2xx).

    `hosts`: those inside the network that may be reached, as QTASKS_SOURCE_HOSTS has them; `http`: whether it may go
    unencrypted. Redirects are not followed. Raises Unavailable (`…NotSent`) for what may heal, Forbidden or
    InvalidInput (`…Refused`) for what does not. Errors tell the host only: the rest may be as good as a password.
    """
    ends = time.monotonic() + seconds
    address = _address(message, url, http)
    to = _route(message, address, AllowedHosts.parse(hosts), lookup)
    headers = {**_headers(message, key), "Host": address.authority}
    try:
        with _connect(message, address, to, ends) as connection, cut_off(connection, ends - time.monotonic()):
            status = _status(_encrypted(connection, address), address, message.body, headers)
    except ssl.SSLError as error:
        raise _not_sent(message, address, _tls(error)) from None
    except (HTTPException, OSError, ValueError) as error:
        raise _not_sent(message, address, f"the connection broke ({type(error).__name__})") from None
    _check(message, status, address)


def signature(key: bytes, message_id: str, at: int, body: bytes) -> str:
    """The value of `webhook-signature`: the HMAC-SHA256 of id, Unix time and body, with full stops between."""
    signed = f"{message_id}.{at}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def key_of(secret: str) -> bytes:
    """The bytes that sign: those that `whsec_…` encodes, or the text itself. Raises ValueError."""
    if not secret.startswith("whsec_"):
        if not secret:
            raise ValueError("an empty key")
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise ValueError("whsec_ with what is not Base64") from None


def _headers(message: Message, key: bytes | None) -> dict[str, str]:
    at = int(time.time())
    headers = {"Content-Type": "application/json", "User-Agent": "qtasks", "Accept": "*/*", "Connection": "close"}
    headers |= {"webhook-id": message.id, "webhook-timestamp": str(at)}
    return headers if key is None else {**headers, "webhook-signature": signature(key, message.id, at, message.body)}


def _address(message: Message, url: str, http: bool) -> WebAddress:
    try:
        return WebAddress.parse(url, http=http)
    except Forbidden:
        raise Forbidden(
            f"The webhook has an http:// address: anybody on the way could read the {message.what}.",
            reason=message.reason("Refused"),
            hint="Use https; an operator can allow http with QTASKS_SOURCE_HTTP=true.",
        ) from None
    except InvalidInput:
        raise InvalidInput("The webhook's address cannot be read.", reason=message.reason("Refused")) from None


def _route(message: Message, address: WebAddress, allowed: AllowedHosts, lookup: Lookup) -> Route:
    try:
        return route(address.host, address.port, allowed, lookup)
    except Forbidden:
        raise Forbidden(
            f"{address.host} lies inside of the network: {message.what}s are not posted there.",
            reason=message.reason("Refused"),
            hint="An operator can allow the host in QTASKS_SOURCE_HOSTS.",
        ) from None
    except Unavailable:
        raise _not_sent(message, address, "its name cannot be looked up") from None


def _connect(message: Message, address: WebAddress, to: Route, ends: float) -> socket.socket:
    why = "no address answers"
    for connected in to.addresses:
        seconds = min(_CONNECT_SECONDS, ends - time.monotonic())
        if seconds <= 0:
            break
        try:
            return socket.create_connection((connected, address.port), timeout=seconds)
        except OSError as error:
            why = f"it does not answer ({type(error).__name__})"
    raise _not_sent(message, address, why)


def _encrypted(connection: socket.socket, address: WebAddress) -> socket.socket:
    if address.scheme == "http":
        return connection
    # The certificate must be for the name, though the connection is to an address.
    return ssl.create_default_context().wrap_socket(connection, server_hostname=address.host)


def _status(connection: socket.socket, address: WebAddress, body: bytes, headers: Mapping[str, str]) -> int:
    """The status of the answer; nothing else of it is read."""
    # Not urllib3, nor a pool of it: what they log has the whole address.
    with closing(HTTPConnection(address.host)) as http:
        http.sock = connection
        http.request("POST", address.target, body, dict(headers))
        return http.getresponse().status


def _tls(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message.rstrip('.')}"
    return "it does not speak TLS as expected"


def _check(message: Message, status: int, address: WebAddress) -> None:
    if 200 <= status < 300:
        return
    if status in _MAY_HEAL or status >= 500:
        raise _not_sent(message, address, f"it answers HTTP {status}")
    redirected = " (redirects are not followed)" if 300 <= status < 400 else ""
    raise InvalidInput(
        f"{address.host} does not take the {message.what}: HTTP {status}{redirected}.", reason=message.reason("Refused")
    )


def _not_sent(message: Message, address: WebAddress, why: str) -> QTasksError:
    return Unavailable(
        f"The webhook at {address.host} cannot be used at present: {why}.", reason=message.reason("NotSent")
    )
