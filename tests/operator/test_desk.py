"""Resources wait for a thread: each at most once, and never in two hands."""

from __future__ import annotations

import threading
import time
from collections import Counter

import pytest

from qtasks.errors import InvalidInput, Unavailable
from qtasks.operator.api_server import Clash
from qtasks.operator.desk import Desk
from qtasks.operator.kinds import JOBS, Key
from tests.support.servers import eventually

KEYS = [Key(JOBS, "lab", f"job-{number}") for number in range(20)]


def test_no_resource_is_in_two_hands_and_none_is_forgotten() -> None:
    inside: Counter[Key] = Counter()
    seen: Counter[Key] = Counter()
    clashes = []

    def work(key: Key) -> None:
        inside[key] += 1
        if inside[key] > 1:
            clashes.append(key)
        time.sleep(0.001)
        inside[key] -= 1
        seen[key] += 1

    desk = Desk(work, threads=4)
    desk.start()
    for _ in range(5):
        for key in KEYS:
            desk.add(key)
    eventually(lambda: len(desk) == 0, seconds=10)
    desk.stop(seconds=5)
    assert clashes == []
    assert set(seen) == set(KEYS)


def test_news_while_a_resource_is_in_hand_make_it_due_again() -> None:
    entered, go_on = threading.Event(), threading.Event()
    calls = []

    def work(key: Key) -> None:
        calls.append(key)
        entered.set()
        assert go_on.wait(5)

    desk = Desk(work, threads=2)
    desk.start()
    desk.add(KEYS[0])
    assert entered.wait(5)
    for _ in range(3):
        desk.add(KEYS[0])
    go_on.set()
    eventually(lambda: len(desk) == 0, seconds=5)
    desk.stop(seconds=5)
    assert calls == [KEYS[0]] * 2


@pytest.mark.parametrize("error", [Clash(), Unavailable("Away."), InvalidInput("Wrong."), ValueError("A bug.")])
def test_what_fails_is_tried_again_after_others(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    calls = []

    def work(key: Key) -> None:
        calls.append(key)
        if len(calls) == 1:
            raise error

    desk = Desk(work, threads=1)
    desk.start()
    desk.add(KEYS[0])
    eventually(lambda: calls, seconds=5)
    desk.add(KEYS[1])
    eventually(lambda: KEYS[1] in calls, seconds=5)
    assert len(desk) == 1
    # News of it hasten it.
    desk.add(KEYS[0])
    eventually(lambda: len(desk) == 0, seconds=5)
    desk.stop(seconds=5)
    assert calls == [KEYS[0], KEYS[1], KEYS[0]]


def test_what_is_to_be_looked_at_later_waits_its_time() -> None:
    calls: list[float] = []

    def work(_key: Key) -> float | None:
        calls.append(time.monotonic())
        return 0.1 if len(calls) == 1 else None

    desk = Desk(work, threads=1)
    desk.start()
    desk.add(KEYS[0])
    eventually(lambda: len(calls) == 2, seconds=5)
    desk.stop(seconds=5)
    assert calls[1] - calls[0] >= 0.1
