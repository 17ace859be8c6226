"""A collector of traces on loopback: OTLP over HTTP, in protobuf, as any backend of OpenTelemetry takes it."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Span:
    """A span as it was sent; ids in hexadecimal, `parent` empty for a root."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    kind: int
    links: tuple[tuple[str, str], ...]
    error: str
    """The description of its error; empty where it ended well."""
    attributes: dict[str, Any]
    start: int
    end: int


class Collector:
    """What has come so far."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._spans: list[Span] = []
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        found = [
            _span(resource.resource, span)
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        with self._lock:
            self._spans += found

    def of(self, trace: str) -> dict[str, Span]:
        """The spans of a trace by name; of several of one name the latest to come."""
        with self._lock:
            return {span.name: span for span in self._spans if span.trace == trace}


def _span(resource: Any, span: Any) -> Span:
    own = {each.key: each.value.string_value for each in resource.attributes}
    kinds = ("string_value", "int_value", "bool_value", "double_value")
    return Span(
        own["service.name"],
        span.name,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.kind,
        tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
        span.status.message if span.status.code == 2 else "",
        {
            each.key: next(getattr(each.value, kind) for kind in kinds if each.value.HasField(kind))
            for each in span.attributes
        },
        span.start_time_unix_nano,
        span.end_time_unix_nano,
    )


@contextmanager
def collector() -> Iterator[Collector]:
    """A collector that listens while the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            found.take(body)
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found = Collector(server.server_port)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
