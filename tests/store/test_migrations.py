"""Migrations: from nothing to the schema of the tables, once, whoever asks; and no work on any other schema."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import insert, inspect, text

from qtasks.store import Store, jobs, schema, tables
from qtasks.store.ids import new_id
from qtasks.store.tables import metadata
from tests.store.acting import Acting, new_job

_INDEXES = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> 'alembic_version'",
    "postgresql": "SELECT indexname, indexdef FROM pg_indexes "
    "WHERE schemaname = 'public' AND tablename <> 'alembic_version'",
}
"""Definitions as the database keeps them: on SQLite those of the tables too."""

PARTIAL = {
    "uq_jobs_idempotency": "idempotency_key IS NOT NULL",
    "ix_jobs_waiting": "stage IS NOT NULL AND owner IS NULL",
    "ix_jobs_leases": "owner IS NOT NULL",
    "ix_jobs_deadlines": "deadline IS NOT NULL AND finished_at IS NULL",
    "ix_jobs_aftercare": "aftercare",
    "ix_jobs_account": "account IS NOT NULL AND finished_at IS NULL",
    "ix_jobs_finished": "finished_at IS NOT NULL",
    "ix_notices_due": "state = 'due'",
    "ix_outputs_due": "state = 'due'",
    "ix_provider_jobs_open": "NOT settled",
}


@pytest.fixture
def empty(database_url: str) -> Iterator[Store]:
    store = Store(database_url)
    yield store
    store.close()


def _definitions(store: Store) -> dict[str, str]:
    with store.read() as tx:
        rows = tx.execute(text(_INDEXES[store.engine.dialect.name]))
        return {row[0]: _comparable(row[1]) for row in rows}


def _comparable(definition: str) -> str:
    """SQLite puts the name of a table that was rebuilt between quotes, and a column that was added behind all else."""
    head, opening, parts = definition.replace('"', "").partition("(")
    if not head.startswith("CREATE TABLE"):
        return head + opening + parts
    body = " ".join(parts.rpartition(")")[0].split())
    return "\n".join([head.strip(), *sorted(part.strip() for part in re.split(r", (?![^(]*\))", body))])


def test_an_empty_database_is_brought_up_to_date_once(empty: Store) -> None:
    assert schema.current(empty) is None
    assert schema.upgrade(empty) == (None, schema.head())
    schema.require_current(empty)
    Acting(empty).submit(new_job(name="kept"))
    assert schema.upgrade(empty) == (schema.head(), schema.head())
    assert schema.current(empty) == schema.head()
    assert [head.name for head in Acting(empty).heads()] == ["kept"]


def test_the_files_names_tell_the_revisions_that_alembic_reads_in_them() -> None:
    scripts = ScriptDirectory(str(Path(schema.__file__).parent / "migrations"))
    assert schema.head() == scripts.get_current_head()
    for script in scripts.walk_revisions():
        assert Path(script.path).name.startswith(f"{script.revision}_")


def test_the_migrated_schema_is_that_of_the_tables(store: Store) -> None:
    with store.read() as tx:
        context = MigrationContext.configure(tx, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_tables_and_indexes_are_defined_alike_by_the_migration_and_by_the_tables(store: Store, empty: Store) -> None:
    if empty.postgresql is not store.postgresql:
        return
    with empty.begin() as tx:
        metadata.create_all(tx)
    defined = _definitions(store)
    defined.pop("autoscaling", None)  # a view: no table's definition
    assert defined == _definitions(empty)


def test_the_partial_indexes_are_partial(store: Store) -> None:
    found = _definitions(store)
    for name, where in PARTIAL.items():
        predicate = found[name].partition(" WHERE ")[2]
        assert predicate.replace("(", "").replace(")", "").replace("::text", "") == where


def test_a_downgrade_leaves_nothing(store: Store) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))
    with store.begin() as tx:
        config.attributes["connection"] = tx
        command.downgrade(config, "base")
    with store.read() as tx:
        assert inspect(tx).get_table_names() == ["alembic_version"]
    assert schema.upgrade(store) == (None, schema.head())
    Acting(store).submitted()


_FIRST_JOB = """
INSERT INTO jobs (id, namespace, name, priority, phase, stage, batchable, shots, created_at)
VALUES (:id, 'default', 'kept', 6, 'Pending', 'validation', true, 1024, CURRENT_TIMESTAMP)
"""


def test_jobs_of_the_first_schema_are_kept(empty: Store) -> None:
    _migrate(empty, "0001")
    job_id = new_id()
    with empty.begin() as tx:
        tx.execute(text(_FIRST_JOB), {"id": job_id if empty.postgresql else job_id.replace("-", "")})
        values = {"job_id": job_id, "resource": {"spec": {}}, "spec_hash": "a" * 64, "format": "qasm2"}
        data = {"data": b"OPENQASM 2.0;", "sha256": "b" * 64, "git_commit": "a" * 40}
        tx.execute(insert(tables.inputs), {**values, **data})
    assert schema.upgrade(empty) == ("0001", schema.head())
    row = Acting(empty).row(job_id)
    assert (row.input_sha256, row.git_commit, row.origin) == ("b" * 64, "a" * 40, None)
    with empty.read() as tx:
        (payload,) = jobs.payload(tx, [job_id])
    assert payload.data == b"OPENQASM 2.0;"


def _migrate(store: Store, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))
    with store.begin() as tx:
        config.attributes["connection"] = tx
        command.upgrade(config, revision)


def test_upgrades_from_several_threads_are_one(database_url: str) -> None:
    answers: list[tuple[str | None, str]] = []
    together = threading.Barrier(4)

    def upgrade() -> None:
        store = Store(database_url, pool_size=1)
        together.wait()
        answers.append(schema.upgrade(store))
        store.close()

    threads = [threading.Thread(target=upgrade) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(answers, key=str) == [*[(schema.head(), schema.head())] * 3, (None, schema.head())]


@pytest.mark.system
def test_upgrades_from_several_processes_are_one(database_url: str) -> None:
    program = (
        "import sys; from qtasks.store import Store, schema; store = Store(sys.argv[1], pool_size=1); "
        "sys.stdin.read(1); print(schema.upgrade(store)[0]); store.close()"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", program, database_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert sorted(answers) == [schema.head(), schema.head(), "None"]


def test_a_database_that_was_never_migrated_is_refused_with_the_command_that_mends_it(empty: Store) -> None:
    with pytest.raises(schema.WrongSchema) as caught:
        schema.require_current(empty)
    assert caught.value.reason == "WrongSchema"
    assert str(caught.value) == (
        f"The database is at schema none, but this version of qtasks works on {schema.head()}. "
        "Run `qtasks db upgrade`, then start the workers again."
    )


def test_an_older_schema_is_refused_with_the_command_that_mends_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = schema.head()
    monkeypatch.setattr(schema, "head", lambda: "next")
    with pytest.raises(schema.WrongSchema, match=rf"is at schema {at}, but .* works on next. Run `qtasks db upgrade`"):
        schema.require_current(store)


def test_a_newer_schema_is_refused_with_what_to_install(store: Store) -> None:
    with store.begin() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(schema.WrongSchema, match=r"is at schema 9999, which .* does not know. Install the version"):
        schema.require_current(store)
