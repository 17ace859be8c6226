"""An up-to-date database of each kind for every test, copied from one that was migrated once."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from qtasks.store import Store, schema
from tests.store.acting import Acting
from tests.support.servers import Postgres

_MIGRATED = "migrated"
EACH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.system)]


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "qtasks.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_server(postgres: Postgres) -> Postgres:
    _migrate(postgres.database(_MIGRATED))
    return postgres


def _migrate(url: str) -> None:
    store = Store(url, pool_size=1)
    schema.upgrade(store)
    store.close()


@pytest.fixture(params=EACH)
def migrated_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a migrated database of each kind, without a row in it."""
    if request.param == "postgresql":
        return copy_of(request.getfixturevalue("migrated_server"))
    shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "qtasks.db")
    return f"sqlite:///{tmp_path / 'qtasks.db'}"


def copy_of(server: Postgres) -> str:
    name = f"t{uuid.uuid4().hex[:16]}"
    address = f"host=127.0.0.1 port={server.port} user=postgres dbname=postgres"
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {_MIGRATED}")
    return f"postgresql+psycopg://postgres@127.0.0.1:{server.port}/{name}"


@pytest.fixture
def store(migrated_url: str) -> Iterator[Store]:
    opened = Store(migrated_url)
    yield opened
    opened.close()


@pytest.fixture
def acting(store: Store) -> Acting:
    return Acting(store)


@pytest.fixture
def postgres_acting(migrated_server: Postgres) -> Iterator[Acting]:
    opened = Store(copy_of(migrated_server))
    yield Acting(opened)
    opened.close()


@pytest.fixture(params=EACH)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.database(f"t{uuid.uuid4().hex[:16]}")
