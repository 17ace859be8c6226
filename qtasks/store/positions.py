"""Where waiting jobs stand: how many go before each of them, at its stage or under its account."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, and_, case, func, or_, select

from qtasks.lifecycle import Phase
from qtasks.store.accounts import AnyRow
from qtasks.store.tables import jobs
from qtasks.store.types import moment

_DUE = or_(jobs.c.not_before.is_(None), jobs.c.not_before <= moment())
_AT_STAGE = and_(jobs.c.stage.isnot(None), jobs.c.owner.is_(None), _DUE)
_NUMBER: Any = func.row_number()
_PARKED = and_(jobs.c.phase == Phase.SCHEDULING.value, jobs.c.stage.is_(None), jobs.c.finished_at.is_(None))


def positions(tx: Connection, rows: Sequence[AnyRow], *, ageing_seconds: float) -> dict[str, int]:
    """The place of those jobs that wait for their turn, 1 for the next, by id; `rows` are of `store.jobs`.

    In the order of urgency, where waiting lifts a job a level every `ageing_seconds`, and at one level the namespaces
    in turn, as jobs of an account go to their provider. At a stage it is an estimate: there, shares and concurrency of
    namespaces count as well. Jobs that are not due (a retry, a budget) stand in no queue. All that waits in the same
    queues is looked at once, however many jobs are asked for; when none of them waits, nothing is.
    """
    queues = {row.queue for row in rows if row.stage is not None and row.owner is None}
    accounts = {row.account for row in rows if _is_parked(row)}
    waiting: list[Any] = []
    if queues:
        waiting.append(_queue(jobs.c.queue).where(jobs.c.queue.in_(sorted(queues)), _AT_STAGE))
    if accounts:
        waiting.append(_queue(jobs.c.account).where(jobs.c.account.in_(sorted(accounts)), _PARKED))
    if not waiting:
        return {}
    each: Any = waiting[0].union_all(*waiting[1:]).subquery()
    of_one = [each.c.queue, each.c.namespace, each.c.priority]
    turn = _NUMBER.over(partition_by=of_one, order_by=[each.c.created_at, each.c.id]).label("turn")
    level = _level(each, ageing_seconds).label("level")
    turns: Any = select(each.c.id, each.c.queue, each.c.created_at, level, turn).subquery()
    order = [turns.c.level, turns.c.turn, turns.c.created_at, turns.c.id]
    place = _NUMBER.over(partition_by=turns.c.queue, order_by=order).label("place")
    placed: Any = select(turns.c.id, place).subquery()
    found = tx.execute(select(placed).where(placed.c.id.in_([row.id for row in rows])))
    return {row.id: row.place for row in found}


def _is_parked(row: AnyRow) -> bool:
    parked: bool = row.account is not None and row.stage is None and row.phase == Phase.SCHEDULING.value
    return parked


def _queue(column: Any) -> Any:
    return select(jobs.c.id, jobs.c.namespace, jobs.c.priority, jobs.c.created_at, column.label("queue"))


def _level(each: Any, ageing_seconds: float) -> Any:
    """`scheduling.fairness.aged`, for the priorities that there are: normal is one step below high, low two."""
    return case(
        (each.c.priority <= 3, each.c.priority),
        (each.c.created_at <= moment(-2 * ageing_seconds), 3),
        (each.c.created_at <= moment(-ageing_seconds), each.c.priority - 3),
        else_=each.c.priority,
    )
