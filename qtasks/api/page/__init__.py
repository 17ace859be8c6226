"""The page that the API serves at `/`: server-rendered HTML over the same gateway, with the same permissions."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from fastapi import APIRouter
    from starlette.requests import Request
    from starlette.responses import Response

    from qtasks.api.page.visit import Visit
    from qtasks.errors import QTasksError


def router() -> APIRouter:
    """All of it, for `app.include_router(router())`; the application's state has its `serving`."""
    from qtasks.api.page.routes import router as made

    return made()


async def told(request: Request, error: QTasksError) -> Response:
    """An error as a page."""
    from qtasks.api.page.visit import endpoint

    def refuse(_: Visit) -> NoReturn:
        raise error

    return await endpoint(refuse)(request)
