"""Waiting for news of jobs, in the loop of one process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence

import pytest

from qtasks.api import changes
from qtasks.api.changes import Changes
from qtasks.lifecycle import Phase

JOB = "01935b1e-0000-7000-8000-000000000000"


async def nothing(ids: Sequence[str]) -> Mapping[str, Phase]:
    return {}


def test_a_wait_ends_when_nobody_waits_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "_PRESENT_SECONDS", 0.01)
    looks = iter([False, False, True])

    async def gone() -> bool:
        return next(looks)

    async def wait() -> bool:
        async with Changes("redis://127.0.0.1:1/0", nothing).watch([JOB], gone) as watch:
            return await watch.news(60)

    started = time.monotonic()
    assert asyncio.run(wait()) is False
    assert time.monotonic() - started < 30 and next(looks, None) is None


def test_news_that_came_before_the_wait_are_not_missed() -> None:
    async def wait() -> list[bool]:
        heard = Changes("redis://127.0.0.1:1/0", nothing)
        async with heard.watch([JOB]) as watch:
            watch.hear(JOB, Phase.RUNNING)
            first = await watch.news(60)
            watch.hear(JOB, Phase.RUNNING)
            waiting = asyncio.create_task(watch.news(60))
            await asyncio.sleep(0)
            watch.hear(JOB, Phase.COMPLETED)
            return [first, await waiting]

    assert asyncio.run(wait()) == [True, True]
