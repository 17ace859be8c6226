"""The main job, end to end, on real servers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from qtasks.lifecycle import Phase
from tests.support.stack import Stack

pytestmark = pytest.mark.system

BELL = Path(__file__).parents[2] / "examples" / "bell.yaml"


def test_the_bell_job_runs_through_every_stage(
    make_stack: Callable[..., Stack], postgres_url: str, redis_url: str
) -> None:
    stack = make_stack(database_url=postgres_url, broker_url=redis_url)
    stack.worker()
    client = stack.client()
    job = client.submit(BELL)
    seen: list[Phase] = []
    assert job.wait_for_final_state(30, seen=seen.append) is Phase.COMPLETED
    counts = job.result().get_counts()
    assert set(counts) == {"00", "11"}
    assert sum(counts.values()) == 1024
