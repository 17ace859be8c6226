"""What the reconciler asks: times that ran out, loose ends, who is at work, and that it is alone at it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from qtasks.errors import Unavailable
from qtasks.lifecycle import Phase, Queue
from qtasks.store import Store, upkeep
from qtasks.store.moves import finish
from qtasks.store.records import Event
from tests.store.acting import Acting


def _end_overdue(acting: Acting) -> list[str]:
    with acting.store.begin() as tx:
        return upkeep.end_overdue(tx)


def _loose_ends(acting: Acting, *, older_than_seconds: float = -1.0, limit: int = 10) -> list[str]:
    with acting.store.read() as tx:
        return upkeep.loose_ends(tx, older_than_seconds=older_than_seconds, limit=limit)


@pytest.mark.parametrize("held", [False, True], ids=["waiting", "held"])
def test_a_job_whose_total_time_ran_out_fails_wherever_it_stands(acting: Acting, held: bool) -> None:
    job_id = acting.submitted(total_seconds=-0.01)
    claim = acting.claim() if held else None
    assert _end_overdue(acting) == [job_id]
    row = acting.row(job_id)
    assert (row.phase, row.reason, row.stage, row.owner) == ("Failed", "TotalTimeout", None, None)
    assert _end_overdue(acting) == []
    assert claim is None or acting.finish(claim, Phase.FAILED) == set()


def test_a_total_time_of_nothing_has_run_out(acting: Acting) -> None:
    job_id = acting.submitted(total_seconds=0)
    ended: list[str] = []
    # SQLite's clock ticks in milliseconds.
    while not ended:
        ended = _end_overdue(acting)
    assert ended == [job_id]


def test_a_job_that_has_time_left_or_is_final_is_let_be(acting: Acting) -> None:
    acting.submitted(total_seconds=60)
    acting.submitted()
    done = acting.submitted(total_seconds=-0.01)
    acting.cancel(done)
    assert _end_overdue(acting) == []
    assert acting.row(done).reason == "Cancelled"


def test_final_jobs_with_work_left_are_loose_ends_until_they_are_tied_up(acting: Acting) -> None:
    first, second, third = (acting.submitted() for _ in range(3))
    claim = acting.claim(limit=3)
    acting.finish(claim, Phase.FAILED, ids=[first])
    acting.finish(claim, Phase.FAILED, ids=[second])
    with acting.store.begin() as tx:
        finish(tx, claim, [third], Phase.FAILED, event=Event("Failed", "…"), aftercare=False)
    assert set(_loose_ends(acting)) == {first, second}
    assert _loose_ends(acting, older_than_seconds=60.0) == []
    assert len(_loose_ends(acting, limit=1)) == 1
    with acting.store.begin() as tx:
        upkeep.tied_up(tx, [first])
    assert _loose_ends(acting) == [second]


def test_a_worker_is_alive_while_it_reports(acting: Acting) -> None:
    with acting.store.begin() as tx:
        for memory in (1, 2):
            upkeep.report_worker(tx, "a", queues=[Queue.VALIDATION, Queue.SMALL], memory=memory, threads=4)
        upkeep.report_worker(tx, "b", queues=[Queue.POLLING], memory=2**40, threads=1)
    with acting.store.begin() as tx:
        alive = upkeep.live_workers(tx, within_seconds=60.0)
        assert [(row.name, row.queues, row.memory, row.threads) for row in alive] == [
            ("a", ["validation", "execution"], 2, 4),
            ("b", ["polling"], 2**40, 1),
        ]
        assert upkeep.live_workers(tx, within_seconds=-1.0) == []
        upkeep.forget_workers(tx, older_than_seconds=60.0)
        upkeep.retire_worker(tx, "a")
        assert [row.name for row in upkeep.live_workers(tx, within_seconds=60.0)] == ["b"]
        upkeep.forget_workers(tx, older_than_seconds=-1.0)
        assert upkeep.live_workers(tx, within_seconds=60.0) == []


def test_a_worker_that_reports_again_keeps_the_time_it_started(acting: Acting) -> None:
    found = []
    for _ in range(2):
        with acting.store.begin() as tx:
            upkeep.report_worker(tx, "a", queues=[Queue.POLLING], memory=1, threads=1)
            found += upkeep.live_workers(tx, within_seconds=60.0)
    assert found[0].started_at == found[1].started_at
    assert found[0].seen_at <= found[1].seen_at


def test_open_jobs_are_those_that_are_not_final(acting: Acting) -> None:
    ids = [acting.submitted() for _ in range(3)]
    acting.claim()
    acting.cancel(ids[2])
    with acting.store.read() as tx:
        assert upkeep.open_jobs(tx) == 2


def test_the_clock_is_the_databases_and_in_utc(acting: Acting) -> None:
    with acting.store.read() as tx:
        now = upkeep.now(tx)
    assert now.utcoffset() == timedelta(0)
    assert abs(now - datetime.now(UTC)) < timedelta(seconds=60)


def test_a_lone_reconciler_is_the_only_one(acting: Acting) -> None:
    for _ in range(2):
        with acting.store.begin() as tx:
            assert upkeep.sole(tx, 1)


@pytest.mark.system
def test_a_second_reconciler_goes_away_while_the_first_is_at_work(postgres_acting: Acting) -> None:
    store = postgres_acting.store
    with store.begin() as first:
        assert upkeep.sole(first, 1)
        with store.begin() as second:
            assert not upkeep.sole(second, 1)
            assert upkeep.sole(second, 2)
    with store.begin() as third:
        assert upkeep.sole(third, 1)


def test_a_database_that_is_not_there_is_unavailable_and_its_password_is_not_told() -> None:
    store = Store("postgresql+psycopg://qtasks:hunter2@127.0.0.1:1/qtasks")
    with pytest.raises(Unavailable) as caught, store.begin():
        pass
    store.close()
    assert caught.value.reason == "DatabaseUnavailable"
    assert "127.0.0.1" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_what_must_not_be_lost_is_written_again_until_it_succeeds(acting: Acting) -> None:
    tries: list[int] = []

    def write(_tx: object) -> str:
        tries.append(1)
        if len(tries) < 3:
            raise Unavailable("The database is away.")
        return "written"

    assert acting.store.insist(write, seconds=30) == "written"
    assert len(tries) == 3
    with pytest.raises(Unavailable, match="still"):
        acting.store.insist(_away, seconds=0)


def _away(_tx: object) -> None:
    raise Unavailable("The database is still away.")


def test_a_new_file_is_opened_by_many_at_once(tmp_path: Path) -> None:
    errors: list[Unavailable] = []

    def open_at(path: Path, together: threading.Barrier) -> None:
        store = Store(f"sqlite:///{path}")
        together.wait()
        try:
            with store.begin() as tx:
                upkeep.now(tx)
        except Unavailable as error:
            errors.append(error)
        store.close()

    for number in range(20):
        given = (tmp_path / f"{number}.db", threading.Barrier(8))
        threads = [threading.Thread(target=open_at, args=given) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert errors == []


def test_readers_do_not_wait_for_a_writer(acting: Acting) -> None:
    job_id = acting.submitted()
    seen: list[str] = []
    reader = threading.Thread(target=lambda: seen.append(acting.phase(job_id)))
    with acting.store.begin() as tx:
        upkeep.report_worker(tx, "a", queues=[], memory=1, threads=1)
        reader.start()
        reader.join(20)
        assert not reader.is_alive()
    assert seen == ["Pending"]
