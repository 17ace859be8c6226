"""Spans of jobs' traces, by OpenTelemetry. Imported where QTASKS_TRACES is set, in the process that writes them: its
thread and its connections do not survive a fork.

The provider is ours alone and is not made the program's: an application that traces itself keeps its own.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from qtasks.errors import InvalidInput
from qtasks.telemetry import traces
from qtasks.telemetry.redaction import Redaction

_CLOSE_SECONDS = 2.0
_ids: ContextVar[tuple[int, int] | None] = ContextVar("qtasks_span_ids", default=None)
_redaction = Redaction()
_lock = threading.Lock()
_provider: TracerProvider | None = None
_pid = 0


@dataclass(frozen=True, slots=True)
class Open:
    """A span of a job that is going on."""

    span: Span


class _Ids(RandomIdGenerator):
    """Ids from the kernel, so that no fork and no seed repeats them; those of a root as they are given."""

    def generate_trace_id(self) -> int:
        given = _ids.get()
        return int.from_bytes(os.urandom(16)) if given is None else given[0]

    def generate_span_id(self) -> int:
        given = _ids.get()
        return int.from_bytes(os.urandom(8)) if given is None else given[1]


def require_exporter() -> None:
    """Raise InvalidInput (`InvalidSettings`) where OTEL_* ask for an exporter that `qtasks[otel]` does not have."""
    wanted = os.environ.get("OTEL_TRACES_EXPORTER", "otlp")
    if wanted not in ("otlp", "console", "none", ""):
        raise InvalidInput(
            f"OTEL_TRACES_EXPORTER is {wanted[:40]}, which qtasks does not have.",
            reason="InvalidSettings",
            hint="Use otlp, console or none.",
        )
    for name in ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        if os.environ.get(name, "http/protobuf") != "http/protobuf":
            raise InvalidInput(
                f"{name} is {os.environ[name][:40]}; qtasks sends http/protobuf.",
                reason="InvalidSettings",
                hint="Unset it, and name the collector's port for HTTP (4318) in OTEL_EXPORTER_OTLP_ENDPOINT.",
            )


def begin(
    name: str, job_id: str, within: Open | None, kind: str, attributes: Mapping[str, Any], *, since: int | None = None
) -> Open:
    """Begin a span of a job: within `within`, else under the root of its trace."""
    here = provider()
    parent = within.span if within is not None else NonRecordingSpan(_root_context(here, job_id))
    return Open(
        here.get_tracer("qtasks").start_span(
            name,
            context=trace.set_span_in_context(parent, Context()),
            kind=SpanKind[kind.upper()],
            attributes=_attributes(job_id, attributes),
            start_time=since,
            record_exception=False,
            set_status_on_exception=False,
        )
    )


def root(job_id: str, attributes: Mapping[str, Any], *, since: int, parent: str) -> None:
    """Write the root of a job's trace. It is linked with the span that `parent`, a `traceparent`, names, else with the
    one that the program is in."""
    found = _context_of(parent) or trace.get_current_span().get_span_context()
    token = _ids.set((int(traces.trace_id(job_id), 16), int(traces.root_id(job_id), 16)))
    try:
        span = (
            provider()
            .get_tracer("qtasks")
            .start_span(
                "submit",
                context=Context(),
                kind=SpanKind.PRODUCER,
                attributes=_attributes(job_id, attributes),
                links=[Link(found)] if found.is_valid else (),
                start_time=since,
            )
        )
    finally:
        _ids.reset(token)
    span.end()


def spoil(opened: Open, reason: str, message: str) -> None:
    opened.span.set_attribute("error.type", reason)
    opened.span.set_status(Status(StatusCode.ERROR, _redaction.text(f"{reason}: {message}" if message else reason)))


def end(opened: Open) -> None:
    opened.span.end()


def producer() -> str:
    """The span that the program is in, as a `traceparent`; empty outside of any."""
    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent", "")


def provider() -> TracerProvider:
    """This process's own."""
    global _provider, _pid
    if _provider is None or _pid != os.getpid():
        with _lock:
            if _provider is None or _pid != os.getpid():
                _provider, _pid = _made(), os.getpid()
                atexit.register(close)
    return _provider


def close() -> None:
    """Send what is left. A collector that does not answer is not waited for."""
    global _provider
    if _provider is None or _pid != os.getpid():
        return
    ending, _provider = _provider, None
    closing = threading.Thread(target=ending.shutdown, daemon=True)
    closing.start()
    closing.join(_CLOSE_SECONDS)


def _made() -> TracerProvider:
    own = {"service.name": f"qtasks-{traces.component()}"} if not os.environ.get("OTEL_SERVICE_NAME") else {}
    if "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", ""):
        own = {}
    resource = Resource.create({**own, "qtasks.component": traces.component(), "process.pid": os.getpid()})
    made = TracerProvider(resource=resource, id_generator=_Ids(), shutdown_on_exit=False)
    exporter = _exporter()
    if exporter is not None:
        made.add_span_processor(BatchSpanProcessor(exporter))
    return made


def _exporter() -> SpanExporter | None:
    wanted = os.environ.get("OTEL_TRACES_EXPORTER", "otlp")
    if wanted == "none":
        return None
    if wanted == "console":
        return ConsoleSpanExporter()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()


def _root_context(here: TracerProvider, job_id: str) -> SpanContext:
    """The root as a parent that lies elsewhere; sampled if whoever wrote it found so, which the trace's id decides."""
    number = int(traces.trace_id(job_id), 16)
    sampled = here.sampler.should_sample(Context(), number, "submit").decision.is_sampled()  # type: ignore[no-untyped-call]
    flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
    return SpanContext(number, int(traces.root_id(job_id), 16), is_remote=True, trace_flags=flags)


def _context_of(traceparent: str) -> SpanContext | None:
    if not traceparent:
        return None
    found = TraceContextTextMapPropagator().extract({"traceparent": traceparent}, Context())
    context = trace.get_current_span(found).get_span_context()
    return context if context.is_valid else None


def _attributes(job_id: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    named = {f"qtasks.{name}": value for name, value in attributes.items() if value is not None}
    return {"qtasks.job_id": job_id, **named}
