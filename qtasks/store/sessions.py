"""Sessions: one row for each name in a namespace, however often it is opened at the provider, and its jobs.

A row is locked while it is decided what becomes of it, so a session is not closed while a job is let into it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, and_, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from qtasks.lifecycle import Phase
from qtasks.resources import Duration
from qtasks.store.tables import jobs, provider_jobs, session_jobs, sessions
from qtasks.store.types import moment

AnyRow: TypeAlias = Row[*tuple[Any, ...]]

DECLARED = "declared"
OPENING = "opening"
OPEN = "open"
CLOSING = "closing"
CLOSED = "closed"
ACTIVE = (OPENING, OPEN, CLOSING)
"""States in which the provider has, or may have, a session that is not closed."""

DEDICATED = "dedicated"
DEFAULT_SECONDS = 3600
"""How long a session may stay open of which nobody said how long: the figure of the seed's example."""


def seconds_of(written: Any) -> int:
    """A `maxTime` as the provider takes it: whole seconds."""
    return DEFAULT_SECONDS if written is None else max(1, int(Duration(written).seconds))


@dataclass(frozen=True, slots=True)
class Wish:
    """What a job asks of its session; None is what it leaves to the session."""

    namespace: str
    name: str
    job_id: str
    account: str
    """The account that the job runs under."""
    mode: str | None = None
    max_seconds: int | None = None


def get(tx: Connection, namespace: str, name: str, *, lock: bool = False) -> AnyRow | None:
    """A session and the database's `now`; with `lock`, nobody else changes it until the transaction ends."""
    query = select(*sessions.c, moment().label("now")).where(_called(namespace, name))
    if lock and tx.dialect.name == "postgresql":
        query = query.with_for_update()
    return tx.execute(query).first()


def join(tx: Connection, wish: Wish) -> AnyRow:
    """Count a job among those of its session, which is declared where it is not; returns the session, locked.

    A session that no account is bound to takes the job's. The shortest of its jobs' times holds for all of them.
    """
    here = {"namespace": wish.namespace, "name": wish.name}
    own = {"account": wish.account, "mode": wish.mode or DEDICATED, "max_seconds": wish.max_seconds or DEFAULT_SECONDS}
    if get(tx, wish.namespace, wish.name) is None:
        new = {**here, **own, "state": DECLARED, "created_at": moment()}
        tx.execute(_insert(tx, sessions).values(**new).on_conflict_do_nothing())
    row = locked(tx, wish.namespace, wish.name)
    if row.deleted_at is not None:
        return row
    change: dict[str, Any] = {}
    if row.account is None:
        change = own if row.resource is None else {"account": wish.account}
    if wish.max_seconds is not None and wish.max_seconds < row.max_seconds:
        change["max_seconds"] = wish.max_seconds
    if change:
        tx.execute(_change(wish.namespace, wish.name).values(**change))
    tx.execute(_insert(tx, session_jobs).values(job_id=wish.job_id, **here).on_conflict_do_nothing())
    return locked(tx, wish.namespace, wish.name)


def locked(tx: Connection, namespace: str, name: str) -> AnyRow:
    """A session that is there, which nobody else changes until the transaction ends."""
    row = get(tx, namespace, name, lock=True)
    assert row is not None, "sessions are never removed"
    return row


def bind_device(tx: Connection, namespace: str, name: str, device: str) -> str:
    """Bind a session to a device, unless it is bound to one; returns the device that it is bound to."""
    unbound = and_(sessions.c.device.is_(None), sessions.c.deleted_at.is_(None))
    tx.execute(_change(namespace, name).where(unbound).values(device=device))
    row = get(tx, namespace, name)
    return device if row is None or row.device is None else str(row.device)


def take(tx: Connection, namespace: str, name: str, *, device: str, owner: str, lease_seconds: float) -> None:
    """Note that `owner` is about to open a locked session on `device`."""
    values = {"state": OPENING, "device": device, "owner": owner, "lease_until": moment(lease_seconds)}
    tx.execute(_change(namespace, name).values(provider_session_id=None, opened_at=None, **values))


def opened(tx: Connection, namespace: str, name: str, *, owner: str, provider_session_id: str) -> AnyRow | None:
    """Note the provider's id of a session that `owner` opened; returns the session, or None when somebody else opens it
    by now, and what was just opened is one too many. One that was deleted meanwhile is to be closed."""
    row = get(tx, namespace, name, lock=True)
    if row is None or (row.state, row.owner) != (OPENING, owner):
        return None
    now = moment()
    values = {
        "state": OPEN if row.deleted_at is None else CLOSING,
        "provider_session_id": provider_session_id,
        "opened_at": now,
        "seen_at": now,
        "used_at": now,
        "started_at": None,
        "idle_since": None,
        "closed_at": None,
        "message": None,
    }
    tx.execute(_change(namespace, name).values(owner=None, lease_until=None, **values))
    return get(tx, namespace, name)


def not_opened(tx: Connection, namespace: str, name: str, *, owner: str, message: str) -> None:
    """Note that `owner` could not open a session: the next job tries it again."""
    mine = and_(sessions.c.state == OPENING, sessions.c.owner == owner)
    tx.execute(_change(namespace, name).where(mine).values(state=CLOSED, owner=None, lease_until=None, message=message))


def let_in(tx: Connection, session: AnyRow, job_id: str, attempt: int) -> None:
    """Note that an attempt is about to be submitted to an open session."""
    tx.execute(_change(session.namespace, session.name).values(used_at=moment(), idle_since=None))
    mine = and_(provider_jobs.c.job_id == job_id, provider_jobs.c.attempt == attempt)
    tx.execute(update(provider_jobs).where(mine).values(session=session.provider_session_id))


