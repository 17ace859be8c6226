"""What every request passes before it is looked at: its name, its addressee, its origin, its size, and its turn."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
from fnmatch import fnmatchcase
from urllib.parse import unquote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from qtasks.api.access_log import told
from qtasks.api.answers import refusal
from qtasks.api.metrics import note_rejection, note_request
from qtasks.api.serving import Serving, bearer
from qtasks.errors import Forbidden, InvalidInput, QTasksError
from qtasks.telemetry import logs, traces

log = logging.getLogger(__name__)

_OVERHEAD_BYTES = 2 * 2**20
"""What a body may have beyond its circuits: the documents around them."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_OPEN = frozenset({"/healthz", "/readyz", "/metrics", "/docs", "/openapi.json"})
_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})


class Gate:
    """The ASGI application before the application."""

    def __init__(self, app: ASGIApp, serving: Serving) -> None:
        self._app = app
        self._serving = serving
        config = serving.settings
        named = [host.strip().lower() for host in config.api_hosts.split(",") if host.strip()]
        self._hosts = named or ([*_LOOPBACK, config.api_host.lower()] if config.embedded else ["*"])
        self._origins = {origin.strip().rstrip("/") for origin in config.api_cors_origins.split(",") if origin.strip()}
        self._embedded = config.embedded
        # A circuit of the largest size is to pass also as base64, and as JSON with a backslash before each letter.
        self._largest = 2 * config.max_input_bytes + _OVERHEAD_BYTES
        self._idle = config.api_idle_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope)
        request_id = given.get("x-request-id", "")
        if not _REQUEST_ID.fullmatch(request_id):
            request_id = secrets.token_hex(8)
        asked = traces.asked_by(given.get(traces.TRACEPARENT), given.get(traces.ROOTED))
        with logs.about(request_id=request_id), asked:
            await self._serve(scope, receive, send, given, request_id)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, given: Headers, request_id: str) -> None:
        extra = {"X-Request-ID": request_id}
        began = time.monotonic()
        status: int | None = None

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).update(extra)
            await send(message)

        try:
            self._require_host(scope, given)
            self._require_origin(scope, given)
            self._require_size(given)
            extra |= await self._take_turn(scope, given)
            _keep_slashes(scope)
            await self._app(scope, self._measured(receive), sending)
        except ClientDisconnect:
            return
        except QTasksError as error:
            note_rejection(scope, error.reason)
            if status is None:
                await refusal(error, scope["path"])(scope, receive, sending)
        except Exception:
            log.exception("request %s failed", request_id)
            if status is None:
                await refusal(_broken(request_id), scope["path"])(scope, receive, sending)
        finally:
            told(scope, status, began)
            if status is not None:
                note_request(scope, given, status, time.monotonic() - began)

    def _require_host(self, scope: Scope, given: Headers) -> None:
        if scope["path"] in _PROBES and not self._embedded:
            return  # a kubelet and Prometheus ask a pod by its address
        host = _name_of(given.get("host", ""))
        if not any(fnmatchcase(host, allowed) for allowed in self._hosts):
            raise InvalidInput(
                f"This server is not {host[:100] or 'nameless'}.",
                reason="HostNotAllowed",
                hint="Use the address that the server was given, or add the name to QTASKS_API_HOSTS.",
            )

    def _require_origin(self, scope: Scope, given: Headers) -> None:
        """Where no token is asked for, a page of another site must not act for whoever looks at it."""
        if not self._embedded or scope["method"] in _SAFE:
            return
        origin = given.get("origin")
        if origin is None or origin.rstrip("/") in self._origins:
            return
        if urlsplit(origin).netloc.lower() != given.get("host", "").lower():
            raise Forbidden(
                "A page of another site may not do this.",
                reason="CrossOrigin",
                hint="Add the site to QTASKS_API_CORS_ORIGINS if it is yours.",
            )

    def _require_size(self, given: Headers) -> None:
        length = given.get("content-length", "0")
        if length.isdigit() and int(length) > self._largest:
            raise _too_large(self._largest)

    async def _take_turn(self, scope: Scope, given: Headers) -> dict[str, str]:
        rate = self._serving.rate
        if not rate.limited or scope["path"] in _OPEN:
            return {}
        # Whoever makes tokens up is counted by address: there is no end of them.
        principal = self._serving.principal(bearer(given))
        left = await rate.take(f"principal:{principal}" if principal else f"address:{(scope['client'] or ('',))[0]}")
        if left is None:
            return {}
        return {"RateLimit-Policy": rate.policy, "RateLimit": f'"requests";r={left};t={rate.seconds}'}

    def _measured(self, receive: Receive) -> Receive:
        """`receive`, which refuses a body that is too large, or does not come, however long it said that it is."""
        size = 0

        async def measured() -> Message:
            nonlocal size
            if size < 0:
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), self._idle)
            except TimeoutError:
                raise InvalidInput(
                    f"Nothing of the body came for {self._idle:g} s.",
                    reason="BodyTimeout",
                    hint="Send it again.",
                ) from None
            if message["type"] == "http.request":
                size += len(message.get("body", b""))
                if size > self._largest:
                    raise _too_large(self._largest)
                if not message.get("more_body", False):
                    # What comes after the body is the end of the connection, for which nobody is in a hurry.
                    size = -1
            return message

        return measured


def _broken(request_id: str) -> QTasksError:
    return QTasksError(
        "The server could not do this.",
        hint=f"Tell whoever runs it of request {request_id}: its log says why.",
        details={"request_id": request_id},
    )


def _too_large(largest: int) -> InvalidInput:
    return InvalidInput(
        f"The body has more than {largest} bytes.",
        reason="TooLarge",
        hint="Submit fewer jobs at once, or raise QTASKS_MAX_INPUT_BYTES.",
        details={"bytes": largest},
    )


def _name_of(host: str) -> str:
    """The host of a Host header, without its port."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if ":" in host else host


def _keep_slashes(scope: Scope) -> None:
    """Leave an encoded slash encoded in the path: a provider's job id may have one, and it divides no path."""
    raw = scope.get("raw_path") or b""
    if b"%2f" in raw.lower():
        scope["path"] = unquote(re.sub("%2[fF]", "%252F", raw.decode("ascii", "replace")))
