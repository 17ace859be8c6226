"""A stack whose leases are short, for a test that wants its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.house import QUICK
from tests.support.stack import Stack


@pytest.fixture
def quick_stack(make_stack: Callable[..., Stack], postgres_url: str, redis_url: str) -> Stack:
    """PostgreSQL and Redis, leases of 3 s, a look by the reconciler every second."""
    return make_stack(database_url=postgres_url, broker_url=redis_url, **QUICK)
