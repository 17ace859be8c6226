"""What is kept no longer is removed, in every namespace by its own rule, a little at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from qtasks.lifecycle import Phase
from qtasks.objects import keys
from qtasks.stages.retention import _removals
from qtasks.store import access, accounts, jobs, lifetimes, records, retention, stored, upkeep
from qtasks.store.access import Entry
from qtasks.store.ids import new_id
from qtasks.store.tables import audit, charges, events, outputs, provider_jobs, results
from qtasks.store.tables import lifetimes as lifetime_rows
from qtasks.store.types import moment
from tests.store.acting import new_job
from tests.store.retaining import DAY, Archive

pytestmark = pytest.mark.system


@pytest.fixture
def archive(migrated_url: str, tmp_path: Path) -> Iterator[Archive]:
    opened = Archive.open(migrated_url, tmp_path)
    yield opened
    opened.worker.close()


def test_nothing_is_removed_where_nothing_is_said(archive: Archive) -> None:
    old = archive.final(days=10_000)
    assert archive.retain().total() == 0
    assert archive.there() == {old} and len(archive.objects()) == 3


def test_final_jobs_go_with_their_objects_when_their_namespace_keeps_them_no_longer(archive: Archive) -> None:
    archive.configure("retention: {jobs: 90d}\ntenants:\n  - {namespace: short, retention: {jobs: 1h}}\n")
    old, young = archive.final(days=91), archive.final(days=89)
    short = archive.final(days=0.1, namespace="short", phase=Phase.FAILED)
    waiting = archive.acting.submitted(namespace="short")
    done = archive.retain()
    assert archive.there() == {old, young, short, waiting} - {old, short}
    assert (done["jobs"], done["objects"]) == (2, 5)
    assert {keys.maker(key) for key in archive.objects()} == {young}


def test_a_namespace_may_keep_for_ever_what_others_do_not(archive: Archive) -> None:
    archive.configure("retention: {jobs: 1d}\ntenants:\n  - {namespace: archive, retention: {jobs: forever}}\n")
    kept = archive.final(days=5000, namespace="archive")
    archive.final(days=2)
    archive.retain()
    assert archive.there() == {kept}


def test_a_visit_goes_on_through_batches_and_the_next_one_where_time_ran_out(archive: Archive) -> None:
    archive.configure("retention: {jobs: 1d, events: 1d, objects: 1d}")
    for _ in range(3):
        archive.final(days=2)
    assert archive.retain(seconds=-1.0)["jobs"] == 0 and len(archive.there()) == 3
    assert archive.retain()["jobs"] == 3
    assert archive.there() == set() and archive.objects() == []


def test_a_job_that_owes_somebody_something_stays_until_it_does_not(archive: Archive) -> None:
    archive.configure("retention: {jobs: 1d}")
    tidied, delivered, settled, charged = (archive.final(days=2) for _ in range(4))
    archive.set(tidied, aftercare=True)
    times = {"since": moment(), "due_at": moment()}
    archive.do(lambda tx: tx.execute(insert(outputs).values(job_id=delivered, state="due", tries=1, **times)))
    _at_provider(archive, settled, settled=False)
    row = {"namespace": "default", "labels": {}, "price": "", "periods": [], "at": moment(), "changed_at": moment()}
    archive.do(lambda tx: tx.execute(insert(charges).values(job_id=charged, attempt=1, state="reserved", **row)))
    assert archive.retain()["jobs"] == 0
    archive.set(tidied, aftercare=False)
    archive.do(lambda tx: tx.execute(update(outputs).values(state="delivered")))
    archive.do(lambda tx: tx.execute(update(provider_jobs).values(settled=True)))
    archive.do(lambda tx: tx.execute(update(charges).values(state="settled")))
    assert archive.retain()["jobs"] == 4
    with archive.worker.store.read() as tx:
        assert tx.execute(select(charges.c.job_id)).scalars().all() == [charged], "the books are kept"


def test_what_a_removed_job_used_of_an_allowance_still_counts(archive: Archive) -> None:
    archive.configure("retention: {jobs: 1d}")
    _at_provider(archive, archive.final(days=2), settled=True, quantum_seconds=7.5, finished_at=moment(-2 * DAY))
    assert archive.retain()["jobs"] == 1
    with archive.worker.store.read() as tx:
        assert [use.seconds for use in accounts.uses(tx, "lab", days=28)] == [7.5]
        assert accounts.uses(tx, "lab", days=1) == [] == accounts.uses(tx, "other", days=28)


def test_an_object_of_many_results_goes_when_the_last_of_them_does(archive: Archive) -> None:
    archive.configure("retention: {jobs: 10d}")
    batch = keys.result_batch("default", new_id())
    archive.final(days=11, result=batch)
    last = archive.final(days=9, result=batch)
    archive.retain()
    assert archive.worker.objects.exists(batch)
    archive.set(last, finished_at=moment(-11 * DAY))
    archive.retain()
    assert archive.objects() == []


def test_a_job_s_own_time_to_live_counts_from_its_end(archive: Archive) -> None:
    ended, early = (archive.cancelled(seconds, kept_seconds=3600.0) for seconds in (3601.0, 3500.0))
    going = archive.acting.submitted(kept_seconds=3600.0)
    assert archive.retain()["jobs"] == 0, "none of them can be over an hour after it was submitted"
    archive.do(lambda tx: tx.execute(update(lifetime_rows).values(due_at=moment(-1.0))))
    assert archive.retain()["jobs"] == 1
    assert archive.there() == {early, going} and ended not in archive.there()
    with archive.worker.store.read() as tx:
        now = upkeep.now(tx)
        due = {row.job_id: (row.due_at - now).total_seconds() for row in tx.execute(select(lifetime_rows))}
    assert 80 < due[early] <= 100 and 3580 < due[going] <= 3600


def test_a_job_whose_time_is_over_while_it_owes_something_is_looked_at_again(archive: Archive) -> None:
    job_id = archive.cancelled(5.0, kept_seconds=0.0)
    archive.set(job_id, aftercare=True)
    assert archive.retain()["jobs"] == 0
    archive.set(job_id, aftercare=False)
    archive.do(lambda tx: tx.execute(update(lifetime_rows).values(due_at=moment(-1.0))))
    assert archive.retain()["jobs"] == 1


def test_a_time_to_live_may_be_shorter_than_the_namespace_s_and_not_longer(archive: Archive) -> None:
    archive.configure("retention: {jobs: 1h}")
    archive.cancelled(3601.0, kept_seconds=100 * DAY)
    assert archive.retain()["jobs"] == 1


def test_only_jobs_with_a_time_to_live_are_looked_at_for_one(archive: Archive) -> None:
    archive.acting.submit(new_job(), new_job(kept_seconds=0.0))
    with archive.worker.store.begin() as tx:
        assert lifetimes.over(tx, limit=10) == ([], False)
        assert lifetimes.over(tx, limit=1) == ([], True)


def test_events_go_before_their_jobs(archive: Archive) -> None:
    archive.configure("retention: {events: 30d}")
    old, young = archive.final(days=31), archive.final(days=29)
    going = archive.acting.submitted()
    removed = archive.retain()["events"]
    assert removed >= 4 and archive.acting.events(old) == []
    assert archive.acting.events(young) and archive.acting.events(going)
    assert archive.there() == {old, young, going}
    assert archive.retain()["events"] == 0
    archive.set(young, finished_at=moment(-30.5 * DAY))
    assert archive.retain()["events"] == removed


def test_a_result_whose_object_is_kept_no_longer_is_expired_and_its_job_says_so(archive: Archive) -> None:
    archive.configure("retention: {objects: 30d}")
    old, young, failed = archive.final(days=31), archive.final(days=29), archive.final(days=31, phase=Phase.FAILED)
    done = archive.retain()
    assert (done["results"], done["objects"]) == (1, 5)
    assert {keys.maker(key) for key in archive.objects()} == {young}
    with archive.worker.store.read() as tx:
        row, payload = jobs.get(tx, old), next(jobs.payload(tx, [old]))
        assert row.result_expired_at is not None and row.counts == {"00": 512, "11": 512}
        assert (payload.input_key, payload.circuit_key) == (None, None)
        [known] = records.conditions_of(tx, [old])[old]
        assert (known.condition.type, known.condition.status, known.condition.reason) == (
            "ResultStored",
            "False",
            "ResultExpired",
        )
        assert records.conditions_of(tx, [failed])[failed] == []
        found = stored.results_of(tx, fingerprint="c" * 64, namespace="default", shots=1024, seed=None, limit=5)
        assert [row.id for row in found] == [young], "an expired result is reused by nobody"
    assert archive.retain().total() == 0


def test_results_in_one_object_expire_and_the_object_goes_with_the_last(archive: Archive) -> None:
    archive.configure("retention: {objects: 10d}")
    batch = keys.result_batch("default", new_id())
    archive.final(days=11, result=batch)
    last = archive.final(days=9, result=batch)
    assert archive.retain()["results"] == 1 and archive.worker.objects.exists(batch)
    archive.set(last, finished_at=moment(-10.5 * DAY))
    assert archive.retain()["results"] == 1 and not archive.worker.objects.exists(batch)


def test_objects_wait_for_whoever_has_yet_to_do_something_with_them(archive: Archive) -> None:
    archive.configure("retention: {objects: 1d}")
    busy, behind = archive.final(days=3), archive.final(days=2)
    archive.set(busy, aftercare=True)
    assert archive.retain()["results"] == 0
    archive.set(busy, aftercare=False)
    assert archive.retain()["results"] == 2
    assert {busy, behind} == archive.there()


def test_no_object_is_kept_longer_than_its_job_ought_to_be(archive: Archive) -> None:
    archive.configure("retention: {jobs: 1d, objects: 9d}")
    unsettled = archive.final(days=2)
    _at_provider(archive, unsettled, settled=False, isa_key="completed/default/isa")
    assert archive.retain()["results"] == 1
    assert archive.there() == {unsettled} and archive.objects() == []


def test_the_audit_trail_is_kept_by_namespace_too(archive: Archive) -> None:
    archive.configure("retention: {audit: 365d}\ntenants:\n  - {namespace: lab, retention: {audit: 30d}}\n")
    for namespace in (None, "default", "lab"):
        for age in (1, 31, 366):
            archive.do(lambda tx, of=namespace: access.record(tx, [Entry("ann", "get", of, "job", True, "Allowed")]))
            newest = select(audit.c.id).order_by(audit.c.id.desc()).limit(1).scalar_subquery()
            archive.do(
                lambda tx, last=newest, age=age: tx.execute(
                    update(audit).where(audit.c.id == last).values(at=moment(-age * DAY))
                )
            )
    assert archive.retain()["audit"] == 4
    with archive.worker.store.read() as tx:
        left = [row.namespace for row in access.audit_of(tx, namespaces=None, limit=10)]
    assert sorted(map(str, left)) == ["None", "None", "default", "default", "lab"]


def test_namespaces_are_found_one_by_one(archive: Archive) -> None:
    for name in ("b", "a", "b", "c"):
        archive.acting.submitted(namespace=name)
    with archive.worker.store.read() as tx:
        assert retention.namespaces(tx) == ["a", "b", "c"]
        assert retention.namespaces(tx, of_audit=True) == []


def test_of_two_visits_at_once_one_does_it(archive: Archive) -> None:
    if not archive.worker.store.postgresql:
        return  # one writer at a time
    archive.configure("retention: {jobs: 1d}")
    archive.final(days=2)
    with archive.worker.store.begin() as tx:
        assert upkeep.sole(tx, 2)
        assert archive.retain()["jobs"] == 0
    assert archive.retain()["jobs"] == 1


def test_nothing_is_removed_while_the_configuration_cannot_be_read(archive: Archive) -> None:
    archive.configure("retention: {jobs: 1d}")
    archive.final(days=2)
    archive.configure("retention: {jobs: yesterday}")
    assert archive.retain().total() == 0 and len(archive.there()) == 1


def test_a_namespace_that_takes_all_the_time_does_not_keep_the_others_from_their_turn(archive: Archive) -> None:
    archive.configure("retention: {jobs: 1d}")
    archive.final(days=2, namespace="a")
    archive.do(lambda tx: retention.keep_position(tx, retention.VISITS, at=None, upto="a"))
    assert _turns(archive) == ["", "a"]
    archive.final(days=2, namespace="b")
    assert _turns(archive) == ["b", "", "a"]


def test_no_event_and_no_result_is_left_of_a_removed_job(archive: Archive) -> None:
    archive.configure("retention: {jobs: 1d}")
    archive.final(days=2)
    archive.retain()
    with archive.worker.store.read() as tx:
        assert tx.execute(select(events.c.id)).all() == [] == tx.execute(select(results.c.job_id)).all()


def _turns(archive: Archive) -> list[str]:
    return list(dict.fromkeys(name for name, _ in _removals(archive.worker, archive.worker.config)))


def _at_provider(archive: Archive, job_id: str, **changes: Any) -> None:
    values = {"attempt": 1, "account": "lab", "device": "ibm_fez", "tag": job_id, "state": "done", "compiled": {}}
    times = {"intended_at": moment(), "tried_at": moment()}
    row = {**values, **times, **changes}
    archive.do(lambda tx: tx.execute(insert(provider_jobs).values(job_id=job_id, **row)))
