"""The processes of the API: uvicorn's, all on one port, started again when they die."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import ssl
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.supervisors import Multiprocess

from qtasks.client.direct import Installation
from qtasks.errors import InvalidInput, Unavailable
from qtasks.settings import Settings, settings
from qtasks.telemetry import metric
from qtasks.telemetry.logs import serving

# Only the processes that serve import the application: the one that supervises them needs none of it.
if TYPE_CHECKING:
    from fastapi import FastAPI

log = logging.getLogger(__name__)

_GRACE_SECONDS = 20
_HEALTH_SECONDS = 30
"""How long a process may not answer its supervisor before it is taken for hung: a loaded machine is slow."""


def serve(config: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then finish what was asked. Raises InvalidInput (`InvalidSettings`) and
    Unavailable (`AddressInUse`, and what is away of the installation)."""
    # Each process reads its settings from the environment.
    os.environ.update(config.environment())
    server = _config(config)
    Installation.open(config).close()
    with TemporaryDirectory(prefix="qtasks-api-") as folder:
        # Before any process starts: all of them count there.
        metric.switch_on(Path(folder))
        _serve(server, config)


def _serve(server: uvicorn.Config, config: Settings) -> None:
    sockets = [_bound(server, config)]
    host, port = sockets[0].getsockname()[:2]
    scheme = "https" if config.api_tls_cert else "http"
    address = f"qtasks api: {scheme}://{f'[{host}]' if ':' in host else host}:{port}"
    if serving():
        log.info("%s", address)
    else:
        sys.stdout.write(f"{address}\n")
        sys.stdout.flush()
    if config.api_workers == 1:
        # Having stopped, uvicorn sends itself the signal again, for handlers that it does not have here.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        uvicorn.Server(server).run(sockets)
    else:
        Multiprocess(server, sockets).run()


def app() -> FastAPI:
    """The application of one process, as uvicorn makes it."""
    from qtasks.api.app import create_app
    from qtasks.telemetry import logs, traces

    metric.switch_on(metric.folder())
    logs.set_up("api", settings())
    traces.start("api", settings())
    if settings().api_workers > 1 and sys.platform == "linux":
        # A supervisor that was killed takes its processes along, instead of leaving them with the port.
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)
    return create_app(settings())


def _config(config: Settings) -> uvicorn.Config:
    if (config.api_tls_cert is None) != (config.api_tls_key is None):
        raise InvalidInput(
            "QTASKS_API_TLS_CERT and QTASKS_API_TLS_KEY go together.",
            reason="InvalidSettings",
            hint="Set both, or neither.",
        )
    tls: dict[str, Any] = {}
    if config.api_tls_cert is not None:
        tls = {"ssl_certfile": config.api_tls_cert, "ssl_keyfile": config.api_tls_key}
        if config.api_tls_client_ca is not None:
            tls |= {"ssl_ca_certs": config.api_tls_client_ca, "ssl_cert_reqs": ssl.CERT_REQUIRED}
    elif config.api_tls_client_ca is not None:
        raise InvalidInput("QTASKS_API_TLS_CLIENT_CA needs QTASKS_API_TLS_CERT.", reason="InvalidSettings")
    return uvicorn.Config(
        "qtasks.api.server:app",
        factory=True,
        host=config.api_host,
        port=config.api_port,
        workers=config.api_workers,
        loop="uvloop",
        http="qtasks.api.protocol:Connection",
        ws="none",
        lifespan="on",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        timeout_worker_healthcheck=_HEALTH_SECONDS,
        **tls,
    )


def _bound(server: uvicorn.Config, config: Settings) -> Any:
    try:
        return server.bind_socket()
    except SystemExit:
        raise Unavailable(
            f"Nothing can listen on {config.api_host}:{config.api_port}.",
            reason="AddressInUse",
            hint="Stop what listens there, or take another: `qtasks api --port 8001`.",
        ) from None
