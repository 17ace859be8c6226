"""Requests and their answers: connections that are kept, time limits, repetition, errors."""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import httpx

from qtasks.client.rest.address import address_of
from qtasks.client.rest.problems import error_of
from qtasks.client.rest.repeating import BUSY, Again, repeating, seconds_of
from qtasks.errors import QTasksError, Unavailable
from qtasks.settings import Settings

_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 30.0
_CONNECTIONS = 100
_KEPT = 16
_KEPT_SECONDS = 4.0
"""Shorter than servers keep a silent connection: one that the server closes while it is used loses a request."""


class Transport:
    """Speaks to the API for any number of threads. A process that was forked has connections of its own."""

    def __init__(self, settings: Settings) -> None:
        """Raises InvalidInput for an address that is none, or to which a token must not be sent."""
        self._address = address_of(settings)
        self._token = settings.api_token
        self._clients: dict[int, httpx.Client] = {}

    def close(self) -> None:
        # Those of a process that this one was forked from are its own to close.
        opened = self._clients.pop(os.getpid(), None)
        if opened is not None:
            opened.close()

    def get(self, path: str, *, wait: float = 0.0, **parameters: Any) -> Any:
        """What a GET answers, as plain data. `wait`: seconds that the answer may be held back."""
        return _plain(self.send("GET", path, parameters=parameters, wait=wait))

    def post(
        self,
        path: str,
        body: Any,
        *,
        repeatable: bool,
        wait: float = 0.0,
        headers: Mapping[str, str] | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> Any:
        """What a POST of a body answers, as plain data. `repeatable`: doing it twice is the same as doing it once."""
        return _plain(
            self.send(
                "POST", path, body=body, parameters=parameters or {}, headers=headers, wait=wait, repeatable=repeatable
            )
        )

    def delete(self, path: str, **parameters: Any) -> Any:
        """What a DELETE answers, as plain data; None for nothing."""
        # It answers with what was deleted, which the second of two does not find.
        answer = self.send("DELETE", path, parameters=parameters, repeatable=False)
        return _plain(answer) if answer.content else None

    def send(
        self,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, Any],
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        wait: float = 0.0,
        repeatable: bool = True,
    ) -> httpx.Response:
        """The answer to a request. Raises what the API raised, and Unavailable (`ApiUnavailable`) when nobody answers,
        or somebody who is no qtasks."""
        content = None if body is None else json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        given = {name: _text(value) for name, value in parameters.items() if value is not None}
        sent = {"Content-Type": "application/json", **(headers or {})} if content is not None else dict(headers or {})
        limits = httpx.Timeout(_ANSWER_SECONDS + wait, connect=_CONNECT_SECONDS)

        def once() -> httpx.Response:
            try:
                answer = self._client().request(
                    method, self._address.url + path, params=given, content=content, headers=sent, timeout=limits
                )
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
                raise Again(self._unreachable(error)) from error
            except httpx.TransportError as error:
                unanswered = self._unreachable(error)
                raise (Again(unanswered) if repeatable else unanswered) from error
            return self._accepted(answer, repeatable)

        try:
            return repeating()(once)
        except Again as error:
            raise error.error from None

    def _accepted(self, answer: httpx.Response, repeatable: bool) -> httpx.Response:
        if answer.is_success:
            return answer
        error = error_of(answer.headers.get("content-type", ""), answer.content) or self._foreign(answer)
        # 429 is said before anything is done; the others may come after it was.
        if answer.status_code == 429 or (answer.status_code in BUSY and repeatable):
            raise Again(error, after=seconds_of(answer.headers.get("retry-after")))
        raise error

    def _client(self) -> httpx.Client:
        pid = os.getpid()
        found = self._clients.get(pid)
        if found is None:
            found = self._clients.setdefault(pid, self._made())
        return found

    def _made(self) -> httpx.Client:
        headers = {"Accept": "application/json", "User-Agent": f"qtasks/{version('qtasks')}"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token.get_secret_value().strip()}"
        return httpx.Client(
            headers=headers,
            # The system's authorities, or those that SSL_CERT_FILE names.
            verify=ssl.create_default_context() if self._address.secure else True,
            limits=httpx.Limits(
                max_connections=_CONNECTIONS, max_keepalive_connections=_KEPT, keepalive_expiry=_KEPT_SECONDS
            ),
            # Whoever answers with another address would be given the token.
            follow_redirects=False,
        )

    def _unreachable(self, error: httpx.TransportError) -> QTasksError:
        why = str(error).rstrip(".") or type(error).__name__
        hint = "Start it (`qtasks api`), or correct QTASKS_API_URL."
        if "CERTIFICATE_VERIFY_FAILED" in why:
            hint = "Name the authority of its certificate in SSL_CERT_FILE, or correct QTASKS_API_URL."
        return Unavailable(
            f"The API at {self._address.url} does not answer: {why}.", reason="ApiUnavailable", hint=hint
        )

    def _foreign(self, answer: httpx.Response) -> QTasksError:
        where = answer.headers.get("location", "")
        elsewhere = f" It names {where.partition('?')[0][:200]} instead." if answer.is_redirect and where else ""
        return Unavailable(
            f"What answers at {self._address.url} is no API of qtasks (status {answer.status_code}).{elsewhere}",
            reason="ApiUnavailable",
            hint="Correct QTASKS_API_URL, or look whether what stands before the API is well.",
        )


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _plain(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        raise Unavailable(
            f"What answers at {answer.url.copy_with(query=None)} is no API of qtasks: that is no JSON.",
            reason="ApiUnavailable",
            hint="Correct QTASKS_API_URL.",
        ) from None
