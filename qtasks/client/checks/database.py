"""The database: whether it answers, its schema, its clock, and what its rows say of workers and accounts."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

from sqlalchemy import func, select, text
from sqlalchemy.exc import ArgumentError

from qtasks.client.checks.clock import skewed
from qtasks.client.checks.finding import Finding, Found, Mark, absent, of_error, ok, warn
from qtasks.errors import InvalidInput
from qtasks.lifecycle import Queue
from qtasks.settings import Settings
from qtasks.store import Store, schema, upkeep
from qtasks.store.tables import jobs
from qtasks.store.types import moment

_SEEN_SECONDS = 60.0
"""How long a worker counts as alive that has not been heard of."""
_FORGOTTEN_SECONDS = 60.0
"""How long an expired lease may lie there: the reconciler comes every few seconds."""


def made_later(settings: Settings) -> bool:
    """Whether the database is the embedded one, and not there yet."""
    return settings.embedded and not settings.database_url and not (settings.home_path / "qtasks.db").exists()


def database(settings: Settings) -> Found:
    """Whether the database answers, its schema, clock, workers and periodic tasks."""
    if made_later(settings):
        yield absent("database", f"SQLite in {settings.home_path}, made when the embedded stack first starts")
        return
    try:
        store = Store(settings.database, pool_size=1)
    except (ArgumentError, ImportError):
        raise InvalidInput(
            "QTASKS_DATABASE_URL is no address of a database.",
            reason="InvalidSettings",
            hint="It looks like postgresql+psycopg://user:password@host/database.",
        ) from None
    try:
        yield _answers(settings, store)
        try:
            schema.require_current(store)
        except schema.WrongSchema as error:
            yield of_error("schema", error)
            return
        yield ok("schema", schema.head())
        yield _clock(store)
        yield from _workers(settings, store)
        yield from _periodic(settings, store)
    finally:
        store.close()


def _answers(settings: Settings, store: Store) -> Finding:
    with store.read() as tx:
        began = time.monotonic()
        release = tx.execute(
            text("SHOW server_version" if store.postgresql else "SELECT sqlite_version()")
        ).scalar_one()
        took = time.monotonic() - began
    kind = f"PostgreSQL {release}" if store.postgresql else f"SQLite {release} in {settings.home_path}"
    return ok("database", f"{kind}, answers in {took * 1e3:.1f} ms")


def _clock(store: Store) -> Finding:
    with store.read() as tx:
        before = datetime.now(UTC)
        now: datetime = tx.execute(select(moment())).scalar_one()
        after = datetime.now(UTC)
    return skewed("clock: database", now, before, after)


def _workers(settings: Settings, store: Store) -> Iterator[Finding]:
    with store.read() as tx:
        alive = upkeep.live_workers(tx, within_seconds=_SEEN_SECONDS)
        waiting = {
            row.queue: int(row.queued) for row in tx.execute(text("SELECT queue, queued FROM autoscaling")) if row.queue
        }
    consumers = Counter(queue for row in alive for queue in row.queues)
    if not consumers and settings.embedded:
        yield absent("workers", "none runs; they start with the embedded stack")
        return
    said = ", ".join(f"{queue.value} {consumers[queue.value]}" for queue in Queue if consumers[queue.value])
    left = [f"{queue.value} ({waiting[queue.value]})" for queue in Queue if _left(queue, waiting, consumers)]
    if left:
        detail = f"{said or 'none is alive'}; jobs wait where nobody works: {', '.join(left)}"
        hint = f"Start one: qtasks worker --queues {left[0].partition(' ')[0]}"
        yield warn("workers", detail, hint, "NoWorker")
    elif not consumers:
        yield warn("workers", "none is alive", "Start one: qtasks worker", "NoWorker")
    else:
        yield ok("workers", said)


def _left(queue: Queue, waiting: dict[str, int], consumers: Counter[str]) -> bool:
    return bool(waiting.get(queue.value)) and not consumers[queue.value]


def _periodic(settings: Settings, store: Store) -> Iterator[Finding]:
    """Whether the periodic tasks are done, by what they would have tidied away: beat itself leaves no row."""
    forgotten = jobs.c.owner.isnot(None) & (jobs.c.lease_until < moment(-_FORGOTTEN_SECONDS))
    overdue = jobs.c.finished_at.is_(None) & (jobs.c.deadline < moment(-_FORGOTTEN_SECONDS))
    with store.read() as tx:
        count = sum(
            tx.execute(select(func.count()).select_from(jobs).where(each)).scalar_one() for each in (forgotten, overdue)
        )
    if count and not settings.embedded:
        detail = f"{count} jobs whose lease or time ran out more than {_FORGOTTEN_SECONDS:g} s ago are still open"
        hint = "Start `qtasks beat`, and a worker of its tasks: qtasks worker --queues polling"
        yield Finding("periodic tasks", Mark.FAIL, detail, hint, "NotReconciled")
    else:
        yield ok("periodic tasks", "nothing is left undone; beat tells of its ticks at QTASKS_METRICS_PORT")
