"""How a job stands that is not done: its place in the queue, when it is thought to start, what it is to cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from qtasks.client.provider import dollars, queue_position
from qtasks.lifecycle import Phase
from qtasks.results import timestamp
from qtasks.store import decisions, ledger
from qtasks.store.positions import positions

Standing = dict[str, Any]


def queues(tx: Connection, rows: Sequence[Any], *, ageing_seconds: float) -> dict[str, Standing]:
    """`status.queue` of those jobs that wait, by id; `rows` as of `store.jobs.get`.

    `position`: 1 for the next, in the queue of `of`: a stage, an account, or the provider. `estimatedStart`: the
    provider's own figure, or what was thought when the device was chosen (`estimatedBy`). What nobody knows is left
    out.
    """
    waiting = [row for row in rows if not Phase(row.phase).final and row.provider_running_at is None]
    if not waiting:
        return {}
    places = positions(tx, waiting, ageing_seconds=ageing_seconds)
    decided = decisions.latest(tx, [row.id for row in waiting if row.account is not None])
    found = {row.id: _queue(row, places.get(row.id), decided.get(row.id)) for row in waiting}
    return {job_id: queue for job_id, queue in found.items() if queue}


def _queue(row: Any, place: int | None, decision: Any) -> Standing:
    there = queue_position(row)
    starts, by = _starts(row, decision)
    known = {
        "position": there if there is not None else place,
        "of": _of(row, place, there),
        "estimatedStart": None if starts is None else timestamp(starts),
        "estimatedBy": by,
    }
    return {name: value for name, value in known.items() if value is not None}


def _of(row: Any, place: int | None, there: int | None) -> str | None:
    if there is not None:
        return str(row.provider_device)
    if place is None:
        return None
    return f"account {row.account}" if row.stage is None else f"{row.stage}"


def _starts(row: Any, decision: Any) -> tuple[datetime | None, str | None]:
    if row.provider_starts_at is not None:
        return row.provider_starts_at, "provider"
    if decision is None or decision.wait_seconds is None or decision.attempt != row.attempt:
        return None, None
    return (row.provider_submitted_at or decision.at) + timedelta(seconds=decision.wait_seconds), "selection"


def money(tx: Connection, row: Any) -> Standing:
    """`status.budget` of a job: what it was thought to cost when its device was chosen, and what is reserved for it,
    each as "$1.60", with the price; empty for one that never was to cost anything."""
    decided = decisions.of_job(tx, row.id)
    estimated = decided[-1].cost_micros if decided and decided[-1].attempt == row.attempt else None
    reserved = ledger.open_charges(tx, [row.id]).values()
    amounts = [charge.micros for charge in reserved if charge.micros is not None]
    known: Mapping[str, Any] = {
        "estimatedCost": None if estimated is None else dollars(estimated),
        "reserved": dollars(sum(amounts)) if amounts else None,
        "price": next((charge.price for charge in reserved), None) or None,
    }
    return {name: value for name, value in known.items() if value is not None}
