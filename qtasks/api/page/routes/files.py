"""Style, script and icon of the page."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from qtasks.api.page.rendering import asset


async def show(request: Request) -> Response:
    try:
        return asset(request.path_params["name"])
    except KeyError:
        return PlainTextResponse("There is no such file.\n", 404)


async def icon(_request: Request) -> Response:
    return asset("icon.svg")
