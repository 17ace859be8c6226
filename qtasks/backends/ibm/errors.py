"""What IBM's refusals mean for a job and its account."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Callable
from typing import Any

from qtasks.backends.protocol import BackendError, CredentialsRefused, ProviderUnavailable, Throttled
from qtasks.errors import QTasksError

Hide = Callable[[str], str]
_LONGEST = 500
_NO_BACKEND = {"1007", "1214"}
_SESSION_CLOSED = {"1215", "1216"}


def of_request(error: BaseException, doing: str, hide: Hide) -> QTasksError:
    """The error of a request to the API that failed while `doing` something.

    401 gives CredentialsRefused, 429 Throttled, another 4xx BackendError (404: `NotFound`), anything else
    ProviderUnavailable.
    """
    response = response_of(error)
    if response is None:
        return ProviderUnavailable(f"IBM Quantum gave no answer when {doing}: {_kind(error)}.")
    status = int(response.status_code)
    message, code = said(response, hide)
    if status == 401:
        return CredentialsRefused(f"IBM Quantum did not take the account's token when {doing}: {message}.")
    if status == 429:
        return Throttled(f"IBM Quantum asks for patience when {doing}: {message}.", retry_after=_patience(response))
    if status == 408 or status >= 500 or status < 400:
        return ProviderUnavailable(f"IBM Quantum answered {status} when {doing}: {message}.")
    details = {"status": status, "code": code}
    text = f"IBM Quantum refused {doing}: {message}{f' (code {code})' if code else ''}."
    if status == 403:
        hint = "Ask who owns the instance for access, or use another device or account."
        return BackendError(text, reason="ProviderForbidden", hint=hint, details=details)
    if code in _NO_BACKEND:
        hint = "Name a device that the account may use."
        return BackendError(text, reason="NoSuchDevice", hint=hint, details=details)
    if code in _SESSION_CLOSED:
        return BackendError(text, reason="SessionClosed", heals=True, details=details)
    reason = "NotFound" if status == 404 else "ProviderRefused"
    return BackendError(text, reason=reason, hint="Correct what the message names.", details=details)


def of_iam(error: BaseException, hide: Hide) -> QTasksError:
    """The error of a token that could not be fetched. A refused API key gives CredentialsRefused."""
    response = getattr(error, "http_response", None)
    if response is None:
        response = response_of(error)
    if response is None:
        return ProviderUnavailable(f"IBM Cloud IAM gave no answer: {_kind(error)}.")
    status = int(response.status_code)
    message, _ = said(response, hide)
    if status == 429:
        return Throttled(f"IBM Cloud IAM asks for patience: {message}.", retry_after=_patience(response))
    if status in (400, 401, 403):
        return CredentialsRefused(f"IBM Cloud IAM did not take the account's API key: {message}.")
    return ProviderUnavailable(f"IBM Cloud IAM answered {status}: {message}.")


def response_of(error: BaseException | None) -> Any:
    """The HTTP response that an exception, or one that it was raised from, carries."""
    while error is not None:
        response = getattr(error, "response", None)
        if response is not None:
            return response
        error = error.__cause__ or error.__context__
    return None


def said(response: Any, hide: Hide) -> tuple[str, str]:
    """The provider's own message, in one line, and its code, if any."""
    try:
        body = response.json()
    except ValueError:
        body = None
    message, code = "", ""
    if isinstance(body, dict):
        first = body.get("errors") or [body.get("error") or body]
        inner = first[0] if isinstance(first, list) and first and isinstance(first[0], dict) else {}
        message = str(inner.get("message") or inner.get("errorMessage") or "")
        code = str(inner.get("code") or inner.get("errorCode") or "")
    message = message or f"HTTP {response.status_code} {response.reason or ''}".strip()
    return hide(" ".join(message.split()))[:_LONGEST].rstrip("."), code[:40]


def _patience(response: Any) -> float | None:
    """Seconds that `Retry-After` asks for: a number of seconds, or a date."""
    text = str(response.headers.get("Retry-After", "")).strip()
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None


def _kind(error: BaseException) -> str:
    """What kind of error it was: never its text, in which there may be addresses, or an answer with secrets in it."""
    cause = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    names = {type(error).__name__, type(cause).__name__}
    if any("JSON" in name for name in names) or isinstance(error, (KeyError, TypeError)):
        return "its answer cannot be read"
    if any("Timeout" in name or name == "timeout" for name in names):
        return "it took too long"
    if any("SSL" in name for name in names):
        return "the encrypted connection failed"
    return "the connection failed"
