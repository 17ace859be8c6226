"""What docs/backup.md says: dumped, wiped, restored, and every job is there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from qtasks.client import Client, Job
from qtasks.errors import NotFound
from qtasks.resources import QiskitJob
from qtasks.settings import Settings
from tests.support import insides
from tests.support.circuits import bell
from tests.support.house import QUICK
from tests.support.servers import Postgres, Redis, eventually
from tests.support.stack import Stack

pytestmark = pytest.mark.system

COMMENT = "// so that the circuit is too large for its row\n" * 500
"""A circuit of more than 16 KiB lies in the object store."""
LARGE = (
    'OPENQASM 2.0;\ninclude "qelib1.inc";\n'
    + COMMENT
    + "qreg q[2];\ncreg c[2];\nh q[0];\ncx q[0],q[1];\nmeasure q -> c;\n"
)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Postgres, Redis]]:
    """A PostgreSQL and a Redis that are this module's to wipe."""
    folder = tmp_path_factory.mktemp("servers")
    database, broker = Postgres(folder / "postgres"), Redis(folder / "redis")
    try:
        database.create()
        broker.start()
        yield database, broker
    finally:
        database.stop()
        broker.stop()


def _program(database: Postgres, name: str, *arguments: str) -> None:
    """Run one of PostgreSQL's own programs, of the same release as the server."""
    subprocess.run([str(database._binaries / name), *arguments], check=True, capture_output=True, timeout=60)


def test_all_jobs_are_there_after_a_dump_a_wipe_and_a_restore(servers: tuple[Postgres, Redis], tmp_path: Path) -> None:
    database, broker = servers
    address = f"host=127.0.0.1 port={database.port} user=postgres"
    home, backup = tmp_path / "home", tmp_path / "backup"
    settings = Settings(home=home, database_url=database.database("qtasks"), broker_url=broker.url, **QUICK)
    stack = Stack(settings, tmp_path)
    stack.migrate()
    try:
        client = stack.client()
        worker = stack.worker()
        done = [client.submit(bell(), name=f"done-{number}", shots=100) for number in range(3)]
        done.append(client.submit(LARGE, name="done-large", shots=100))
        client.wait(done, timeout=60)
        before = {job.name: (job.result(), _stored(client, job)) for job in done}
        worker.stop()
        waiting = [client.submit(bell(), name="waits", shots=100), client.submit(LARGE, name="waits-large", shots=100)]
        names = {job.name: job.job_id() for job in client.jobs()}

        shutil.copytree(home / "objects", backup / "objects")
        _program(database, "pg_dump", "-Fc", "-f", str(backup / "qtasks.dump"), "-d", f"{address} dbname=qtasks")
        shutil.copytree(home / "objects", backup / "objects", dirs_exist_ok=True)

        for opened in stack._clients:
            opened.close()
        stack._clients.clear()
        with psycopg.connect(f"{address} dbname=postgres", autocommit=True) as connection:
            connection.execute("DROP DATABASE qtasks WITH (FORCE)")
            connection.execute("CREATE DATABASE qtasks")
        with broker.client() as redis:
            redis.flushall()
        shutil.rmtree(home)
        home.mkdir()

        _program(database, "pg_restore", "-d", f"{address} dbname=qtasks", str(backup / "qtasks.dump"))
        shutil.copytree(backup / "objects", home / "objects")
        checked = _check(settings, "--repair")
        assert checked == "Every object is there that a job needs.\n"

        client = stack.client()
        assert {job.name: job.job_id() for job in client.jobs()} == names
        for name, (result, stored) in before.items():
            job = client.job(name)
            assert (job.result(), _stored(client, job)) == (result, stored)
        stack.worker("validation,scheduling,execution,polling")
        stack.run("beat")
        again = [client.job(job.name) for job in waiting]
        client.wait(again, timeout=60)
        for job in again:
            assert sum(job.result().get_counts().values()) == 100
    finally:
        stack.close()


def _stored(client: Client, job: Job) -> bytes:
    """The bytes of the result as they lie in the object store."""
    return insides.direct(client).stored_result(job.job_id())


def _check(settings: Settings, *options: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-m", "qtasks.cli", "objects", "check", *options],
        env={**os.environ, **settings.environment()},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ran.stdout + ran.stderr


def test_a_missing_object_is_told_and_what_went_on_is_put_back(tmp_path: Path) -> None:
    settings = Settings(
        home=tmp_path / "home", database_url=f"sqlite:///{tmp_path / 'qtasks.db'}", broker_url="redis://127.0.0.1:1/0"
    )
    stack = Stack(settings, tmp_path)
    stack.migrate()
    try:
        job = stack.client().submit(LARGE, name="waits")
        objects = insides.objects(stack.client())
        [pending] = objects.list("pending/")
        objects.put(pending.replace("pending/", "completed/"), objects.get(pending))
        objects.delete(pending)
        assert "--repair" in (told := _check(settings)) and f"default/{job.name} (Pending): {pending}" in told
        assert "[ObjectsMissing]" in told
        assert "put back" in _check(settings, "--repair") and objects.exists(pending)
        for key in list(objects.list()):
            objects.delete(key)
        assert f"{pending} missing" in _check(settings, "--repair")
    finally:
        stack.close()


def test_a_job_with_a_time_to_live_is_removed_by_beat_and_its_worker(
    servers: tuple[Postgres, Redis], tmp_path: Path
) -> None:
    database, broker = servers
    settings = Settings(
        home=tmp_path / "home",
        database_url=database.database("living"),
        broker_url=broker.url,
        retention_seconds=1.0,
        **QUICK,
    )
    stack = Stack(settings, tmp_path)
    stack.migrate()
    try:
        stack.worker("validation,scheduling,execution,polling")
        stack.run("beat")
        client = stack.client()
        spec = {"circuit": {"source": "inline", "code": LARGE}, "ttlAfterFinished": "1s"}
        client.submit(QiskitJob(metadata={"name": "short"}, spec=spec))
        kept = client.submit(bell(), name="kept", shots=10)
        kept.result(60)

        def gone() -> bool:
            try:
                client.job("short")
            except NotFound:
                return True
            return False

        eventually(gone, seconds=40, what="the job being removed")
        assert {job.name for job in client.jobs()} == {"kept"}
        assert not any("input" in key for key in insides.objects(client).list())
        assert sum(kept.result(5).get_counts().values()) == 10, "though its object may have held both results"
    finally:
        stack.close()
