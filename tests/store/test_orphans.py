"""Objects that no row knows are swept, and nothing else."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, update

from qtasks.lifecycle import Stage
from qtasks.objects import keys
from qtasks.stages.orphans import _keep_young
from qtasks.store import retention
from qtasks.store.ids import new_id
from qtasks.store.tables import provider_jobs
from qtasks.store.types import moment
from tests.objects.conftest import BUCKET, gcs_server, s3_server
from tests.store.retaining import DAY, Archive

pytestmark = pytest.mark.system

__all__ = ["gcs_server", "s3_server"]


@pytest.fixture
def archive(migrated_url: str, tmp_path: Path) -> Iterator[Archive]:
    opened = Archive.open(migrated_url, tmp_path)
    yield opened
    opened.worker.close()


def _marked(archive: Archive) -> None:
    """Let this installation be known to its store for long enough."""
    assert archive.sweep() == 0
    with archive.worker.store.read() as tx:
        mark = keys.installation(retention.birth(tx).id)
    assert archive.worker.objects.exists(mark)
    if archive.worker.objects.url.startswith("file:"):
        archive.age(mark, 2)


def test_what_no_row_knows_is_swept_when_it_is_a_day_old(archive: Archive) -> None:
    job_id = archive.final()
    kept = archive.objects()
    gone, going = new_id(), archive.acting.waiting_at(Stage.EXECUTION)
    orphans = [
        f"pending/default/{gone}/input.qasm",
        f"completed/default/{gone}/result-7.json",
        f"completed/default/{job_id}/result-999.json",
        f"pending/default/{job_id}/fetched-3.py",
        keys.result_batch("default", new_id()),
    ]
    others = [
        f"pending/default/{going}/fetched-3.py",
        f"completed/default/{going}/isa-3.qpy",
        f"completed/default/{gone}/isa-1.qpy",
        "completed/default/not-a-job/file",
        "calibrations/ibm_fez/abc.json",
        "elsewhere/file",
    ]
    for key in [*orphans, *others]:
        archive.worker.objects.put(key, b"x")
    _marked(archive)
    for key in archive.objects():
        archive.age(key, 2)
    archive.age(others[2], 0.9)
    assert archive.sweep() == len(orphans)
    assert archive.objects() == sorted([*kept, *others])


def test_a_result_that_expired_keeps_no_object_that_was_not_deleted_with_it(archive: Archive) -> None:
    job_id = archive.final(days=2)
    _marked(archive)
    for key in archive.objects():
        archive.age(key, 2)
    with archive.worker.store.begin() as tx:
        retention.expire(tx, [job_id])  # and then the process died
    assert archive.sweep() == 3 and archive.objects() == []


def test_a_job_with_something_left_to_do_keeps_its_objects(archive: Archive) -> None:
    job_id = archive.final()
    archive.set(job_id, aftercare=True)
    spare = f"pending/default/{job_id}/circuit.qpy"
    archive.worker.objects.put(spare, b"x")
    _marked(archive)
    for key in archive.objects():
        archive.age(key, 2)
    assert archive.sweep() == 0
    archive.set(job_id, aftercare=False)
    assert archive.sweep() == 1 and spare not in archive.objects()


def test_a_fresh_database_beside_an_old_store_sweeps_nothing(archive: Archive) -> None:
    old = _id_of(datetime.now(UTC) - timedelta(days=30))
    archive.worker.objects.put(f"completed/default/{old}/result-1.json", b"x")
    archive.age(f"completed/default/{old}/result-1.json", 30)
    _marked(archive)
    assert archive.sweep() == 0 and len(archive.objects()) == 1
    archive.born(31)
    assert archive.sweep() == 1


def test_two_installations_that_share_a_store_leave_each_other_alone(
    archive: Archive, caplog: pytest.LogCaptureFixture
) -> None:
    _marked(archive)
    key = f"completed/default/{new_id()}/result-1.json"
    archive.worker.objects.put(key, b"x")
    archive.age(key, 2)
    other = keys.installation(new_id())
    archive.worker.objects.put(other, b"")
    with caplog.at_level(logging.ERROR):
        assert archive.sweep() == 0
    assert other in caplog.text and archive.objects() == [key]
    archive.worker.objects.delete(other)
    assert archive.sweep() == 1


def test_a_sweep_goes_on_where_the_last_one_stopped_and_begins_anew_a_day_later(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qtasks.stages.orphans._AT_ONCE", 2)
    for place in ("completed", "pending"):
        for _ in range(3):
            key = f"{place}/default/{new_id()}/input.qasm"
            archive.worker.objects.put(key, b"x")
            archive.age(key, 2)
    _marked(archive)
    assert [archive.sweep(seconds=-1.0) for _ in range(4)] == [2, 2, 2, 0]
    with archive.worker.store.read() as tx:
        assert retention.position(tx, retention.SWEEP).upto == ""
    assert archive.retain()["orphans"] == 0


def test_what_lies_in_a_bucket_is_swept_alike(
    request: pytest.FixtureRequest, migrated_url: str, tmp_path: Path
) -> None:
    for scheme, server in (("s3", "s3_server"), ("gs", "gcs_server")):
        request.getfixturevalue(server)
        url = f"{scheme}://{BUCKET}/{new_id()}"
        archive = Archive.open(migrated_url, tmp_path, object_store_url=url)
        archive.do(
            lambda tx: tx.execute(
                update(retention.retention).where(retention.retention.c.task == "sweep").values(upto="")
            )
        )
        archive.worker.objects.put(f"pending/default/{new_id()}/input.qasm", b"x")
        kept = archive.final()
        assert archive.sweep() == 0
        assert archive.sweep(older_than=-1.0) == 1
        assert {keys.maker(key) for key in archive.objects()} == {kept}
        archive.worker.close()


def test_the_circuit_of_a_job_that_is_long_at_its_provider_stays_young(archive: Archive) -> None:
    job_id, other = archive.acting.submitted(), archive.acting.submitted()
    values = {"attempt": 1, "account": "lab", "device": "ibm_fez", "state": "queued", "compiled": {}}
    for each, settled in ((job_id, False), (other, True)):
        key = keys.isa("default", each, 1, "qpy")
        archive.worker.objects.put(key, each.encode())
        archive.age(key, 61)
        row = {**values, "tag": each, "isa_key": key, "settled": settled}
        times = {"intended_at": moment(-61 * DAY), "tried_at": moment()}
        archive.do(
            lambda tx, of=each, row=row, times=times: tx.execute(
                insert(provider_jobs).values(job_id=of, **row, **times)
            )
        )
    _keep_young(archive.worker)
    ages = {found.key: found.written_at for found in archive.worker.objects.walk("completed/")}
    new, old = ages[keys.isa("default", job_id, 1, "qpy")], ages[keys.isa("default", other, 1, "qpy")]
    assert datetime.now(UTC) - new < timedelta(hours=1) and datetime.now(UTC) - old > timedelta(days=60)
    assert archive.worker.objects.get(keys.isa("default", job_id, 1, "qpy")) == job_id.encode()


def _id_of(when: datetime) -> str:
    """A job's id as it would have been made then."""
    milliseconds = int(when.timestamp() * 1000)
    return str(uuid.UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62 | int.from_bytes(os.urandom(7), "big")))
