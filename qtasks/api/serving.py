"""What one process of the API holds: its installation, the gateways of callers, and how calls are run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

from sqlalchemy.exc import DataError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.datastructures import Headers
from starlette.requests import Request

from qtasks.api.changes import Changes
from qtasks.api.gateways import Gateways
from qtasks.api.rate import Rate
from qtasks.client.direct import Installation
from qtasks.client.gateway import Gateway
from qtasks.errors import InvalidInput, Unavailable
from qtasks.lifecycle import Phase
from qtasks.settings import Settings
from qtasks.store import jobs
from qtasks.telemetry import traces

T = TypeVar("T")

_THREADS = 16
"""Calls of one process at a time. More would only take turns: what they wait for most is one another's Python."""
_WAITING_THREADS = 4
"""Threads for the few calls that wait for others; most waiting needs none (see `changes`)."""
_CHUNK = 1000


class Serving:
    """One process's share of serving; `open()` in the loop that serves."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.rate = Rate(settings.api_rate, settings.broker)
        self.changes = Changes(settings.broker, self._phases)

    async def open(self) -> None:
        """Connect. Raises Unavailable, and InvalidInput of a database of another release."""
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="api")
        self._waiting = ThreadPoolExecutor(_WAITING_THREADS, thread_name_prefix="api-waiting")
        self.installation = await self.run(lambda: Installation.open(self.settings, pool_size=_THREADS // 2))
        self._gateways = Gateways(self.installation)
        self.changes.start()

    async def close(self) -> None:
        await self.changes.close()
        await self.rate.close()
        await self.run(self.installation.close)
        for threads in (self._threads, self._waiting):
            threads.shutdown(cancel_futures=True)
        traces.close()

    def stop(self) -> None:
        """The process is to end: whoever waits is answered at once."""
        self.changes.stop()

    def principal(self, token: str | None) -> str | None:
        """Whose token it is, if anything was done for it lately."""
        return None if token is None else self._gateways.of(token).principal

    async def ask(self, token: str | None, call: Callable[[Gateway], T], *, waits: bool = False) -> T:
        """What `call` gives for whoever shows this token; it runs in a thread, and raises what the gateway raises.
        `waits`: mostly it waits for somebody else, and is to keep nobody from being served meanwhile."""
        caller = self._gateways.of(token)
        return await self.run(lambda: caller.ask(call), waits=waits)

    def gateway(self, token: str | None) -> Gateway:
        """The way to the queue of whoever shows this token; what is asked of it takes its time: see `run`."""
        return self._gateways.of(token).gateway

    async def run(self, call: Callable[[], T], *, waits: bool = False) -> T:
        """What `call` gives; it runs in a thread, which logs and traces as the request does."""
        threads = self._waiting if waits else self._threads
        here = copy_context()
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, lambda: here.run(call))
        except (DataError, OverflowError) as error:
            # What no model forbids, and no column has room for; the values are in no message of ours.
            raise InvalidInput(
                "A value is larger than can be kept.",
                reason="OutOfRange",
                hint="Send a smaller one.",
                details={"error": type(error).__name__},
            ) from error
        except PoolTimeoutError:
            raise Unavailable(
                "More is asked at once than the database's connections carry.",
                reason="Overloaded",
                hint="Try again in a moment.",
            ) from None

    async def _phases(self, ids: Sequence[str]) -> Mapping[str, Phase]:
        def look() -> dict[str, Phase]:
            found: dict[str, Phase] = {}
            with self.installation.store.read() as tx:
                for start in range(0, len(ids), _CHUNK):
                    found |= jobs.phases(tx, ids[start : start + _CHUNK])
            return found

        return await self.run(look)


def serving(request: Request) -> Serving:
    """What serves this request."""
    found: Serving = request.app.state.serving
    return found


async def ask(request: Request, call: Callable[[Gateway], T], *, waits: bool = False) -> T:
    """What `call` gives for whoever sent the request."""
    return await serving(request).ask(bearer(request.headers), call, waits=waits)


def bearer(given: Headers) -> str | None:
    """The bearer token of a request; another scheme's credentials count as a token that nobody has."""
    header = given.get("authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else f"({scheme[:20]})"
