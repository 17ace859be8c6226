"""Answers: plain data as JSON, problem documents, and entity tags."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from qtasks.api import problems
from qtasks.errors import QTasksError

JSON = "application/json"


def encoded(content: Any) -> bytes:
    """Plain data as JSON on one line; a Decimal as text, so that no digit of an amount is lost."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_plain).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} is no JSON")


def answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(encoded(content), status, dict(headers or {}), JSON)


def refusal(error: QTasksError, path: str) -> Response:
    """The problem document of an error."""
    content = encoded(problems.document(error, path))
    return Response(content, problems.status_of(error), problems.headers(error), problems.MEDIA_TYPE)


def tag(content: bytes) -> str:
    """The entity tag of a representation that was made just now."""
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def known(request: Request, etag: str) -> bool:
    """Whether the caller has the representation with this tag, by If-None-Match."""
    given = request.headers.get("if-none-match")
    if given is None:
        return False
    tags = [one.strip().removeprefix("W/") for one in given.split(",")]
    return "*" in tags or etag in tags


def unless_known(request: Request, content: bytes, media_type: str, etag: str, **headers: str) -> Response:
    """The representation, or 304 when the caller has it."""
    headers = {"ETag": etag, **headers}
    return (
        Response(status_code=304, headers=headers)
        if known(request, etag)
        else Response(content, 200, headers, media_type)
    )
