"""Fetching from an https address: every hop's host is looked up once, checked, and connected to by that address."""

from __future__ import annotations

import hashlib
import socket
import ssl
from http import HTTPStatus
from urllib.parse import urljoin

import urllib3

from qtasks.circuits.sources.addresses import AllowedHosts
from qtasks.circuits.sources.bodies import read_body
from qtasks.circuits.sources.hosts import Lookup, Route, route
from qtasks.circuits.sources.messages import Fetched, Request
from qtasks.circuits.sources.web_address import WebAddress
from qtasks.errors import Forbidden, InvalidInput, NotFound, QTasksError, Unavailable

MAX_REDIRECTS = 5
_CONNECT_SECONDS = 5.0
_REDIRECTS = (301, 302, 303, 307, 308)
_MAY_HEAL = (408, 425, 429)


def fetch_url(request: Request, lookup: Lookup = socket.getaddrinfo) -> Fetched:
    """The bytes at `target["url"]`, compared with `target["sha256"]` unless that is empty.

    Raises Unavailable (`SourceUnreachable`), NotFound (`UrlNotFound`), Forbidden (`SourceForbidden`) or InvalidInput
    (`InvalidSource`, `TooLarge`, `ChecksumMismatch`, `NotACircuit`, `SourceNotTrusted`, `TooManyRedirects`).
    """
    allowed = AllowedHosts.parse(request.hosts)
    address = first = WebAddress.parse(request.target["url"], http=request.http)
    for _ in range(MAX_REDIRECTS + 1):
        with _open(address, route(address.host, address.port, allowed, lookup), request.seconds) as response:
            if response.status not in _REDIRECTS:
                _check_status(response.status, address)
                data = read_body(response, request.max_bytes, address.shown)
                _check_content(data, request.target["sha256"], address)
                return Fetched(data, first.shown)
            address = _next(address, response.headers.get("Location", ""), request)
    raise InvalidInput(
        f"{first.shown} redirects more than {MAX_REDIRECTS} times.",
        reason="TooManyRedirects",
        hint="Use the address that a browser ends at.",
    )


def _open(address: WebAddress, to: Route, seconds: float) -> urllib3.BaseHTTPResponse:
    timeout = urllib3.Timeout(connect=min(_CONNECT_SECONDS, seconds), read=seconds)
    headers = {"Host": address.authority, "User-Agent": "qtasks", "Accept": "*/*", "Accept-Encoding": "identity"}
    reason = "no address answers"
    for connected in to.addresses:
        pool = _pool(address, connected, timeout)
        try:
            return pool.urlopen(
                "GET",
                address.target,
                headers=headers,
                redirect=False,
                retries=False,
                assert_same_host=False,
                preload_content=False,
                decode_content=False,
            )
        except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError) as error:
            refused = isinstance(error.__cause__, ConnectionRefusedError)
            reason = "the connection is refused" if refused else "it does not answer"
        except urllib3.exceptions.SSLError as error:
            raise _tls(error, address) from None
        except urllib3.exceptions.HTTPError as error:
            raise _unreachable(address, f"the connection broke ({type(error).__name__})") from None
    raise _unreachable(address, reason)


def _pool(address: WebAddress, connected: str, timeout: urllib3.Timeout) -> urllib3.HTTPConnectionPool:
    if address.scheme == "http":
        return urllib3.HTTPConnectionPool(connected, address.port, timeout=timeout)
    return urllib3.HTTPSConnectionPool(
        connected,
        address.port,
        timeout=timeout,
        ssl_context=ssl.create_default_context(),
        server_hostname=address.host,  # what the certificate must be for, though the connection is to an address
    )


def _next(address: WebAddress, location: str, request: Request) -> WebAddress:
    if not location:
        raise InvalidInput(f"{address.shown} redirects to nowhere.", reason="InvalidSource")
    # What stands in a header was decoded as Latin-1, and a fragment is the browser's business.
    following = WebAddress.parse(urljoin(address.url, location.encode("latin-1", "replace").decode("utf-8", "replace")))
    if following.scheme == "http" and (address.scheme == "https" or not request.http):
        raise Forbidden(
            f"{address.shown} redirects to {following.shown}, which is not encrypted.",
            reason="SourceForbidden",
            hint="Use the https address of the circuit.",
        )
    return following


def _check_status(status: int, address: WebAddress) -> None:
    if status == HTTPStatus.OK:
        return
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        raise NotFound(
            f"There is nothing at {address.shown} (HTTP {status}); its host answers.",
            reason="UrlNotFound",
            hint="Check the path.",
        )
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED):
        raise Forbidden(
            f"{address.host} does not give {address.shown} to qtasks (HTTP {status}).",
            reason="SourceForbidden",
            hint="A url is fetched without credentials: use source git with a secretRef.",
        )
    if status in _MAY_HEAL or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise _unreachable(address, f"it answers HTTP {status}")
    raise InvalidInput(f"{address.shown} answers HTTP {status} and no circuit.", reason="InvalidSource")


def _check_content(data: bytes, sha256: str, address: WebAddress) -> None:
    found = hashlib.sha256(data).hexdigest()
    if sha256 and found != sha256:
        raise InvalidInput(
            f"{address.shown} has SHA-256 {found}, and {sha256} was asked for.",
            reason="ChecksumMismatch",
            hint="What is there was changed: look at it, then give its SHA-256.",
            details={"found": found, "expected": sha256},
        )
    if data[:512].lstrip().lower().startswith((b"<!doctype html", b"<html")):
        raise InvalidInput(
            f"At {address.shown} is a web page, not a circuit.",
            reason="NotACircuit",
            hint="Use the address of the file itself: on GitHub and GitLab the one behind `Raw`.",
        )


def _tls(error: urllib3.exceptions.SSLError, address: WebAddress) -> QTasksError:
    inner = error.args[0] if error.args else error
    if isinstance(inner, ssl.SSLCertVerificationError):
        return InvalidInput(
            f"The certificate of {address.host} is not trusted: {inner.verify_message.rstrip('.')}.",
            reason="SourceNotTrusted",
            hint="An operator can add an authority of your own with SSL_CERT_FILE.",
        )
    return _unreachable(address, "it does not speak TLS as expected")


def _unreachable(address: WebAddress, why: str) -> Unavailable:
    return Unavailable(
        f"{address.shown} cannot be fetched at present: {why}.",
        reason="SourceUnreachable",
        hint="It is tried again; should it stay so, look whether the address answers.",
    )
