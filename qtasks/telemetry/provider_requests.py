"""Counting and timing requests to providers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from qtasks.telemetry import metrics


@dataclass(slots=True)
class Outcome:
    """What came of a request; its sender says."""

    status: int | None = None
    """Of HTTP; None: no answer."""


@contextmanager
def measured(provider: str) -> Iterator[Outcome]:
    """Measure the one request that the block sends; an exception that knows the answer's status is asked for it."""
    outcome = Outcome()
    started = time.monotonic()
    try:
        yield outcome
    except Exception as error:
        outcome.status = status_of(error)
        raise
    finally:
        metrics.PROVIDER_SECONDS.observe(time.monotonic() - started, provider=provider)
        metrics.PROVIDER_REQUESTS.count(provider=provider, outcome=_class_of(outcome.status))


def status_of(error: BaseException) -> int | None:
    """The HTTP status that botocore's ClientError, or IBM's ApiException, has of the answer; None without one."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        found = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        throttled = "Throttl" in str(response.get("Error", {}).get("Code", "")) or found == 429
        return 429 if throttled else found
    for name in ("status_code", "code"):
        found = getattr(error, name, None)
        if isinstance(found, int):
            return found
    return None


def _class_of(status: int | None) -> str:
    if status is None:
        return "error"
    return "429" if status == 429 else f"{status // 100}xx"
