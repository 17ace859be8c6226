"""One worker for all that runs."""

from __future__ import annotations

import pytest

from qtasks.client import Client
from tests.support.house import House
from tests.support.stack import Stack


@pytest.fixture
def stack(house: House) -> Stack:
    house.workers(1)
    return house.stack


@pytest.fixture(scope="session")
def _client(standing: House) -> Client:
    return standing.stack.client()


@pytest.fixture
def client(stack: Stack, _client: Client) -> Client:
    """A client in namespace `default`, as programs have it that say nothing else."""
    return _client
