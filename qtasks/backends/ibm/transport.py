"""How requests travel: an end to each, none repeated behind the caller's back, and tokens made from the API key."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from qtasks.backends.ibm.errors import of_iam
from qtasks.backends.ibm.login import Login
from qtasks.backends.protocol import ProviderUnavailable
from qtasks.telemetry import provider_requests

TIMEOUTS = (3.0, 15.0)
"""Seconds to connect, and to wait for the next bytes."""
_RENEW_AFTER = 0.8
"""The share of a token's life after which a new one is fetched, as IBM's own library does."""


class Adapter(HTTPAdapter):
    """The library's own repeats POST requests, which makes jobs twice, and waits for an answer without end."""

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        with provider_requests.measured("ibm_quantum") as outcome:
            answer = super().send(request, stream, TIMEOUTS, verify, cert, proxies)  # type: ignore[arg-type]
            outcome.status = answer.status_code
            return answer


class Bearer(requests.auth.AuthBase):
    """Puts a token into each request. Fetching one is a request to IAM.

    The library sends the API key itself where IAM does not answer; here that raises ProviderUnavailable.
    """

    def __init__(self, login: Login) -> None:
        self._login = login
        self._lock = threading.Lock()
        self._token = ""
        self._renew_at = self._void_at = 0.0
        self.crn = ""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.token()}"
        if self.crn:
            request.headers["Service-CRN"] = self.crn
        return request

    def token(self) -> str:
        """A token that is good for a while yet. Raises CredentialsRefused, Throttled or ProviderUnavailable."""
        with self._lock:
            if time.monotonic() < self._renew_at:
                return self._token
            try:
                self._fetch()
            except ProviderUnavailable:
                if time.monotonic() >= self._void_at:
                    raise
            return self._token

    def _fetch(self) -> None:
        from ibm_cloud_sdk_core import ApiException, IAMTokenManager

        proxies = dict(self._login.proxies)
        manager = IAMTokenManager(
            self._login.key,
            url=self._login.addresses.iam,
            disable_ssl_verification=not self._login.verify,
            proxies=proxies or None,
        )
        manager.http_config = {"timeout": TIMEOUTS}
        asked = time.monotonic()
        try:
            # Not get_token(): after a failure it would wait a minute before it asks again.
            with provider_requests.measured("ibm_quantum") as outcome:
                answer = manager.request_token()
                outcome.status = 200
            self._token, seconds = str(answer["access_token"]), float(answer.get("expires_in", 3600))
        except (ApiException, requests.RequestException, KeyError, TypeError, ValueError) as error:
            problem = of_iam(error, self.hide)
        else:
            self._renew_at, self._void_at = asked + _RENEW_AFTER * seconds, asked + seconds - 1
            return
        raise problem  # not from the error, whose request has the key in it

    def hide(self, text: str) -> str:
        """The text without the key and the token."""
        for secret in (self._login.key, self._token):
            if secret:
                text = text.replace(secret, "…")
        return text


def session(bearer: Bearer, login: Login) -> requests.Session:
    """A session for requests that the library has no client for."""
    made = requests.Session()
    made.auth, made.verify = bearer, login.verify
    made.proxies.update(login.proxies)
    adapt(made)
    return made


def adapt(made: requests.Session) -> None:
    made.mount("http://", Adapter())
    made.mount("https://", Adapter())
