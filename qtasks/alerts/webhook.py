"""An alert posted to a webhook: to an address that was checked, signed as Standard Webhooks has it."""

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
from http.client import HTTPConnection, HTTPException

from qtasks.alerts.deadline import cut_off, lookup
from qtasks.alerts.message import payload
from qtasks.circuits.sources.addresses import AllowedHosts
from qtasks.circuits.sources.hosts import Lookup, Route, route
from qtasks.circuits.sources.web_address import WebAddress
from qtasks.errors import Forbidden, InvalidInput, QTasksError, Unavailable
from qtasks.store.alerts import Alert

_MAY_HEAL = (408, 425, 429)
_CONNECT_SECONDS = 2.0


def post(
    alert: Alert, url: str, *, key: bytes | None, hosts: str, http: bool, seconds: float, lookup: Lookup = lookup
) -> None:
    """Post an alert, signed with `key` unless that is None, and have it taken (HTTP 2xx).

    `hosts`: those inside the network that may be reached, as QTASKS_SOURCE_HOSTS has them; `http`: whether it may go
    unencrypted. Redirects are not followed. Raises Unavailable (`AlertNotSent`) for what may heal, Forbidden or
    InvalidInput (`AlertRefused`) for what does not. Errors tell the host only: the rest may be as good as a password.
    """
    ends = time.monotonic() + seconds
    address = _address(url, http)
    to = _route(address, AllowedHosts.parse(hosts), lookup)
    body = payload(alert)
    headers = {**_headers(alert.id, body, key), "Host": address.authority}
    try:
        with _connect(address, to, ends) as connection, cut_off(connection, ends - time.monotonic()):
            status = _status(_encrypted(connection, address), address, body, headers)
    except ssl.SSLError as error:
        raise _not_sent(address, _tls(error)) from None
    except (HTTPException, OSError, ValueError) as error:
        raise _not_sent(address, f"the connection broke ({type(error).__name__})") from None
    _check(status, address)


def signature(key: bytes, alert_id: str, at: int, body: bytes) -> str:
    """The value of `webhook-signature`: the HMAC-SHA256 of id, Unix time and body, with full stops between."""
    signed = f"{alert_id}.{at}.".encode() + body
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


def _headers(alert_id: str, body: bytes, key: bytes | None) -> dict[str, str]:
    at = int(time.time())
    headers = {"Content-Type": "application/json", "User-Agent": "qtasks", "Accept": "*/*", "Connection": "close"}
    headers |= {"webhook-id": alert_id, "webhook-timestamp": str(at)}
    return headers if key is None else {**headers, "webhook-signature": signature(key, alert_id, at, body)}


def _address(url: str, http: bool) -> WebAddress:
    try:
        return WebAddress.parse(url, http=http)
    except Forbidden:
        raise Forbidden(
            "The webhook has an http:// address: anybody on the way could read the alert.",
            reason="AlertRefused",
            hint="Use https; an operator can allow http with QTASKS_SOURCE_HTTP=true.",
        ) from None
    except InvalidInput:
        raise InvalidInput("The webhook's address cannot be read.", reason="AlertRefused") from None


def _route(address: WebAddress, allowed: AllowedHosts, lookup: Lookup) -> Route:
    try:
        return route(address.host, address.port, allowed, lookup)
    except Forbidden:
        raise Forbidden(
            f"{address.host} lies inside of the network: alerts are not posted there.",
            reason="AlertRefused",
            hint="An operator can allow the host in QTASKS_SOURCE_HOSTS.",
        ) from None
    except Unavailable:
        raise _not_sent(address, "its name cannot be looked up") from None


def _connect(address: WebAddress, to: Route, ends: float) -> socket.socket:
    why = "no address answers"
    for connected in to.addresses:
        seconds = min(_CONNECT_SECONDS, ends - time.monotonic())
        if seconds <= 0:
            break
        try:
            return socket.create_connection((connected, address.port), timeout=seconds)
        except OSError as error:
            why = f"it does not answer ({type(error).__name__})"
    raise _not_sent(address, why)


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


def _check(status: int, address: WebAddress) -> None:
    if 200 <= status < 300:
        return
    if status in _MAY_HEAL or status >= 500:
        raise _not_sent(address, f"it answers HTTP {status}")
    redirected = " (redirects are not followed)" if 300 <= status < 400 else ""
    raise InvalidInput(f"{address.host} does not take the alert: HTTP {status}{redirected}.", reason="AlertRefused")


def _not_sent(address: WebAddress, why: str) -> QTasksError:
    return Unavailable(f"The webhook at {address.host} cannot be used at present: {why}.", reason="AlertNotSent")
