"""One trace per job, over processes and days: who has a job's id knows its trace and its root. Off by default, and then
nothing of OpenTelemetry is imported. See docs/decisions/traces.md.

`start` is called once by whoever may write spans; a process that is forked afterwards connects by itself.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from qtasks.errors import InvalidInput, QTasksError

if TYPE_CHECKING:
    from qtasks.settings import Settings
    from qtasks.telemetry.spans import Open

ROOTED = "QTasks-Trace-Root"
"""The header of a request whose sender writes the root spans of the jobs that it makes."""
TRACEPARENT = "traceparent"

Jobs = Mapping[str, Mapping[str, Any]]
"""Jobs by their ids, with the attributes that only this one has."""

_component = ""
_caller: ContextVar[tuple[str, bool]] = ContextVar("qtasks_trace_caller", default=("", False))
_open: ContextVar[Mapping[str, Open]] = ContextVar("qtasks_trace_open", default={})  # noqa: B039 - never written to


def start(component: str, config: Settings | None = None) -> None:
    """Trace from here on if QTASKS_TRACES says so. `component`: what this process is, such as `worker` or `client`.

    Raises InvalidInput: `ExtraMissing` without `qtasks[otel]`, `InvalidSettings` for an exporter that it lacks.
    """
    from qtasks.settings import settings

    global _component
    if not (config or settings()).traces:
        return
    if not _installed():
        raise InvalidInput(
            "QTASKS_TRACES is set, but OpenTelemetry is not installed.",
            reason="ExtraMissing",
            hint="Run `pip install qtasks[otel]`, or unset QTASKS_TRACES.",
        )
    from qtasks.telemetry import spans

    spans.require_exporter()
    _component = _component or component


def _installed() -> bool:
    try:
        return all(
            find_spec(name) is not None
            for name in ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http")
        )
    except ModuleNotFoundError:  # of a package above
        return False


def on() -> bool:
    """Whether this process traces."""
    return bool(_component)


def trace_id(job_id: str) -> str:
    """The trace of a job, 32 hexadecimal digits: its id, but for the 17th digit.

    Samplers take the lower half for random. In a UUID its first two bits never change, so they are mixed with two that
    do; no two jobs come to the same trace.
    """
    number = uuid.UUID(job_id).int
    return f"{number ^ (number & 3) << 62:032x}"


def root_id(job_id: str) -> str:
    """The root span of a job's trace, 16 hexadecimal digits."""
    return hashlib.sha256(f"qtasks root {uuid.UUID(job_id)}".encode()).hexdigest()[:16]


def span(
    name: str, jobs: Jobs | Sequence[str], *, kind: str = "internal", **attributes: Any
) -> AbstractContextManager[None]:
    """Time the block as a span of each of `jobs`, within the span of theirs that is open here, else under their root.

    `kind`: internal, client, server, producer or consumer. An error that leaves the block is the span's; of its text
    only the sentence of an error of ours is kept.
    """
    return _timed(name, jobs, kind, attributes) if _component else nullcontext()


@contextmanager
def _timed(name: str, jobs: Jobs | Sequence[str], kind: str, attributes: Mapping[str, Any]) -> Iterator[None]:
    from qtasks.telemetry import spans

    each = jobs if isinstance(jobs, Mapping) else {job_id: {} for job_id in jobs}
    outer = _open.get()
    opened = {
        job_id: spans.begin(name, job_id, outer.get(job_id), kind, {**attributes, **own})
        for job_id, own in each.items()
    }
    token = _open.set({**outer, **opened})
    try:
        yield
    except BaseException as error:
        for one in opened.values():
            spans.spoil(one, *_said(error))
        raise
    finally:
        _open.reset(token)
        for one in opened.values():
            spans.end(one)


def failed(job_id: str, reason: str, message: str) -> None:
    """Mark the open span of a job as failed, for an error that leads to an end and not out of the block."""
    if _component and (found := _open.get().get(job_id)) is not None:
        from qtasks.telemetry import spans

        spans.spoil(found, reason, message)


def noted(name: str, jobs: Jobs, *, since: int, kind: str = "internal", **attributes: Any) -> None:
    """Write spans after the fact: of `jobs`, from `since` (see `now`) to this moment."""
    if _component and jobs:
        from qtasks.telemetry import spans

        outer = _open.get()
        for job_id, own in jobs.items():
            spans.end(spans.begin(name, job_id, outer.get(job_id), kind, {**attributes, **own}, since=since))


def submitted(jobs: Jobs, *, since: int, **attributes: Any) -> None:
    """Write the root spans of jobs that were made since `since`, linked with whatever their producer was doing. Where
    the producer writes them itself, what was done here is a span under them."""
    if not _component or not jobs:
        return
    from qtasks.telemetry import spans

    parent, rooted = _caller.get()
    for job_id, own in jobs.items():
        if rooted:
            spans.end(spans.begin("accept", job_id, None, "server", {**attributes, **own}, since=since))
        else:
            spans.root(job_id, {**attributes, **own}, since=since, parent=parent)


def asked_by(traceparent: str | None, rooted: str | None) -> AbstractContextManager[None]:
    """Take what is submitted in the block as asked for by the span that a request's `traceparent` names; `rooted`: what
    its header ROOTED says."""
    return _asked(traceparent or "", bool(rooted)) if _component else nullcontext()


@contextmanager
def _asked(traceparent: str, rooted: bool) -> Iterator[None]:
    token = _caller.set((traceparent, rooted))
    try:
        yield
    finally:
        _caller.reset(token)


def headers() -> dict[str, str]:
    """What a submission over REST says of its trace."""
    if not _component:
        return {}
    from qtasks.telemetry import spans

    parent = spans.producer()
    return {ROOTED: "1", **({TRACEPARENT: parent} if parent else {})}


def now() -> int:
    """This moment as spans count time: nanoseconds since 1970."""
    return time.time_ns()


def component() -> str:
    """What this process is."""
    return _component


def close() -> None:
    """Send what has not been sent, for two seconds at most. Python does so as it ends; pool processes end otherwise."""
    if _component:
        from qtasks.telemetry import spans

        spans.close()


def _said(error: BaseException) -> tuple[str, str]:
    # The text of any other exception is nobody's to vouch for.
    return (error.reason, error.message) if isinstance(error, QTasksError) else (type(error).__name__, "")
