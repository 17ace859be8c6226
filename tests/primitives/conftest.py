"""One stack for all that runs: its own Redis, one worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from qtasks.client import Client
from tests.support.servers import Postgres, Redis
from tests.support.stack import Stack, shared_stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("primitives")
    (folder / "redis").mkdir()
    redis = Redis(folder / "redis")
    redis.start()
    try:
        with shared_stack(folder, postgres, redis, 0) as shared:
            yield shared
    finally:
        redis.stop()


@pytest.fixture(scope="session")
def client(stack: Stack) -> Client:
    return stack.client()
