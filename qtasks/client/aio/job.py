"""The handle of one job for programs with an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from qtasks.client import asking
from qtasks.client.aio.calls import awaited
from qtasks.client.job import Job
from qtasks.client.progress import watching
from qtasks.lifecycle import Phase
from qtasks.results import JobResult

if TYPE_CHECKING:
    from qtasks.client.aio.client import AsyncClient

T = TypeVar("T")


class AsyncJob:
    """A job in the queue: what `Job` says and does, to be awaited. Waiting for thousands takes no thread for each."""

    def __init__(self, client: AsyncClient, job_id: str, name: str, namespace: str, *, created: bool = False) -> None:
        self._client = client
        self._id = job_id
        self.name = name
        self.namespace = namespace
        self.created = created
        """Whether this call made the job; False when its name or idempotency key was there already."""

    def __repr__(self) -> str:
        return f"<AsyncJob {self.namespace}/{self.name} {self._id}>"

    def job_id(self) -> str:
        """The id under which any process can find the job again: `client.job(id)`."""
        return self._id

    async def _call(self, call: Callable[[Job], T]) -> T:
        return await self._client._call(lambda client: call(Job(client, self._id, self.name, self.namespace)))

    async def wait_for_final_state(
        self,
        timeout: float | None = None,
        *,
        seen: Callable[[Phase], None] | None = None,
        progress: bool = False,
    ) -> Phase:
        """Wait until the job is final, at most `timeout` seconds, and return its phase; `seen` is told of each phase,
        and with `progress` a bar shows it, in a notebook and on a terminal.

        Raises WaitTimeout; the job goes on.
        """
        last: list[Phase] = []

        def note(phase: Phase) -> None:
            if last[-1:] != [phase]:
                last.append(phase)
                show(self._id, phase)
                if seen is not None:
                    seen(phase)

        with watching({self._id: self.name}, show=progress) as show:
            try:
                async with asyncio.timeout(timeout):
                    return await self._client._watch().final(self._id, seen=note)
            except TimeoutError:
                raise asking.not_final([self.name], timeout) from None

    async def result(self, timeout: float | None = None, *, progress: bool = False) -> JobResult:
        """Wait for the job, at most `timeout` seconds, with `progress` showing a bar, and return its result; raises
        what `Job.result` does."""
        await self.wait_for_final_state(timeout, progress=progress)
        return await self._client._call(lambda client: client._gateway.result(self._id))

    async def plot_histogram(self, **options: Any) -> Any:
        """The counts of the job's result as a matplotlib figure: see `JobResult.plot_histogram`."""
        return (await self.result()).plot_histogram(**options)

    status = awaited(Job.status)
    in_final_state = awaited(Job.in_final_state)
    done = awaited(Job.done)
    running = awaited(Job.running)
    cancelled = awaited(Job.cancelled)
    cancel = awaited(Job.cancel)
    delete = awaited(Job.delete)
    redeliver = awaited(Job.redeliver)
    metrics = awaited(Job.metrics)
    provider_job_id = awaited(Job.provider_job_id)
    usage = awaited(Job.usage)
    queue_position = awaited(Job.queue_position)
    logs = awaited(Job.logs)
    to_dict = awaited(Job.to_dict)
