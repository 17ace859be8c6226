"""A small HTTP server for `/metrics`, `/healthz` and `/readyz`, in threads of a process whose business is another."""

from __future__ import annotations

import hmac
import logging
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from qtasks.settings import Settings
from qtasks.telemetry import exposition
from qtasks.telemetry.probes import Answer

log = logging.getLogger(__name__)

Pages = Mapping[str, Callable[[], Answer]]
_PATIENCE_SECONDS = 5.0
_AT_ONCE = 16


def serve(config: Settings, pages: Pages) -> int | None:
    """Answer `pages` at QTASKS_METRICS_HOST and QTASKS_METRICS_PORT as long as this process lives; returns the port.

    None: nothing could listen there. It is logged, and no reason not to do the work.
    """
    try:
        server = _Server((config.metrics_host, config.metrics_port), _handler(config, pages))
    except OSError as error:
        where = f"{config.metrics_host}:{config.metrics_port}"
        log.error("nothing can listen on %s (%s): this process has no /metrics and no probes", where, error.strerror)
        return None
    threading.Thread(target=server.serve_forever, name="probes", daemon=True).start()
    return int(server.server_address[1])


def metrics_page(readings: Callable[[], list[exposition.Reading]]) -> Callable[[], Answer]:
    """The page of what was counted, and of the gauges that `readings` gives when it is asked."""
    return lambda: Answer(200, exposition.text(readings()), exposition.CONTENT_TYPE)


def may_read(config: Settings, authorization: str) -> bool:
    """Whether a request with this Authorization header may read the metrics."""
    if config.metrics_token is None:
        return True
    scheme, _, token = authorization.partition(" ")
    wanted = config.metrics_token.get_secret_value()
    return scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode(), wanted.encode())


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    _turns = threading.BoundedSemaphore(_AT_ONCE)

    def process_request(self, request: Any, client_address: Any) -> None:
        # Who opens connections and says nothing takes no thread from anybody but a probe that comes right then.
        if not self._turns.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._turns.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("a probe went away", exc_info=True)


def _handler(config: Settings, pages: Pages) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _PATIENCE_SECONDS
        server_version, sys_version = "qtasks", ""

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            page = pages.get(path)
            if page is None:
                self._send(Answer(404, b"There are /metrics, /healthz and /readyz.\n", "text/plain"))
            elif path == "/metrics" and not may_read(config, self.headers.get("Authorization", "")):
                self._send(Answer(401, b"QTASKS_METRICS_TOKEN is wanted as a bearer token.\n", "text/plain"))
            else:
                self._send(self._answer(page))

        do_HEAD = do_GET  # noqa: N815

        def _answer(self, page: Callable[[], Answer]) -> Answer:
            try:
                return page()
            except Exception:
                log.exception("%s cannot be answered", self.path[:100])
                return Answer(500, b"The log says why.\n", "text/plain")

        def _send(self, answer: Answer) -> None:
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.content)))
            if answer.status == 401:
                self.send_header("WWW-Authenticate", "Bearer")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Probes come every few seconds: nobody wants to read of each."""

    return Handler
