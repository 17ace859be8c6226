"""How much waits and runs in each queue: three looks at indexes that have only what is under way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, and_, case, func, or_, select

from qtasks.api.page.views.queues import PROVIDER, Depth
from qtasks.lifecycle import Phase
from qtasks.store.tables import jobs
from qtasks.store.types import moment

_DUE = or_(jobs.c.not_before.is_(None), jobs.c.not_before <= moment())
_WAITING = and_(jobs.c.stage.isnot(None), jobs.c.owner.is_(None))
_HELD = jobs.c.owner.isnot(None)
_AT_PROVIDER = and_(jobs.c.account.isnot(None), jobs.c.finished_at.is_(None), jobs.c.stage.is_(None))


def depths(tx: Connection, namespaces: Collection[str] | None) -> list[Depth]:
    """The queues that are not empty, of the jobs of these namespaces; None: of all."""
    found: defaultdict[tuple[str, int], dict[str, Any]] = defaultdict(dict)
    due = func.count(case((_DUE, jobs.c.id)))
    oldest = func.min(case((_DUE, jobs.c.created_at)), type_=jobs.c.created_at.type)
    waiting = select(jobs.c.stage, jobs.c.priority, due.label("due"), func.count().label("all"), oldest.label("oldest"))
    for row in tx.execute(_within(waiting, namespaces, _WAITING).group_by(jobs.c.stage, jobs.c.priority)):
        found[row.stage, row.priority] |= {"waiting": row.due, "later": row.all - row.due, "oldest": row.oldest}
    held = select(jobs.c.stage, jobs.c.priority, func.count().label("held"))
    for row in tx.execute(_within(held, namespaces, _HELD).group_by(jobs.c.stage, jobs.c.priority)):
        found[row.stage or PROVIDER, row.priority]["running"] = row.held
    there = select(
        jobs.c.priority,
        (jobs.c.phase == Phase.RUNNING.value).label("runs"),
        func.count().label("number"),
        func.min(jobs.c.created_at, type_=jobs.c.created_at.type).label("oldest"),
    )
    for row in tx.execute(_within(there, namespaces, _AT_PROVIDER).group_by(jobs.c.priority, "runs")):
        known = {"running": row.number} if row.runs else {"waiting": row.number, "oldest": row.oldest}
        found[PROVIDER, row.priority] |= known
    return [replace(Depth(queue, level), **known) for (queue, level), known in found.items()]


def _within(query: Any, namespaces: Collection[str] | None, which: Any) -> Any:
    query = query.where(which)
    return query if namespaces is None else query.where(jobs.c.namespace.in_(list(namespaces)))
