"""The Python API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtasks.client.client import Client
from qtasks.client.job import Job

if TYPE_CHECKING:
    from qtasks.client.aio import AsyncClient, AsyncJob

__all__ = ["AsyncClient", "AsyncJob", "Client", "Job"]


def __getattr__(name: str) -> Any:
    # Few programs have an event loop; the others need not load one.
    if name in __all__:
        from qtasks.client import aio

        return getattr(aio, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
