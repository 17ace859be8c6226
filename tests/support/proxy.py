"""A reverse proxy on loopback, as stands before an installation: one server under a path of another."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.support.servers import eventually, free_port

_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-encoding", "content-length"})


@contextmanager
def proxied(prefix: str, upstream: str) -> Iterator[str]:
    """The address of a proxy that passes what is below `prefix` on to `upstream`, path and Host unchanged, and knows
    nothing else."""
    client: httpx.AsyncClient | None = None

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        nonlocal client
        async with httpx.AsyncClient(timeout=30) as client:
            yield

    async def passed(request: Request) -> Response:
        sent = [(name, value) for name, value in request.headers.items() if name not in _HOP]
        address = f"{upstream}{request.url.path}" + (f"?{request.url.query}" if request.url.query else "")
        assert client is not None, "the server has started"
        try:
            answer = await client.request(request.method, address, headers=sent, content=await request.body())
        except httpx.TransportError:
            return Response(status_code=502)
        kept = {name: value for name, value in answer.headers.items() if name not in _HOP}
        return Response(answer.content, answer.status_code, kept)

    methods = ["GET", "HEAD", "POST", "OPTIONS"]
    app = Starlette(routes=[Route(f"{prefix}/{{rest:path}}", passed, methods=methods)], lifespan=lifespan)
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, loop="asyncio"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        eventually(lambda: server.started, what="the proxy listening")
        yield f"http://127.0.0.1:{port}{prefix}"
    finally:
        server.should_exit = True
        thread.join(20)
