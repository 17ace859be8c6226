"""A sandbox for a module's tests, and sandboxes under attack: one per user who runs it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from qtasks.circuits.sandbox import Sandbox
from tests.sandbox import users
from tests.sandbox.asking import BELL, children, eventually
from tests.sandbox.users import AS_WE_ARE, USERS, Attacked

LATE_SECONDS = 5.0
"""A good circuit takes some 0.03 s; whatever waits for a hostile one's deadline of 10 s is over this."""
SPARES = 2


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture(scope="session")
def attacked_as() -> Iterator[Callable[[str], Attacked]]:
    """The sandbox that somebody runs, started when it is first asked for."""
    running: dict[str, Attacked] = {}
    with ExitStack() as stack:

        def found(who: str) -> Attacked:
            if who not in running:
                running[who] = stack.enter_context(users.attacked_as(who))
            return running[who]

        yield found


@pytest.fixture(
    params=[pytest.param(who, marks=() if who == AS_WE_ARE else pytest.mark.system, id=who) for who in USERS]
)
def attacked(request: pytest.FixtureRequest, attacked_as: Callable[[str], Attacked]) -> Iterator[Attacked]:
    """A sandbox to attack. After every attack it is the same process, no child is left in it, and the next good
    circuit is neither refused nor late."""
    target = attacked_as(request.param)
    assert target.reason(BELL) == "ok"
    yield target
    before = time.monotonic()
    assert target.reason(BELL) == "ok"
    assert time.monotonic() - before < LATE_SECONDS
    assert target.process.poll() is None
    eventually(lambda: len(children(target.pid)) == SPARES)
