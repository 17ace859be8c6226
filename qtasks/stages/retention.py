"""Retention: what has been kept long enough is removed, rows first and then their objects, a little at every visit."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from qtasks.config import Config
from qtasks.errors import QTasksError
from qtasks.stages.orphans import sweep
from qtasks.stages.worker import Worker
from qtasks.store import lifetimes, removal, retention, upkeep
from qtasks.store.retention import EVENTS, OBJECTS, VISITS

log = logging.getLogger(__name__)

_RETENTION = 2
"""The number of this periodic task's advisory lock."""
_SECONDS = 5.0
_JOBS_AT_ONCE = 200
_ENTRIES_AT_ONCE = 2000
_DELETING = 8


@dataclass(frozen=True, slots=True)
class Step:
    """What one transaction removed: how many, which objects that leaves to delete, and whether there is more to do."""

    removed: int
    keys: Collection[str] = ()
    more: bool = False


Removal = tuple[str, Callable[[Connection], Step]]
"""What is removed (jobs, events, objects, audit), and a step of it."""


class _TimeOverError(Exception):
    """The visit has taken long enough, or somebody else is at it."""


def retain(worker: Worker, *, seconds: float = _SECONDS) -> Counter[str]:
    """Remove what is kept no longer, for about `seconds`, and objects that no row knows for as long; the next visit
    goes on where this one stopped. Returns how many jobs, events, objects, entries of the audit trail and orphans.

    Safe to run from several places at once: one of them does it.
    """
    done: Counter[str] = Counter()
    try:
        config = worker.config
    except QTasksError as error:
        log.error("nothing is removed while QTASKS_CONFIG cannot be used: %s", error)
        return done
    try:
        _remove(worker, config, done, until=time.monotonic() + seconds)
        done["orphans"] = sweep(worker, until=time.monotonic() + seconds, delete=partial(delete_objects, worker))
    except QTasksError as error:
        log.warning("what is kept no longer has to wait: %s", error)
    if done.total():
        log.info("removed %s", ", ".join(f"{number} {what}" for what, number in sorted(done.items()) if number))
    return done


def delete_objects(worker: Worker, keys: Collection[str]) -> None:
    """Delete objects, several at a time; what fails is an orphan for the sweep. Raises QTasksError."""
    if keys:
        with ThreadPoolExecutor(_DELETING, thread_name_prefix="retention") as pool:
            for _ in pool.map(worker.objects.delete, sorted(keys)):
                pass


def _remove(worker: Worker, config: Config, done: Counter[str], *, until: float) -> None:
    turn = ""
    try:
        for whose, (what, step) in _removals(worker, config):
            turn = whose
            while _take(worker, what, step, done, until=until):
                pass
    except _TimeOverError:
        # The next visit begins behind whoever took all the time of this one.
        with worker.store.begin() as tx:
            retention.keep_position(tx, VISITS, at=None, upto=turn)


def _take(worker: Worker, what: str, step: Callable[[Connection], Step], done: Counter[str], *, until: float) -> bool:
    """Take a step; whether there are more."""
    with worker.store.begin() as tx:
        if time.monotonic() > until or not upkeep.sole(tx, _RETENTION):
            raise _TimeOverError
        taken = step(tx)
    done[what] += taken.removed
    # Rows first: a Completed row whose result is kept always points at bytes that exist.
    delete_objects(worker, taken.keys)
    done["objects"] += len(taken.keys)
    return taken.more


def _removals(worker: Worker, config: Config) -> Iterator[tuple[str, Removal]]:
    """All that may be removed, by whose turn it is: each namespace's, and before them what is of none."""
    with worker.store.read() as tx:
        last = retention.position(tx, VISITS)
        names = ["", *retention.namespaces(tx)]
        audited = retention.namespaces(tx, of_audit=True)
    first = 0 if last is None else sum(name <= last.upto for name in names)
    for name in [*names[first:], *names[:first]]:
        for removal_ in _of_namespace(name, config) if name else _of_none(audited, config):
            yield name, removal_


def _of_none(audited: Collection[str], config: Config) -> Iterator[Removal]:
    yield "jobs", _over
    for namespace in (None, *audited):
        age = config.kept(namespace).audit
        if age is not None:
            yield "audit", partial(_audit, namespace=namespace, age=age)


def _of_namespace(namespace: str, config: Config) -> Iterator[Removal]:
    kept = config.kept(namespace)
    if kept.jobs is not None:
        yield "jobs", partial(_jobs, namespace=namespace, age=kept.jobs)
    if kept.events is not None:
        yield "events", partial(_events, namespace=namespace, age=kept.events)
    if kept.objects is not None:
        yield "results", partial(_objects, namespace=namespace, age=kept.objects)


def _over(tx: Connection) -> Step:
    """Jobs whose own time to live is over."""
    over, more = lifetimes.over(tx, limit=_JOBS_AT_ONCE)
    ids = retention.settled(tx, over)
    return Step(len(ids), removal.remove_all(tx, ids), more)


def _jobs(tx: Connection, *, namespace: str, age: float) -> Step:
    ids = retention.removable(tx, namespace, older_than_seconds=age, limit=_JOBS_AT_ONCE)
    return Step(len(ids), removal.remove_all(tx, ids), len(ids) == _JOBS_AT_ONCE)


def _events(tx: Connection, *, namespace: str, age: float) -> Step:
    jobs = retention.passed(tx, EVENTS, namespace, older_than_seconds=age, limit=_JOBS_AT_ONCE)
    if not jobs.ids:
        return Step(0)
    retention.keep_position(tx, EVENTS, namespace, at=jobs.at, upto=jobs.ids[-1])
    return Step(retention.forget_events(tx, jobs.ids), more=jobs.more)


def _objects(tx: Connection, *, namespace: str, age: float) -> Step:
    jobs = retention.passed(tx, OBJECTS, namespace, older_than_seconds=age, limit=_JOBS_AT_ONCE)
    if not jobs.ids:
        return Step(0)
    retention.keep_position(tx, OBJECTS, namespace, at=jobs.at, upto=jobs.ids[-1])
    expired, keys = retention.expire(tx, jobs.ids)
    return Step(expired, keys, jobs.more)


def _audit(tx: Connection, *, namespace: str | None, age: float) -> Step:
    # One step at each visit: entries of one namespace must not keep those of others.
    return Step(retention.forget_audit(tx, namespace, older_than_seconds=age, limit=_ENTRIES_AT_ONCE))
