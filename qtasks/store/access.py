"""Principals, their tokens and roles, who submitted what, and the audit trail."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, delete, exists, insert, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from qtasks.store.tables import audit, bindings, jobs, principals, submitters, tokens
from qtasks.store.types import moment

AnyRow: TypeAlias = Row[*tuple[Any, ...]]

_USED_SECONDS = 60.0
"""How exactly it is known when a token was last used: a write for every use would cost more than the use."""
_IDS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """One decision, for the audit trail. `principal` None: nobody knows who it was; `namespace` None: all, or none."""

    principal: str | None
    verb: str
    namespace: str | None
    object: str
    allowed: bool
    reason: str


def record(tx: Connection, entries: Sequence[Entry]) -> None:
    """Write decisions into the audit trail, in one statement. Nothing ever changes one, and none is removed before its
    time: see `store.retention`."""
    if not entries:
        return
    rows = [
        {
            "principal": entry.principal,
            "verb": entry.verb,
            "namespace": entry.namespace,
            # May be a user's own words; PostgreSQL keeps no NUL.
            "object": entry.object.replace("\0", "\ufffd"),
            "allowed": entry.allowed,
            "reason": entry.reason,
        }
        for entry in entries
    ]
    tx.execute(insert(audit).values(at=moment()), rows)


def audit_of(
    tx: Connection,
    *,
    namespaces: Collection[str] | None,
    since: datetime | None = None,
    principal: str | None = None,
    limit: int,
) -> list[AnyRow]:
    """Up to `limit` decisions, the newest first; of these namespaces only, where it is not None."""
    query = select(audit).order_by(audit.c.id.desc()).limit(limit)
    if namespaces is not None:
        query = query.where(audit.c.namespace.in_(list(namespaces)))
    if since is not None:
        query = query.where(audit.c.at >= since)
    if principal is not None:
        query = query.where(audit.c.principal == principal)
    return list(tx.execute(query))


def any_principal(tx: Connection) -> bool:
    """Whether there is any principal; without one nobody needs a token."""
    return bool(tx.execute(select(exists(select(principals.c.name)))).scalar_one())


def create(tx: Connection, name: str, *, by: str) -> bool:
    """Make a principal without any role; False when there is one of that name."""
    row = {"name": name, "created_at": moment(), "created_by": by}
    made = _insert(tx, principals).values(**row).on_conflict_do_nothing().returning(principals.c.name)
    return tx.execute(made).first() is not None


def known(tx: Connection, name: str) -> bool:
    return tx.execute(select(principals.c.name).where(principals.c.name == name)).first() is not None


def walk(tx: Connection) -> list[AnyRow]:
    """The principals, by name."""
    return list(tx.execute(select(principals).order_by(principals.c.name)))


def bind(tx: Connection, principal: str, namespace: str, role: str, *, urgent: bool) -> None:
    """Give a principal a role in a namespace (`*`: in all), in place of the one that it had there."""
    values = {"role": role, "urgent": urgent}
    statement = _insert(tx, bindings).values(principal=principal, namespace=namespace, **values)
    tx.execute(statement.on_conflict_do_update(index_elements=["principal", "namespace"], set_=values))


def unbind(tx: Connection, principal: str, namespace: str) -> AnyRow | None:
    """Take a principal's role in a namespace away; returns it, None where there was none."""
    there = _binding(principal, namespace)
    return tx.execute(delete(bindings).where(*there).returning(*bindings.c)).first()


def binding(tx: Connection, principal: str, namespace: str) -> AnyRow | None:
    return tx.execute(select(bindings).where(*_binding(principal, namespace))).first()


def bindings_of(tx: Connection, names: Collection[str]) -> dict[str, list[AnyRow]]:
    """The bindings of each principal, by namespace."""
    found: dict[str, list[AnyRow]] = {name: [] for name in names}
    rows = select(bindings).where(bindings.c.principal.in_(list(names))).order_by(bindings.c.namespace)
    for row in tx.execute(rows):
        found[row.principal].append(row)
    return found


