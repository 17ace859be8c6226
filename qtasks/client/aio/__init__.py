"""The Python API for programs with an event loop: the same client, its calls in threads."""

from qtasks.client.aio.client import AsyncClient
from qtasks.client.aio.job import AsyncJob

__all__ = ["AsyncClient", "AsyncJob"]
