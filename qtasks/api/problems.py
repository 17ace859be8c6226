"""Errors as RFC 9457 problem documents, with the reason codes that they have everywhere. Pure."""

from __future__ import annotations

import re
from typing import Any

from qtasks.client.rest.problems import MEDIA_TYPE, URN
from qtasks.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    JobFailed,
    NotFound,
    QTasksError,
    Unavailable,
    WaitTimeout,
)

__all__ = ["MEDIA_TYPE", "document", "headers", "status_of"]

RETRY_SECONDS = 5

_BY_CLASS: dict[type[QTasksError], int] = {
    InvalidInput: 422,
    Conflict: 409,
    Forbidden: 403,
    NotFound: 404,
    JobFailed: 409,
    WaitTimeout: 504,
    Unavailable: 503,
}
_BY_REASON = {
    "BodyTimeout": 408,
    "CircuitNotKept": 406,
    "FormatUnsupported": 406,
    "HostNotAllowed": 421,
    "MethodNotAllowed": 405,
    "NotAcceptable": 406,
    "RateLimited": 429,
    "ResultExpired": 410,
    "TokenExpired": 401,
    "TokenInvalid": 401,
    "TokenRequired": 401,
    "TokenRevoked": 401,
    "TooLarge": 413,
    "UnreadableBody": 400,
    "UnsupportedMediaType": 415,
}


def status_of(error: QTasksError) -> int:
    """The HTTP status of an error."""
    if isinstance(error, JobFailed):
        return _BY_CLASS[JobFailed]  # its reason is the job's own
    found = _BY_REASON.get(error.reason)
    if found is not None:
        return found
    return next((status for kind, status in _BY_CLASS.items() if isinstance(error, kind)), 500)


def document(error: QTasksError, instance: str) -> dict[str, Any]:
    """The problem document; `instance` is the path that was asked for."""
    name = next((kind.__name__ for kind in type(error).__mro__ if kind in _BY_CLASS), QTasksError.__name__)
    return {
        "type": f"{URN}{name}",
        "title": re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).capitalize() if name != "QTasksError" else "Internal error",
        "status": status_of(error),
        "detail": error.message,
        "reason": error.reason,
        "hint": error.hint,
        "details": error.details,
        "instance": instance,
    }


def headers(error: QTasksError) -> dict[str, str]:
    """What an error says in headers: when to come again, how to log in, what else can be done."""
    status = status_of(error)
    if status == 401:
        wrong = "" if error.reason == "TokenRequired" else ', error="invalid_token"'
        return {"WWW-Authenticate": f'Bearer realm="qtasks"{wrong}'}
    if status in (429, 503) or error.reason == "JobNotFinal":
        seconds = error.details.get("retry_after", 1 if status == 409 else RETRY_SECONDS)
        return {"Retry-After": str(seconds)}
    if status == 408:
        return {"Connection": "close"}
    if status == 405:
        return {"Allow": ", ".join(error.details.get("allowed", ()))}
    return {}
