"""Asking an HTTP server that a tenant named: its host is looked up once, checked, and connected to by that address."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException

from qtasks.alerts.deadline import cut_off, lookup
from qtasks.circuits.sources.addresses import AllowedHosts
from qtasks.circuits.sources.hosts import Lookup, Route, route
from qtasks.circuits.sources.web_address import WebAddress
from qtasks.errors import Forbidden, InvalidInput, QTasksError, Unavailable
from qtasks.results.outputs import Answer, Ask, Question
from qtasks.settings import Settings

_CONNECT_SECONDS = 3.0
_ANSWER_BYTES = 2**16


def asker(settings: Settings, *, ends: float, own: bool = False, lookup: Lookup = lookup) -> Ask:
    """What asks until `ends` (`time.monotonic`), of hosts outside of the network and those of QTASKS_SOURCE_HOSTS.

    `own`: of any, for addresses that the user of an embedded stack has set for themselves.
    """

    def ask(question: Question) -> Answer:
        address = _address(question.url, http=own or settings.source_http)
        allowed = AllowedHosts(frozenset({(address.host, None)})) if own else AllowedHosts.parse(settings.source_hosts)
        to = _route(address, allowed, lookup)
        with _understood(address, ends), _connected(address, to, ends) as connection:
            return _exchange(connection, address, question)

    return ask


def _address(url: str, *, http: bool) -> WebAddress:
    try:
        return WebAddress.parse(url, http=http)
    except Forbidden:
        raise Forbidden(
            "The output has an http:// address: anybody on the way could read and change the result.",
            reason="OutputForbidden",
            hint="Use https; an operator can allow http with QTASKS_SOURCE_HTTP=true.",
        ) from None
    except InvalidInput as error:
        raise InvalidInput(
            "The output's endpoint cannot be read as an address.",
            reason="InvalidOutput",
            hint="Write it as https://host or https://host:port.",
        ) from error


def _route(address: WebAddress, allowed: AllowedHosts, lookup: Lookup) -> Route:
    try:
        return route(address.host, address.port, allowed, lookup)
    except Forbidden:
        raise Forbidden(
            f"{address.host} lies inside of the network: results are not sent there.",
            reason="OutputForbidden",
            hint="An operator can allow the host in QTASKS_SOURCE_HOSTS.",
        ) from None
    except Unavailable:
        raise _unavailable(address, "its name cannot be looked up") from None


@contextmanager
def _understood(address: WebAddress, ends: float) -> Iterator[None]:
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise _unavailable(address, f"its certificate is not trusted: {error.verify_message.rstrip('.')}") from None
    except (HTTPException, OSError, ValueError) as error:
        late = time.monotonic() >= ends or isinstance(error, TimeoutError)
        why = "it took too long" if late else f"the connection broke ({type(error).__name__})"
        raise _unavailable(address, why) from None


@contextmanager
def _connected(address: WebAddress, to: Route, ends: float) -> Iterator[socket.socket]:
    """A connection to one of the addresses that were checked, encrypted where the address says so; cut off when the
    time is up, whoever is just waiting for it."""
    with _connect(address, to, ends) as plain, cut_off(plain, ends - time.monotonic()):
        plain.settimeout(max(ends - time.monotonic(), 0.001))
        if address.scheme == "http":
            yield plain
            return
        # The certificate must be for the name, though the connection is to an address.
        with ssl.create_default_context().wrap_socket(plain, server_hostname=address.host) as encrypted:
            yield encrypted


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
    raise _unavailable(address, why)


def _exchange(connection: socket.socket, address: WebAddress, question: Question) -> Answer:
    # Not urllib3, nor a pool of it: what they log has the whole address.
    with closing(HTTPConnection(address.host)) as http:
        http.sock = connection
        headers = {"User-Agent": "qtasks", "Accept": "*/*", "Connection": "close", "Host": address.authority}
        # A server that refuses a long body may say so and hang up before it has come.
        with suppress(BrokenPipeError, ConnectionResetError):
            http.request(question.method, address.target, question.body, {**headers, **question.headers})
        response = http.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, found, response.read(_ANSWER_BYTES))


def _unavailable(address: WebAddress, why: str) -> QTasksError:
    return Unavailable(
        f"The output's server {address.host} cannot be used at present: {why}.", reason="OutputUnavailable"
    )
