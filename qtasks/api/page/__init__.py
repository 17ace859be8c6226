"""The page that the API serves at `/`: server-rendered HTML over the same gateway, with the same permissions."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import APIRouter


def router() -> APIRouter:
    """All of it, for `app.include_router(router())`; the application's state has its `serving`."""
    from qtasks.api.page.routes import router as made

    return made()
