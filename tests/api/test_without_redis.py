"""What the API does while Redis is away: nobody is refused, and whoever waits is told a little later."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import pytest

from qtasks.api.changes import Changes
from qtasks.api.rate import Rate
from qtasks.errors import InvalidInput
from qtasks.lifecycle import Phase
from tests.support.servers import free_port

pytestmark = pytest.mark.system


def test_nobody_is_refused_while_nobody_counts() -> None:
    async def ask() -> list[int | None]:
        rate = Rate("1/hour", f"redis://127.0.0.1:{free_port()}/0")
        answers = [await rate.take("somebody") for _ in range(3)]
        await rate.close()
        return answers

    assert asyncio.run(ask()) == [None] * 3


def test_a_rate_that_is_none_is_refused_at_the_start() -> None:
    with pytest.raises(InvalidInput) as refused:
        Rate("often", "redis://127.0.0.1:1/0")
    assert refused.value.reason == "InvalidSettings" and "QTASKS_API_RATE" in refused.value.message


def test_whoever_waits_is_woken_by_the_poll() -> None:
    asked = 0

    async def phases(ids: Sequence[str]) -> dict[str, Phase]:
        nonlocal asked
        asked += 1
        return dict.fromkeys(ids, Phase.RUNNING if asked < 2 else Phase.COMPLETED)

    async def wait() -> float:
        changes = Changes(f"redis://127.0.0.1:{free_port()}/0", phases)
        changes.start()
        started = time.monotonic()
        async with changes.watch(["a"]) as watch:
            while asked < 2:
                assert await watch.news(30)
        await changes.close()
        return time.monotonic() - started

    assert asyncio.run(wait()) < 10


def test_nobody_waits_for_a_process_that_ends() -> None:
    async def phases(ids: Sequence[str]) -> dict[str, Phase]:
        return dict.fromkeys(ids, Phase.RUNNING)

    async def wait() -> list[bool]:
        changes = Changes(f"redis://127.0.0.1:{free_port()}/0", phases)
        async with changes.watch(["a"]) as watch:
            waiting = asyncio.create_task(watch.news(60))
            await asyncio.sleep(0)
            changes.stop()
            return [await waiting, await watch.news(60)]

    started = time.monotonic()
    assert asyncio.run(wait()) == [False, False]
    assert time.monotonic() - started < 10
