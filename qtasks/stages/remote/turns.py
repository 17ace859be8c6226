"""Whose turn it is to be handed to a provider.

Scheduled jobs of an account are parked until there is room: the provider takes so many a minute, and so many at a time,
from all workers together, and the account's allowance must not be used up.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from qtasks.config import Account
from qtasks.errors import Unavailable
from qtasks.lifecycle import ConditionStatus, ConditionType, Queue
from qtasks.queue import Hint
from qtasks.scheduling.allowance import Standing, Told, standing
from qtasks.scheduling.pace import Bucket
from qtasks.stages.worker import Worker
from qtasks.store import accounts, records
from qtasks.store.records import Condition


def standing_of(tx: Connection, account: Account, row: Any) -> Standing:
    """How an account stands, `row` being its row with the database's `now`."""
    allowance = account.effective_allowance
    days = allowance.days if allowance is not None else 28
    return standing(
        [(use.at, use.seconds) for use in accounts.uses(tx, account.name, days=days)],
        accounts.load(tx, account.name).reserved_seconds,
        limit_seconds=float(allowance.quantum_seconds) if allowance is not None else None,
        days=days,
        told=_told(row),
        now=row.now,
    )


def _told(row: Any) -> Told | None:
    said = row.allowance
    if not said or said.get("remaining_seconds") is None:
        return None
    until = said.get("until")
    return Told(row.allowance_at, float(said["remaining_seconds"]), datetime.fromisoformat(until) if until else None)


def give_turns(tx: Connection, account: Account, *, ageing_seconds: float) -> list[Any]:
    """Send on what may be handed over now, and say of the rest why it waits; returns the rows sent on."""
    row = accounts.get(tx, account.name, lock=True)
    if row is None:
        return []
    load = accounts.load(tx, account.name)
    if not load.parked:
        return []
    if row.paused_until is not None and row.paused_until > row.now:
        accounts.explain(tx, account.name, row.reason or "Paused", f"Account {account.name} waits: {row.message}")
        return []
    stands = standing_of(tx, account, row)
    if stands.exhausted:
        accounts.explain(tx, account.name, "AllowanceExhausted", exhausted(account, stands))
        return []
    limits = account.effective_limits
    bucket = Bucket(float(limits.submissions_per_minute), limits.burst)
    tokens = bucket.filled(row.tokens, (row.now - row.refilled_at).total_seconds())
    room = int(tokens) if limits.pending_jobs is None else min(int(tokens), limits.pending_jobs - load.open)
    sent = accounts.unpark(tx, account.name, limit=room, ageing_seconds=ageing_seconds) if room > 0 else []
    accounts.spend(tx, account.name, tokens=tokens - len(sent))
    records.settle_condition(tx, [job.id for job in sent if job.explained], _scheduled(account))
    if len(sent) < load.parked:
        accounts.explain(tx, account.name, "WaitingForTurn", _pace(account))
    return sent


def exhausted(account: Account, stands: Standing) -> str:
    """The sentence about an account whose allowance is used up."""
    allowance = account.effective_allowance
    limit = f"its {allowance.quantum_seconds:g} s of quantum time" if allowance is not None else "its quantum time"
    days = f" in {allowance.days} days" if allowance is not None else ""
    when = f"{stands.frees_at:%Y-%m-%d %H:%M} UTC" if stands.frees_at is not None else "a time its provider knows"
    reserved = f", {stands.reserved_seconds:.0f} s of it for jobs on their way" if stands.reserved_seconds else ""
    return f"Account {account.name} has used {limit}{days}{reserved}. More of it is free from {when}."


def _pace(account: Account) -> str:
    limits = account.effective_limits
    at_a_time = f" and {limits.pending_jobs} at a time" if limits.pending_jobs is not None else ""
    pace = f"{limits.submissions_per_minute:g} jobs a minute{at_a_time}"
    return f"Waiting for its turn: account {account.name} hands over {pace}."


def _scheduled(account: Account) -> Condition:
    message = f"The job runs under account {account.name}."
    return Condition(ConditionType.SCHEDULED, ConditionStatus.TRUE, "BackendSelected", message)


def hint(worker: Worker, sent: Sequence[Any]) -> None:
    """Tell execution workers of jobs that were sent on. Lost hints are the reconciler's."""
    with suppress(Unavailable):
        worker.publisher.publish(*(Hint(Queue.PROVIDER, job.id, job.name, job.priority) for job in sent))
