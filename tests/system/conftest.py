"""Stacks whose leases are short, so that tests of what happens after them are too."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.stack import Stack

QUICK = {
    "lease_seconds": 3.0,
    "heartbeat_seconds": 0.5,
    "reconcile_seconds": 1.0,
    "worker_threads": 1,
}


@pytest.fixture
def quick_stack(make_stack: Callable[..., Stack], postgres_url: str, redis_url: str) -> Stack:
    """PostgreSQL and Redis, leases of 3 s, a look by the reconciler every second."""
    return make_stack(database_url=postgres_url, broker_url=redis_url, **QUICK)
