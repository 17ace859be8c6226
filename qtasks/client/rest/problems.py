"""Problem documents (RFC 9457) of the API as the errors that they were made of. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

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

MEDIA_TYPE = "application/problem+json"
URN = "urn:qtasks:"
_CLASSES = {
    kind.__name__: kind
    for kind in (QTasksError, InvalidInput, Conflict, Forbidden, NotFound, Unavailable, WaitTimeout, JobFailed)
}


def error_of(content_type: str, body: bytes) -> QTasksError | None:
    """The error that an answer tells of; None for one that no qtasks has written."""
    if content_type.partition(";")[0].strip().lower() != MEDIA_TYPE:
        return None
    try:
        problem = json.loads(body)
    except ValueError:
        return None
    if not isinstance(problem, Mapping):
        return None
    kind = _CLASSES.get(str(problem.get("type", "")).removeprefix(URN))
    return None if kind is None else _error(kind, problem)


def _error(kind: type[QTasksError], problem: Mapping[str, Any]) -> QTasksError:
    details = problem.get("details")
    return kind(
        str(problem.get("detail", problem.get("title", ""))),
        reason=str(problem.get("reason", "")) or None,
        hint=str(problem.get("hint", "")),
        details=dict(details) if isinstance(details, Mapping) else None,
    )
