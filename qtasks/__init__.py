"""qtasks: the task queue for quantum circuits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qtasks.client import AsyncClient, AsyncJob, Client, Job

__all__ = ["AsyncClient", "AsyncJob", "Client", "Job"]


def __getattr__(name: str) -> Any:
    # Workers and sandboxes import parts of the package; none of them wants the client.
    if name in __all__:
        from qtasks import client

        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
