"""Objects that no row knows: a process died between rows and objects. They are swept when they are a day old."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from qtasks.objects import Stored, keys
from qtasks.stages.worker import Worker
from qtasks.store import pointers, retention
from qtasks.store.ids import time_of
from qtasks.store.retention import SWEEP, Birth

log = logging.getLogger(__name__)

DAY_SECONDS = 86_400.0
YOUNG_DAYS = 60
"""Objects of jobs at a provider are written again when they are so old: see `objects.lifecycle`."""
_PLACES = ("completed/", "pending/")
_AT_ONCE = 500
_MOST = 20_000
_SKEW = timedelta(hours=1)


def sweep(
    worker: Worker, *, until: float, delete: Callable[[Collection[str]], None], older_than: float = DAY_SECONDS
) -> int:
    """Delete orphans until the time `until` (`time.monotonic()`), and note how far this came; returns how many. What is
    in the store is gone through once in `older_than` seconds, and nothing younger is touched."""
    with worker.store.read() as tx:
        birth, last = retention.birth(tx), retention.position(tx, SWEEP)
    if last is None or not last.upto:
        if last is not None and (last.now - last.at).total_seconds() < older_than:
            return 0
        _begin(worker)
        _keep_young(worker)
        if not _may_sweep(worker, birth, older_than=older_than):
            return 0
    swept, walk = 0, _walk(worker, "" if last is None else last.upto)
    for _ in range(_MOST // _AT_ONCE):
        page = list(itertools.islice(walk, _AT_ONCE))
        old = [each for each in page if _age(each) > older_than]
        orphans = _orphans(worker, birth, old)
        delete(orphans)
        swept += len(orphans)
        finished = len(page) < _AT_ONCE
        with worker.store.begin() as tx:
            begun = retention.position(tx, SWEEP)
            retention.keep_position(tx, SWEEP, at=begun.at, upto="" if finished else page[-1].key)
        if finished or time.monotonic() > until:
            break
    return swept


def _begin(worker: Worker) -> None:
    with worker.store.begin() as tx:
        retention.keep_position(tx, SWEEP, at=None, upto="")


def _may_sweep(worker: Worker, birth: Birth, *, older_than: float) -> bool:
    """Whether this store is this installation's alone, as far as marks in it tell. Another one's objects are in no row
    of ours; both stop, and the first sweep waits until the other had time to leave its mark."""
    own = keys.installation(birth.id)
    marks = {mark.key: mark for mark in worker.objects.walk(keys.INSTALLATIONS)}
    if own not in marks:
        worker.objects.put(own, b"qtasks uses this store\n")
        return False
    others = sorted(set(marks) - {own})
    if others:
        log.error(
            "objects that no row knows are left alone: another installation has left %s in %s; delete that mark if it "
            "uses this store no longer, else give each a prefix of its own",
            others[0],
            worker.objects.url,
        )
        return False
    return _age(marks[own]) > older_than / 2


def _walk(worker: Worker, upto: str) -> Iterator[Stored]:
    for place in _PLACES:
        if upto < place or upto.startswith(place):
            yield from worker.objects.walk(place, after=upto)


def _orphans(worker: Worker, birth: Birth, found: Sequence[Stored]) -> list[str]:
    """Those that no row points at, and none will: of jobs that are gone, and of final ones with nothing left to do."""
    made = {each.key: keys.maker(each.key) for each in found}
    ours = {key: maker for key, maker in made.items() if maker is not None and _is_ours(maker, birth)}
    with worker.store.read() as tx:
        batches = [key for key in ours if keys.is_batch(key)]
        ids = {maker for key, maker in ours.items() if not keys.is_batch(key)}
        known = pointers.jobs_of(tx, ids)
        wanted = pointers.with_results(tx, batches) | pointers.keys_of(tx, [each for each in known if known[each]])
    return [key for key, maker in ours.items() if key not in wanted and known.get(maker, True)]


def _is_ours(maker: str, birth: Birth) -> bool:
    """Whether a job or batch is younger than this database: a fresh one beside an old store knows no row, and has no
    say over what lies there."""
    made_at = time_of(maker)
    return made_at is not None and made_at > birth.at - _SKEW


def _keep_young(worker: Worker) -> None:
    """Write what lies under `completed/` of jobs that are long at their provider again: lifecycle rules count an
    object's age, and a job's objects are kept from its end on."""
    before = datetime.now(UTC) - timedelta(days=YOUNG_DAYS)
    with worker.store.read() as tx:
        waiting = pointers.isa_of_long_waits(tx, older_than=before)
    for key in waiting:
        for found in worker.objects.walk(key):
            if found.key == key and found.written_at < before:
                worker.objects.put(key, worker.objects.get(key))


def _age(found: Stored) -> float:
    return (datetime.now(UTC) - found.written_at).total_seconds()
