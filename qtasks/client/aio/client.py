"""The client for programs with an event loop: every rule is `Client`'s; its calls run in a few threads."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Concatenate, ParamSpec, TypeVar

from qtasks.client import asking
from qtasks.client.aio.calls import awaited
from qtasks.client.aio.job import AsyncJob
from qtasks.client.aio.watch import Watch
from qtasks.client.client import Client
from qtasks.client.job import Job
from qtasks.lifecycle import Phase
from qtasks.settings import Settings, settings

P = ParamSpec("P")
T = TypeVar("T")

_THREADS = 12


def _of_job(
    method: Callable[Concatenate[Client, P], Job],
) -> Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, AsyncJob]]:
    @functools.wraps(method)
    async def call(self: AsyncClient, /, *arguments: P.args, **named: P.kwargs) -> AsyncJob:
        return self._handle(await self._call(lambda client: method(client, *arguments, **named)))

    return call


def _of_jobs(
    method: Callable[Concatenate[Client, P], list[Job]],
) -> Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, list[AsyncJob]]]:
    @functools.wraps(method)
    async def call(self: AsyncClient, /, *arguments: P.args, **named: P.kwargs) -> list[AsyncJob]:
        return [self._handle(job) for job in await self._call(lambda client: method(client, *arguments, **named))]

    return call


class AsyncClient:
    """A way into the queue for programs with an event loop: `Client`, to be awaited.

    ```python
    async with AsyncClient() as client:
        job = await client.submit(circuit, shots=4096)
        print((await job.result()).get_counts())
    ```

    Connections are made with the first question, in a thread. What has no twin here (`principals`, `prices`) is to be
    had from a `Client`.
    """

    def __init__(self, config: Settings | None = None, *, namespace: str = "default") -> None:
        self._settings = config or settings()
        self.namespace = namespace
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="qtasks")
        self._opening = threading.Lock()
        self._client: Client | None = None
        self._watching: Watch | None = None

    async def __aenter__(self) -> AsyncClient:
        await self._call(lambda client: None)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections of this client, within two seconds. Jobs go on."""
        if self._watching is not None:
            await self._watching.close()
            self._watching = None
        await asyncio.to_thread(self._threads.shutdown)
        if self._client is not None:
            await asyncio.to_thread(self._client.close)

    async def _call(self, call: Callable[[Client], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: call(self._opened()))

    def _opened(self) -> Client:
        with self._opening:
            if self._client is None:
                self._client = Client(self._settings, namespace=self.namespace)
            return self._client

    def _watch(self) -> Watch:
        if self._watching is None or self._watching.loop is not asyncio.get_running_loop():
            self._watching = Watch(lambda wait: self._call(lambda client: wait(client._gateway)))
        return self._watching

    def _handle(self, job: Job) -> AsyncJob:
        return AsyncJob(self, job.job_id(), job.name, job.namespace, created=job.created)

    async def wait(
        self,
        waited: Sequence[AsyncJob],
        *,
        timeout: float | None = None,
        seen: Callable[[str, Phase], None] = lambda _id, _phase: None,
    ) -> None:
        """Wait until all jobs are final; raises WaitTimeout after `timeout` seconds. `seen` is told (id, phase)."""
        watch = self._watch()
        ends = {
            asyncio.ensure_future(watch.final(job.job_id(), seen=functools.partial(seen, job.job_id()))): job
            for job in waited
        }
        try:
            if ends:
                done, left = await asyncio.wait(ends, timeout=timeout, return_when=asyncio.FIRST_EXCEPTION)
                for end in done:
                    end.result()
                if left:
                    raise asking.not_final([ends[end].name for end in left], timeout)
        finally:
            await _drop(ends)

    async def as_completed(self, jobs: Sequence[AsyncJob], *, timeout: float | None = None) -> AsyncIterator[AsyncJob]:
        """The jobs as they become final, Completed or not; raises WaitTimeout after `timeout` seconds for those that do
        not."""
        watch = self._watch()
        ends = {asyncio.ensure_future(watch.final(job.job_id())): job for job in jobs}
        left = set(ends)
        deadline = None if timeout is None else watch.loop.time() + timeout
        try:
            while left:
                pause = None if deadline is None else max(0.0, deadline - watch.loop.time())
                done, left = await asyncio.wait(left, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
                if not done:
                    raise asking.not_final([ends[end].name for end in left], timeout)
                for end in done:
                    end.result()
                    yield ends[end]
        finally:
            await _drop(ends)

    async def cancel(self, cancelled: Sequence[AsyncJob]) -> list[AsyncJob]:
        """Cancel those of the jobs that are not final; returns them. Raises Forbidden for jobs of others, unless the
        caller is an operator."""
        by_id = {job.job_id(): job for job in cancelled}
        return [by_id[job_id] for job_id in await self._call(lambda client: client._gateway.cancel(list(by_id)))]

    submit = _of_job(Client.submit)
    submit_many = _of_jobs(Client.submit_many)
    job = _of_job(Client.job)
    jobs = _of_jobs(Client.jobs)
    page = awaited(Client.page)
    describe = awaited(Client.describe)
    explain = awaited(Client.explain)
    accuracy = awaited(Client.accuracy)
    estimate = awaited(Client.estimate)
    events = awaited(Client.events)
    whoami = awaited(Client.whoami)
    apply_budget = awaited(Client.apply_budget)
    budgets = awaited(Client.budgets)
    budget = awaited(Client.budget)
    delete_budget = awaited(Client.delete_budget)
    apply_backend = awaited(Client.apply_backend)
    backends = awaited(Client.backends)
    backend = awaited(Client.backend)
    delete_backend = awaited(Client.delete_backend)
    apply_session = awaited(Client.apply_session)
    sessions = awaited(Client.sessions)
    session = awaited(Client.session)
    delete_session = awaited(Client.delete_session)
    accounts = awaited(Client.accounts)
    costs = awaited(Client.costs)
    discrepancies = awaited(Client.discrepancies)


async def _drop(ends: Iterable[asyncio.Future[Phase]]) -> None:
    """Nobody waits for these any more."""
    for end in ends:
        end.cancel()
    await asyncio.gather(*ends, return_exceptions=True)