def note(tx: Connection, session: AnyRow, **values: Any) -> None:
    """Change a session, unless it has been opened anew since `session` was read."""
    same = sessions.c.provider_session_id == session.provider_session_id
    tx.execute(_change(session.namespace, session.name).where(same).values(**values))


def closed(tx: Connection, session: AnyRow, *, message: str) -> None:
    """Note that a session is closed at the provider, unless it has been opened anew since `session` was read.

    It may be opened again as its QiskitSession has it. One without, that no job waits for, is bound to nothing any
    more: its next job may run under another account, on another device and in another mode.
    """
    row = get(tx, session.namespace, session.name, lock=True)
    if row is None or row.provider_session_id != session.provider_session_id or row.state not in (OPEN, CLOSING):
        return
    again: dict[str, Any] = {}
    if row.resource is not None:
        again = {"max_seconds": seconds_of(row.resource["spec"].get("maxTime"))}
    elif row.deleted_at is None and not busy(tx, row.namespace, row.name):
        again = {"account": None, "device": None}
    note(tx, session, state=CLOSED, closed_at=moment(), message=row.message or message, **again)


def given_up(tx: Connection, session: AnyRow, *, message: str) -> None:
    """Note that whoever was opening a session died."""
    gone = and_(sessions.c.state == OPENING, sessions.c.lease_until < moment())
    tx.execute(
        _change(session.namespace, session.name)
        .where(gone)
        .values(state=CLOSED, owner=None, lease_until=None, message=message)
    )


def active_at(tx: Connection, account: str) -> list[AnyRow]:
    """The sessions of an account that the provider has, or may have, open, with the database's `now`."""
    there = and_(sessions.c.account == account, sessions.c.state.in_(ACTIVE))
    return list(tx.execute(select(*sessions.c, moment().label("now")).where(there).order_by(sessions.c.created_at)))


def busy(tx: Connection, namespace: str, name: str) -> bool:
    """Whether a job of the session is parked, being submitted, or at the provider."""
    found = select(jobs.c.id).join(session_jobs, session_jobs.c.job_id == jobs.c.id).where(_of(namespace, name), _OPEN)
    return tx.execute(found.limit(1)).first() is not None


def first_start(tx: Connection, session: AnyRow) -> datetime | None:
    """When the first job of an open session began to run."""
    there = provider_jobs.c.session == session.provider_session_id
    started: datetime | None = tx.execute(
        select(func.min(provider_jobs.c.running_at))
        .join(session_jobs, session_jobs.c.job_id == provider_jobs.c.job_id)
        .where(_of(session.namespace, session.name), there)
    ).scalar()
    return started


def declare(tx: Connection, namespace: str, name: str, values: Mapping[str, Any]) -> bool:
    """Keep a QiskitSession in place of whatever was there of that name; `values`: resource, account, device, mode,
    max_seconds. False when somebody else declared one at the same time."""
    new = {**values, "state": DECLARED, "deleted_at": None, "closed_at": None, "message": None}
    if tx.execute(_change(namespace, name).values(**new)).rowcount:
        return True
    row = {"namespace": namespace, "name": name, "created_at": moment(), **new}
    inserted = _insert(tx, sessions).values(**row).on_conflict_do_nothing().returning(sessions.c.name)
    return tx.execute(inserted).first() is not None


def delete(tx: Connection, namespace: str, name: str) -> AnyRow | None:
    """Let no more jobs into a session, and have it closed; returns it, None where there is none of that name."""
    row = get(tx, namespace, name, lock=True)
    if row is None or row.deleted_at is not None:
        return row
    state = {OPEN: CLOSING, DECLARED: CLOSED}.get(row.state, row.state)
    tx.execute(_change(namespace, name).values(deleted_at=moment(), state=state, message="It was deleted."))
    return get(tx, namespace, name)


def walk(tx: Connection, *, namespace: str | None = None, name: str | None = None) -> list[AnyRow]:
    """Sessions with the number of their `jobs` and of those that are open (`open_jobs`), by namespace and name."""
    mine = and_(session_jobs.c.namespace == sessions.c.namespace, session_jobs.c.name == sessions.c.name)
    number = select(func.count()).select_from(session_jobs).where(mine)
    still = select(func.count()).select_from(session_jobs.join(jobs, jobs.c.id == session_jobs.c.job_id))
    query = select(
        *sessions.c,
        number.scalar_subquery().label("jobs"),
        still.where(mine, _OPEN).scalar_subquery().label("open_jobs"),
    )
    if namespace is not None:
        query = query.where(sessions.c.namespace == namespace)
    if name is not None:
        query = query.where(sessions.c.name == name)
    return list(tx.execute(query.order_by(sessions.c.namespace, sessions.c.name)))


_OPEN = or_(jobs.c.phase == Phase.SCHEDULING.value, jobs.c.phase == Phase.RUNNING.value)


def _called(namespace: str, name: str) -> Any:
    return and_(sessions.c.namespace == namespace, sessions.c.name == name)


def _change(namespace: str, name: str) -> Any:
    return update(sessions).where(_called(namespace, name))


def _of(namespace: str, name: str) -> Any:
    return and_(session_jobs.c.namespace == namespace, session_jobs.c.name == name)


def _insert(tx: Connection, table: Any) -> Any:
    return (postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert)(table)
