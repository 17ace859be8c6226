"""The catalogue: the devices of each account, what they can do, how well, and how busy they are.

Figures of the queue and figures of the device have ages of their own; whoever uses one looks at its age.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from statistics import median
from typing import Any

from sqlalchemy import Connection, delete, func, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from qtasks.store.tables import devices, provider_jobs
from qtasks.store.types import moment

_LEARNED_DAYS = 28
_LEARNED_FROM = 50
"""Jobs of a device whose waits are looked at, the latest ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A device as its provider lists it: how busy it is."""

    name: str
    type: str
    """A `BackendType`."""
    simulator: bool = False
    qubits: int | None = None
    available: bool = True
    pending_jobs: int | None = None
    wait_seconds: float | None = None
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was asked of one device: what it can do, and how well."""

    name: str
    capabilities: Mapping[str, Any] | None = None
    """`backends.catalogue.as_data` of its Capabilities."""
    problem: str = ""
    """Why it can run no circuit at all."""
    qubits: int | None = None
    mean_error: float | None = None
    """Mean error of its two-qubit gates, 0 to 1."""
    errors: Mapping[str, float] | None = None
    """Typical errors: `one` (gates on a qubit), `two` (on two), `readout`."""
    calibration: str | None = None
    target: Mapping[str, Any] | None = None
    """See `backends.target_data`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A device of an account as the catalogue has it. None is what nobody knows."""

    account: str
    """Empty for what this process simulates itself."""
    name: str
    type: str
    simulator: bool = False
    qubits: int | None = None
    available: bool = True
    pending_jobs: int | None = None
    wait_seconds: float | None = None
    message: str | None = None
    queue_at: datetime | None = None
    learned_wait: float | None = None
    learned_from: int = 0
    capabilities: Mapping[str, Any] | None = None
    problem: str | None = None
    mean_error: float | None = None
    errors: Mapping[str, float] | None = None
    calibration: str | None = None
    refreshed_at: datetime | None = None


# The target of a device of 156 qubits is 50 KB: nobody reads it who does not compile.
_COLUMNS = [devices.c[field.name] for field in fields(Entry)]
_LARGE = ("capabilities", "errors")
_SMALL = [column for column in _COLUMNS if column.name not in _LARGE]
Kept = dict[tuple[str, str, datetime | None], tuple[Mapping[str, Any] | None, Mapping[str, float] | None]]
"""What of the catalogue changes seldom, by account, name and `refreshed_at`, for whoever reads it again and again."""
_LISTED = tuple(field.name for field in fields(Listed) if field.name not in ("name", "qubits"))


def of_accounts(tx: Connection, accounts: Collection[str], kept: Kept | None = None) -> list[Entry]:
    """The devices of these accounts, by account and name. What `kept` has is not read again, and it is brought up to
    date: decoding the capabilities of a hundred devices takes longer than all else."""
    theirs = devices.c.account.in_(list(accounts))
    if kept is None:
        kept = {}
    rows = tx.execute(select(*_SMALL).where(theirs).order_by(devices.c.account, devices.c.name)).all()
    keys = [(row.account, row.name, row.refreshed_at) for row in rows]
    if any(key not in kept for key in keys):
        large = select(devices.c.account, devices.c.name, devices.c.refreshed_at, *(devices.c[name] for name in _LARGE))
        for old in [key for key in kept if key[0] in accounts]:
            del kept[old]
        kept |= {(row[0], row[1], row[2]): (row[3], row[4]) for row in tx.execute(large.where(theirs))}
    found = []
    for key, row in zip(keys, rows, strict=True):
        capabilities, errors = kept.get(key, (None, None))
        found.append(Entry(**row._mapping, capabilities=capabilities, errors=errors))
    return found


