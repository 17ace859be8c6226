"""An up-to-date database of each kind for every test, copied from one that was migrated once."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from qtasks.store import Store, schema
from tests.store.acting import Acting
from tests.support.servers import Postgres

EACH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.system)]


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "qtasks.db"
    store = Store(f"sqlite:///{path}", pool_size=1)
    schema.upgrade(store)
    store.close()
    return path


@pytest.fixture(params=EACH)
def migrated_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a migrated database of each kind, without a row in it."""
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        return server.migrated()
    shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "qtasks.db")
    return f"sqlite:///{tmp_path / 'qtasks.db'}"


@pytest.fixture
def store(migrated_url: str) -> Iterator[Store]:
    opened = Store(migrated_url)
    yield opened
    opened.close()


@pytest.fixture
def acting(store: Store) -> Acting:
    return Acting(store)


@pytest.fixture
def postgres_acting(postgres: Postgres) -> Iterator[Acting]:
    opened = Store(postgres.migrated())
    yield Acting(opened)
    opened.close()


@pytest.fixture(params=EACH)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.database(f"t{uuid.uuid4().hex[:16]}")