def keep_token(
    tx: Connection, principal: str, *, digest: str, prefix: str, by: str, expires_seconds: float | None
) -> AnyRow:
    """Keep what is needed to know a token again; returns its row."""
    expires = None if expires_seconds is None else moment(expires_seconds)
    row = {"prefix": prefix, "digest": digest, "principal": principal, "created_by": by, "expires_at": expires}
    return tx.execute(insert(tokens).values(**row, created_at=moment()).returning(*tokens.c)).one()


def token(tx: Connection, digest: str) -> AnyRow | None:
    """The token of a digest, with the database's `now`."""
    return tx.execute(select(*tokens.c, moment().label("now")).where(tokens.c.digest == digest)).first()


def used(tx: Connection, row: AnyRow) -> None:
    """Note that a token of `token()` is used now, when that is not known to the minute."""
    tx.execute(update(tokens).where(tokens.c.prefix == row.prefix).values(used_at=moment()))


def needs_noting(row: AnyRow) -> bool:
    """Whether `used` is worth a write."""
    return row.used_at is None or (row.now - row.used_at).total_seconds() > _USED_SECONDS


def tokens_of(tx: Connection, names: Collection[str]) -> dict[str, list[AnyRow]]:
    """The tokens of each principal, the oldest first, with the database's `now`."""
    found: dict[str, list[AnyRow]] = {name: [] for name in names}
    rows = select(*tokens.c, moment().label("now")).where(tokens.c.principal.in_(list(names)))
    for row in tx.execute(rows.order_by(tokens.c.created_at, tokens.c.prefix)):
        found[row.principal].append(row)
    return found


def token_called(tx: Connection, prefix: str) -> AnyRow | None:
    return tx.execute(select(tokens).where(tokens.c.prefix == prefix)).first()


def revoke(tx: Connection, prefix: str) -> bool:
    """Make a token worthless for good; False when it was so already."""
    live = (tokens.c.prefix == prefix, tokens.c.revoked_at.is_(None))
    return bool(tx.execute(update(tokens).where(*live).values(revoked_at=moment())).rowcount)


def lock(tx: Connection) -> None:
    """Let no other transaction change principals, tokens and bindings until this one has ended."""
    if tx.dialect.name == "postgresql":
        tx.execute(text("LOCK TABLE bindings IN SHARE ROW EXCLUSIVE MODE"))


def admins(tx: Connection, *, everywhere: str) -> list[str]:
    """The admins of all namespaces that can still prove it: with a token that is neither revoked nor expired."""
    live = exists(
        select(tokens.c.prefix).where(
            tokens.c.principal == bindings.c.principal,
            tokens.c.revoked_at.is_(None),
            tokens.c.expires_at.is_(None) | (tokens.c.expires_at > moment()),
        )
    )
    rows = select(bindings.c.principal).where(bindings.c.namespace == everywhere, bindings.c.role == "admin", live)
    return [row.principal for row in tx.execute(rows.order_by(bindings.c.principal))]


def note_submitter(tx: Connection, ids: Sequence[str], principal: str) -> None:
    """Remember who submitted these jobs, which are new."""
    for start in range(0, len(ids), _IDS_AT_ONCE):
        rows = [{"job_id": job_id, "principal": principal} for job_id in ids[start : start + _IDS_AT_ONCE]]
        tx.execute(insert(submitters), rows)


@dataclass(frozen=True, slots=True)
class Whose:
    """Where a job is, and who submitted it; None where no principal did."""

    namespace: str
    name: str
    submitter: str | None


def whose(tx: Connection, ids: Iterable[str]) -> Mapping[str, Whose]:
    """Those of the jobs that there are, by id."""
    wanted = [job_id for job_id in ids if _is_uuid(job_id)]
    found: dict[str, Whose] = {}
    query = select(jobs.c.id, jobs.c.namespace, jobs.c.name, submitters.c.principal).outerjoin(
        submitters, submitters.c.job_id == jobs.c.id
    )
    for start in range(0, len(wanted), _IDS_AT_ONCE):
        for row in tx.execute(query.where(jobs.c.id.in_(wanted[start : start + _IDS_AT_ONCE]))):
            found[row.id] = Whose(row.namespace, row.name, row.principal)
    return found


def _binding(principal: str, namespace: str) -> tuple[Any, Any]:
    return bindings.c.principal == principal, bindings.c.namespace == namespace


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def _insert(tx: Connection, table: Any) -> Any:
    return (postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert)(table)