def target(tx: Connection, account: str, name: str) -> Mapping[str, Any] | None:
    """What is needed to compile for a device; None where nobody knows."""
    found: Mapping[str, Any] | None = tx.execute(
        select(devices.c.target).where(devices.c.account == account, devices.c.name == name)
    ).scalar()
    return found


def now(tx: Connection) -> datetime:
    """The database's time, by which figures are dated."""
    found: datetime = tx.execute(select(moment())).scalar_one()
    return found


def keep_listing(tx: Connection, account: str, listed: Sequence[Listed]) -> None:
    """Write down what a provider lists for an account; devices that it lists no more are forgotten."""
    names = [device.name for device in listed]
    tx.execute(delete(devices).where(devices.c.account == account, devices.c.name.not_in(names)))
    insert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    for device in listed:
        values = {name: getattr(device, name) for name in _LISTED} | {"queue_at": moment()}
        if device.qubits is not None:
            values["qubits"] = device.qubits
        row = insert(devices).values(account=account, name=device.name, **values)
        tx.execute(row.on_conflict_do_update(index_elements=["account", "name"], set_=values))


def keep_figures(tx: Connection, account: str, figures: Figures) -> None:
    """Write down what a device of the listing can do, and how well."""
    values = {field.name: getattr(figures, field.name) for field in fields(Figures) if field.name != "name"}
    if figures.qubits is None:
        del values["qubits"]
    one = (devices.c.account == account) & (devices.c.name == figures.name)
    tx.execute(
        update(devices).where(one).values(**values | {"problem": figures.problem or None}, refreshed_at=moment())
    )


def keep_queue(tx: Connection, account: str, listed: Listed) -> None:
    """Write down how busy one device of the listing is."""
    names = ("available", "pending_jobs", "wait_seconds", "message")
    values = {name: getattr(listed, name) for name in names}
    one = (devices.c.account == account) & (devices.c.name == listed.name)
    tx.execute(update(devices).where(one).values(**values, queue_at=moment()))


def forget(tx: Connection, account: str) -> None:
    """Forget the devices of an account."""
    tx.execute(delete(devices).where(devices.c.account == account))


def learn_waits(tx: Connection, account: str) -> None:
    """Learn from the account's own jobs how long its devices let jobs wait: the median, from submission to start, of
    each device's latest jobs."""
    waits = _waits(tx, account)
    known = (devices.c.account == account) & (devices.c.learned_from > 0) & devices.c.name.not_in(list(waits))
    tx.execute(update(devices).where(known).values(learned_wait=None, learned_from=0))
    for device, seconds in waits.items():
        one = (devices.c.account == account) & (devices.c.name == device)
        learned = {"learned_wait": median(seconds), "learned_from": len(seconds)}
        other = tuple_(devices.c.learned_from, func.coalesce(devices.c.learned_wait, -1.0)) != tuple_(
            len(seconds), median(seconds)
        )
        tx.execute(update(devices).where(one, other).values(**learned))


def _waits(tx: Connection, account: str) -> dict[str, list[float]]:
    """Seconds that the latest jobs of each device waited."""
    place = func.row_number().over(partition_by=provider_jobs.c.device, order_by=provider_jobs.c.finished_at.desc())
    ran = (
        select(provider_jobs.c.device, provider_jobs.c.submitted_at, provider_jobs.c.running_at, place.label("place"))
        .where(
            provider_jobs.c.account == account,
            provider_jobs.c.finished_at > moment(-86_400.0 * _LEARNED_DAYS),
            provider_jobs.c.running_at.isnot(None),
            provider_jobs.c.submitted_at.isnot(None),
            # A session is a place in the queue that was paid for: it says nothing of the queue.
            provider_jobs.c.session.is_(None),
        )
        .subquery()
    )
    found: dict[str, list[float]] = {}
    for row in tx.execute(select(ran).where(ran.c.place <= _LEARNED_FROM)):
        found.setdefault(row.device, []).append(max(0.0, (row.running_at - row.submitted_at).total_seconds()))
    return found
