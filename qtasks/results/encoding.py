"""A result as bytes: canonical JSON on one line, and back."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from qtasks.errors import InvalidInput, QTasksError
from qtasks.results.model import JobResult

# ASCII, so that no line separator of Unicode can break a line; no NaN, which is no JSON.
_encoder = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=True)


def encode(result: JobResult) -> bytes:
    """The result as JSON: keys sorted, no blanks, ASCII, one line without its end; equal results give equal bytes.

    Raises InvalidInput (`ResultNotEncodable`) when metadata holds what JSON cannot (objects, NaN, infinity).
    """
    try:
        return _encoder.encode(result.to_dict()).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(
            f"The result of job {result.job_id} cannot be written as JSON: {error}.",
            reason="ResultNotEncodable",
            hint="Metadata may hold texts, finite numbers, lists and objects.",
        ) from None


def decode(data: bytes, *, sha256: str | None = None) -> JobResult:
    """The result that `encode` wrote; with `sha256` (hex), only if the bytes have that digest.

    Raises QTasksError (`ResultCorrupt`) for any other bytes.
    """
    if sha256 is not None and digest(data) != sha256:
        raise corrupt(f"its SHA-256 is {digest(data)}, and {sha256} was noted")
    try:
        plain: Any = json.loads(data)
        return JobResult.from_dict(plain)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise corrupt(f"{type(error).__name__}: {error}"[:200]) from None


def digest(data: bytes) -> str:
    """SHA-256 in lower-case hex, as it stands in a result's row."""
    return hashlib.sha256(data).hexdigest()


def corrupt(why: str) -> QTasksError:
    return QTasksError(
        f"The stored result cannot be read ({why}).",
        reason="ResultCorrupt",
        hint="Run the job again; if others fail too, look at the object store.",
    )
