"""The REST application: its routes, what every request passes, and what errors become."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Match
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from qtasks.api import collect, events, health, jobs, kept, many, metrics, money, openapi, page, result
from qtasks.api.answers import refusal
from qtasks.api.gate import Gate
from qtasks.api.serving import Serving
from qtasks.client.gateway import Kept
from qtasks.errors import InvalidInput, NotFound, QTasksError
from qtasks.settings import Settings

_ABOUT = """\
The queue for quantum circuits: submit a circuit, look at its job, retrieve its result.

Errors are problem documents (RFC 9457) with a `reason`, a sentence and a `hint`. Times are UTC. Amounts are text.
"""


def create_app(settings: Settings) -> FastAPI:
    """The application over the installation that `settings` name. Raises InvalidInput (`InvalidSettings`)."""
    # Whoever asks brings a token along; the server has none, and is at no other server's mercy.
    settings = settings.model_copy(update={"api_token": None, "api_url": ""})
    serving = Serving(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        await serving.open()
        try:
            # Each connection has this, and tells of its end: see `protocol`.
            yield {"serving": serving}
        finally:
            await serving.close()

    # Swagger UI from the package: a browser inside of a network without the internet shows it too.
    app = FastAPIOffline(
        title="qtasks",
        version=version("qtasks"),
        description=_ABOUT,
        lifespan=lifespan,
        docs_url="/docs",
        redoc_url=None,
        static_url="/docs/static",
        favicon_url="/page/icon.svg",
        redirect_slashes=False,
        middleware=list(_middleware(settings, serving)),
    )
    app.state.serving = serving
    app.state.figures = metrics.Figures(settings)
    app.include_router(metrics.router)
    for router in (many.router, result.router, events.router, jobs.router, collect.router, money.router, health.router):
        app.include_router(router)
    for kind in Kept:
        app.include_router(kept.router(kind))
    app.add_exception_handler(QTasksError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _unrouted)
    openapi.install(app)
    app.include_router(page.router())
    return app


def _middleware(settings: Settings, serving: Serving) -> list[Middleware]:
    found = []
    if settings.api_proxies:
        trusted = [proxy.strip() for proxy in settings.api_proxies.split(",") if proxy.strip()]
        found.append(Middleware(ProxyHeadersMiddleware, trusted_hosts=trusted))
    found.append(Middleware(Gate, serving=serving))
    origins = [origin.strip().rstrip("/") for origin in settings.api_cors_origins.split(",") if origin.strip()]
    if origins:
        shown = ["ETag", "Location", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-ID"]
        found.append(
            Middleware(
                CORSMiddleware,
                allow_origins=origins,
                allow_methods=["GET", "POST", "DELETE"],
                allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "Last-Event-ID"],
                expose_headers=shown,
            )
        )
    return found


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, QTasksError), "it is registered for these"
    metrics.note_rejection(request.scope, error.reason)
    return refusal(error, request.url.path)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError), "it is registered for these"
    problems = [
        {"path": ".".join(map(str, each["loc"])), "value": None, "message": each["msg"]} for each in error.errors()
    ]
    lines = "\n".join(f"{each['path']}: {each['message']}" for each in problems)
    metrics.note_rejection(request.scope, "InvalidParameter")
    found = InvalidInput(lines, reason="InvalidParameter", hint="See /docs.", details={"problems": problems})
    return refusal(found, request.url.path)


async def _unrouted(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), "it is registered for these"
    path = request.url.path
    if error.status_code == 404:
        missing = NotFound(f"There is nothing at {path[:200]}.", reason="NoSuchRoute", hint="See /docs.")
        browser = request.method == "GET" and "text/html" in request.headers.get("accept", "")
        return await page.told(request, missing) if browser and not path.startswith("/v1/") else refusal(missing, path)
    if error.status_code == 405:
        allowed = _allowed(request)
        wrong = InvalidInput(
            f"{request.method} is not for {path[:200]}.",
            reason="MethodNotAllowed",
            hint=f"There is {', '.join(allowed)}.",
            details={"allowed": allowed},
        )
        return refusal(wrong, path)
    return refusal(InvalidInput(str(error.detail), reason="UnreadableBody"), path)


def _allowed(request: Request) -> list[str]:
    """The methods that the path has, whichever route serves each."""
    routes = request.app.router.routes
    return [
        method
        for method in ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    ]
