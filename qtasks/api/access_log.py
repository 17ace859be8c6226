"""A line for each request that was answered: who asked what, with which status, and how long it took."""

from __future__ import annotations

import logging
import time

from starlette.types import Scope

log = logging.getLogger(__name__)

_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
_GONE = 499
"""The status of a request whose sender did not wait for the answer."""


def told(scope: Scope, status: int | None, began: float) -> None:
    """Log a request that began at `began`, by the monotonic clock. What comes every few seconds, and what a page loads,
    is told at `debug`; a query may be anything, and is not told."""
    path = scope["path"]
    usual = path in _PROBES or path.startswith(("/static/", "/docs/static/", "/page/files/"))
    level = logging.DEBUG if usual else logging.INFO
    if not log.isEnabledFor(level):
        return
    answered, seconds = _GONE if status is None else status, time.monotonic() - began
    client = (scope.get("client") or ("",))[0]
    about = {"method": scope["method"], "path": path[:500], "status": answered, "client": client}
    log.log(
        level,
        "%s %s %d in %.1f ms",
        scope["method"],
        path[:500],
        answered,
        1e3 * seconds,
        extra={**about, "seconds": round(seconds, 6)},
    )
