"""A result as an object of Google Cloud Storage: one PUT, which is atomic there."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from qtasks.errors import Forbidden, InvalidInput, Unavailable
from qtasks.results.formats import MEDIA_TYPES
from qtasks.results.outputs import objects
from qtasks.results.outputs.places import bucket_and_key
from qtasks.results.outputs.protocol import Ask, Delivery, Means, Question

_ENDPOINT = "https://storage.googleapis.com"
_SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_ACCOUNT_KEYS = ("service-account.json", "credentials.json", "key.json")
_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")


class GCSOutput:
    """An Output that puts `<bucket>/<key>`, with a token of the service account whose JSON key lies in the secret that
    the job names under `service-account.json` (or `credentials.json`, `key.json`); without one where the secret has an
    `endpoint` alone. In the embedded stack a job that names none uses what Google's libraries find.

    `template`: the location before its fields were filled in.
    """

    def __init__(self, means: Means, template: str = "") -> None:
        self._means = means
        self._template = template

    def deliver(self, job: Delivery, rendered: bytes) -> str:
        """Put it, and give its address.

        Raises InvalidInput (`InvalidOutput`, `InvalidSecret`, `OutputTooLarge`), NotFound (`BucketNotFound`),
        Forbidden (`NoOutputCredentials`, `OutputForbidden`) or Unavailable (`OutputUnavailable`).
        """
        bucket, key = bucket_and_key(job.location, job, self._template or job.location)
        if not _BUCKET.fullmatch(bucket) or ".." in bucket:
            raise InvalidInput(f"{bucket[:80]!r} is not the name of a bucket.", reason="InvalidOutput")
        endpoint, token, ask = self._access()
        headers = {"Content-Type": MEDIA_TYPES[job.format], "Content-MD5": objects.md5(rendered)}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        answer = ask(Question("PUT", f"{endpoint}/{bucket}/{quote(key, safe='/~')}", headers, rendered))
        shown = f"gs://{bucket}/{key}"
        objects.check(answer, shown, bucket)
        return shown

    def _access(self) -> tuple[str, str, Ask]:
        """Endpoint, token (empty: none is needed) and how it is asked."""
        secret = self._means.secret
        if secret is not None:
            ask = objects.known(self._means.ask)
            endpoint = secret.get("endpoint", "").strip().rstrip("/")
            text = next((secret[key] for key in _ACCOUNT_KEYS if secret.get(key)), "")
            if not text and not endpoint:
                raise InvalidInput(
                    "The secret for the output has no key service-account.json.",
                    reason="InvalidSecret",
                    hint="Put the JSON key of a service account there, and name the secret in output.credentials.",
                )
            return endpoint or _ENDPOINT, _token(_account(text), ask) if text else "", ask
        if not self._means.settings.embedded:
            raise objects.no_credentials("the JSON key of a service account, as service-account.json,")
        ask = objects.known(self._means.ask_own)
        emulator = os.environ.get("STORAGE_EMULATOR_HOST", "").rstrip("/")
        if emulator:
            return emulator if "://" in emulator else f"http://{emulator}", "", ask
        return _ENDPOINT, _own_token(), ask


def _account(text: str) -> Mapping[str, str]:
    try:
        found: Any = json.loads(text)
        wanted = {name: found[name] for name in ("type", "client_email", "private_key", "token_uri")}
        if wanted["type"] == "service_account" and all(isinstance(value, str) for value in wanted.values()):
            return {**wanted, "private_key_id": str(found.get("private_key_id", ""))}
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise InvalidInput(
        "The secret for the output holds no JSON key of a service account.",
        reason="InvalidSecret",
        hint="Create one: gcloud iam service-accounts keys create service-account.json",
    )


def _token(account: Mapping[str, str], ask: Ask) -> str:
    """An access token for what a service account signs (RFC 7523)."""
    from google.auth import crypt, jwt
    from google.auth.exceptions import GoogleAuthError

    now = int(time.time())
    claims: dict[str, str | int] = {"iss": account["client_email"], "scope": _SCOPE, "aud": account["token_uri"]}
    try:
        signer = crypt.RSASigner.from_service_account_info(account)  # type: ignore[no-untyped-call]
        claims |= {"iat": now, "exp": now + 600}
        assertion = jwt.encode(signer, claims).decode()  # type: ignore[no-untyped-call]
    except (ValueError, GoogleAuthError):
        raise InvalidInput("The service account's private_key cannot be read.", reason="InvalidSecret") from None
    body = urlencode({"grant_type": _GRANT, "assertion": assertion}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = ask(Question("POST", account["token_uri"], headers, body))
    if answer.status >= 500 or answer.status in (408, 429):
        raise Unavailable(f"No token could be had at present (HTTP {answer.status}).", reason="OutputUnavailable")
    try:
        token = json.loads(answer.body)["access_token"] if answer.status == 200 else ""
    except (ValueError, KeyError, TypeError, RecursionError):
        token = ""
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise Forbidden(
            f"The service account is given no token (HTTP {answer.status}).",
            reason="OutputForbidden",
            hint="Create a new key for it, and put that into the secret.",
        )
    return token


def _own_token() -> str:
    """A token of what the user of an embedded stack has: `gcloud auth application-default login`."""
    from functools import partial

    import google.auth
    from google.auth.exceptions import GoogleAuthError
    from google.auth.transport.requests import Request

    try:
        credentials, _ = google.auth.default(scopes=[_SCOPE])
        credentials.refresh(partial(Request(), timeout=5))  # type: ignore[no-untyped-call]
    except GoogleAuthError as error:
        raise Forbidden(
            f"Your credentials for Google Cloud cannot be used ({type(error).__name__}).",
            reason="NoOutputCredentials",
            hint="Name a secret in output.credentials, or run gcloud auth application-default login.",
        ) from None
    return str(credentials.token)
