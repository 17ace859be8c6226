"""Servers for every test that wants them: started once per test run and worker, ended by pid."""

from __future__ import annotations

import signal
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings

from qtasks.settings import Settings
from tests.support.house import QUICK, House
from tests.support.servers import Postgres, Redis
from tests.support.stack import Stack

hypothesis_settings.register_profile("qtasks", database=None, deadline=None)
hypothesis_settings.load_profile("qtasks")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's job in the background ignores Ctrl-C, and so would every program that a test starts and interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)

LONGEST = ("tests/topology/", "tests/system/test_faults.py", "tests/system/test_circuits.py")
"""What takes longest goes first: when files are dealt out to processes, nobody waits for it at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """One PostgreSQL for the whole run; every test takes a database of its own."""
    server = Postgres(tmp_path_factory.mktemp("postgres")).create()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """One Redis for the whole run; `redis_url` empties it for each test."""
    server = Redis(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_url(redis_server: Redis) -> str:
    with redis_server.client() as client:
        client.flushall()
    return redis_server.url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'qtasks.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.database(f"t{uuid.uuid4().hex[:16]}")


@pytest.fixture
def postgres_url(postgres: Postgres) -> str:
    """An up-to-date database without a row."""
    return postgres.migrated()


@pytest.fixture
def make_stack(tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    """Make a migrated stack with these settings; whatever it starts ends with the test."""
    made: list[Stack] = []

    def make(**values: object) -> Stack:
        stack = Stack(Settings(**{"home": tmp_path / "home", **values}), tmp_path)  # type: ignore[arg-type]
        stack.migrate()
        made.append(stack)
        return stack

    yield make
    for stack in made:
        stack.close()


@pytest.fixture(scope="session")
def standing(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    redis = Redis(folder / "redis")
    redis.start()
    settings = Settings(
        home=folder / "home",
        database_url=postgres.migrated(),
        broker_url=redis.url,
        source_hosts="127.0.0.1",
        source_http=True,
        **QUICK,
    )
    stack = Stack(settings, folder)
    yield House(stack, redis)
    stack.close()
    redis.stop()


@pytest.fixture
def house(standing: House) -> Iterator[House]:
    """What `quick_stack` is, with sources on loopback; one for the tests of all modules."""
    yield standing
    standing.tidy()


@pytest.fixture(scope="module")
def watched(standing: House) -> Iterator[None]:
    """The house has beat and the worker of its tasks while a module's tests run."""
    with standing.watched():
        yield
