"""The asynchronous client: what the other one does, without a thread for each that waits."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Awaitable, Callable

import pytest
from pydantic import SecretStr

from qtasks import AsyncClient, AsyncJob, Client, Job
from qtasks.errors import JobFailed, NotFound, WaitTimeout
from tests.client.scene import BROKEN, SEEDED, TOO_LARGE, WAYS, Scene
from tests.support.circuits import bell, small_qasm

pytestmark = pytest.mark.system

NOBODYS = "01935b1e-0000-7000-8000-000000000000"
Program = Callable[[AsyncClient], Awaitable[None]]


@pytest.fixture(params=WAYS)
def run(scene: Scene, request: pytest.FixtureRequest) -> Callable[[Program], None]:
    """Runs a program in an event loop of its own, with a client of each way."""

    def run(program: Program) -> None:
        async def main() -> None:
            where = {"api_url": scene.url} if request.param == "rest" else {}
            values = {"api_token": SecretStr(scene.tokens["alice"]), **where}
            config = scene.stack.settings.model_copy(update=values)
            async with AsyncClient(config, namespace=request.param) as client:
                await program(client)
            assert [thread for thread in threading.enumerate() if thread.name.startswith("qtasks")] == []

        asyncio.run(main())

    return run


@pytest.mark.parametrize(("twin", "own"), [(Client, {"principals", "prices"}), (Job, set())])
def test_the_twin_has_every_method_with_the_same_arguments(twin: type, own: set[str]) -> None:
    kind = {Client: AsyncClient, Job: AsyncJob}[twin]
    public = {name for name in dir(twin) if not name.startswith("_")} - own
    assert {name for name in dir(kind) if not name.startswith("_")} - {"as_completed"} == public
    for name in public - {"job_id"}:
        there, here = getattr(kind, name), getattr(twin, name)
        assert inspect.iscoroutinefunction(inspect.unwrap(there, stop=inspect.iscoroutinefunction)), name
        assert list(inspect.signature(there).parameters) == list(inspect.signature(here).parameters), name
        assert there.__doc__, name


def test_a_job_is_submitted_waited_for_and_read(run: Callable[[Program], None]) -> None:
    async def program(client: AsyncClient) -> None:
        job = await client.submit(bell(), **SEEDED)
        assert job.created and repr(job).startswith("<AsyncJob ")
        phases: list[str] = []
        assert await job.wait_for_final_state(60, seen=phases.append) == "Completed"
        assert phases[-1] == "Completed" and len(phases) == len(set(phases))
        counts = (await job.result()).get_counts()
        assert sum(counts.values()) == SEEDED["shots"]
        found = await client.job(job.job_id())
        assert (await found.status(), await found.done(), await found.cancel()) == ("Completed", True, False)
        assert (await found.to_dict())["status"]["counts"] == counts
        assert [one.name for one in await client.jobs(limit=1)] == [job.name]
        assert (await client.whoami())["name"] == "alice"

    run(program)


def test_many_are_waited_for_at_once_in_few_threads(run: Callable[[Program], None]) -> None:
    async def program(client: AsyncClient) -> None:
        jobs = await client.submit_many([small_qasm(n) for n in range(60)], **SEEDED)
        most = 0

        async def result(job: AsyncJob) -> int:
            nonlocal most
            counts = (await job.result(60)).get_counts()
            most = max(most, sum(thread.name.startswith("qtasks") for thread in threading.enumerate()))
            return sum(counts.values())

        assert await asyncio.gather(*map(result, jobs)) == [SEEDED["shots"]] * 60
        assert most <= 12
        seen: dict[str, str] = {}
        await client.wait(jobs, timeout=60, seen=lambda job_id, phase: seen.update({job_id: phase}))
        assert set(seen.values()) == {"Completed"} and len(seen) == 60
        await client.wait([])

    run(program)


def test_jobs_come_as_they_end(run: Callable[[Program], None]) -> None:
    async def program(client: AsyncClient) -> None:
        large = await client.submit(TOO_LARGE, method="statevector")
        small = await client.submit_many([small_qasm(n) for n in range(5)], **SEEDED)
        came = []
        async for job in client.as_completed([large, *small], timeout=60):
            came.append(job.job_id())
            if len(came) == len(small):
                break
        assert sorted(came) == sorted(job.job_id() for job in small)
        with pytest.raises(WaitTimeout, match=f"Not final after 0.3 s: {large.name}"):
            async for job in client.as_completed([large, small[0]], timeout=0.3):
                assert job.job_id() == small[0].job_id()
        assert [job.name for job in await client.cancel([large])] == [large.name]
        assert [job.name async for job in client.as_completed([large])] == [large.name]

    run(program)


def test_what_goes_wrong_with_one_job_is_nobody_elses(run: Callable[[Program], None]) -> None:
    async def program(client: AsyncClient) -> None:
        good, bad = await client.submit(bell(), **SEEDED), await client.submit(BROKEN, **SEEDED)
        gone = AsyncJob(client, NOBODYS, "gone", client.namespace)
        found = await asyncio.gather(good.result(60), bad.result(60), gone.result(60), return_exceptions=True)
        assert [type(one).__name__ for one in found] == ["JobResult", JobFailed.__name__, NotFound.__name__]
        with pytest.raises(NotFound):
            await client.wait([good, gone], timeout=60)
        with pytest.raises(NotFound):
            await client.job("nothing")

    run(program)


def test_who_is_cancelled_leaves_no_thread_for_long(run: Callable[[Program], None]) -> None:
    async def program(client: AsyncClient) -> None:
        large = await client.submit(TOO_LARGE, method="statevector")
        with pytest.raises(WaitTimeout):
            await large.wait_for_final_state(0.1)
        tasks = [asyncio.ensure_future(large.result()) for _ in range(30)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        assert all(
            isinstance(one, asyncio.CancelledError) for one in await asyncio.gather(*tasks, return_exceptions=True)
        )
        await large.cancel()
        began = time.monotonic()
        await client.close()
        assert time.monotonic() - began < 8

    run(program)


def test_a_client_that_nothing_was_asked_of_is_closed(scene: Scene) -> None:
    asyncio.run(AsyncClient(scene.stack.settings).close())
