"""`qtasks db wait`: what a pod's container `schema` does until the migration is through."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from qtasks.store import Store, schema
from tests.support.servers import Postgres

pytestmark = pytest.mark.system


@pytest.fixture
def empty(postgres: Postgres) -> str:
    """A database without any table."""
    return postgres.database(f"t{uuid.uuid4().hex[:16]}")


def _wait(url: str, folder: Path, seconds: float) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("QTASKS_")}
    file = folder / "database-url"
    file.write_text(f"{url}\n")
    return subprocess.Popen(
        [sys.executable, "-m", "qtasks.cli", "db", "wait", "--timeout", str(seconds)],
        env={**kept, "QTASKS_HOME": str(folder), "QTASKS_DATABASE_URL_FILE": str(file)},
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_pod_that_starts_before_the_migration_waits_for_it(empty: str, tmp_path: Path) -> None:
    waiting = _wait(empty, tmp_path, 60)
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(1.5)
    store = Store(empty)
    schema.upgrade(store)
    store.close()
    _, said = waiting.communicate(timeout=30)
    assert (waiting.returncode, said) == (0, "")


def test_a_pod_says_what_it_waited_for_in_vain(empty: str, tmp_path: Path) -> None:
    waiting = _wait(empty, tmp_path, 0.5)
    _, said = waiting.communicate(timeout=30)
    assert waiting.returncode == 5
    assert "WrongSchema" in said


def test_a_database_that_is_away_is_waited_for_too(tmp_path: Path) -> None:
    waiting = _wait("postgresql+psycopg://qtasks:hidden@127.0.0.1:9/qtasks", tmp_path, 0.5)
    _, said = waiting.communicate(timeout=30)
    assert waiting.returncode == 5
    assert "DatabaseUnavailable" in said
    assert "hidden" not in said
