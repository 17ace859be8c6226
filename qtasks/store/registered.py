"""Devices that were registered by hand: one QiskitBackend for each name in a namespace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from qtasks.store.accounts import AnyRow
from qtasks.store.tables import backends
from qtasks.store.types import moment


def walk(tx: Connection, namespace: str | None, name: str | None = None) -> list[AnyRow]:
    """The registered devices of a namespace, of all for None, by namespace and name."""
    query = select(backends).order_by(backends.c.namespace, backends.c.name)
    if namespace is not None:
        query = query.where(backends.c.namespace == namespace)
    if name is not None:
        query = query.where(backends.c.name == name)
    return list(tx.execute(query))


def keep(tx: Connection, namespace: str, name: str, resource: Mapping[str, Any]) -> str:
    """Register a device, or change what was registered: `created`, `configured` or `unchanged`."""
    insert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    times = {"created_at": moment(), "updated_at": moment()}
    row = insert(backends).values(namespace=namespace, name=name, resource=resource, **times)
    if tx.execute(row.on_conflict_do_nothing().returning(backends.c.name)).first() is not None:
        return "created"
    (there,) = walk(tx, namespace, name)
    if there.resource == resource:
        return "unchanged"
    one = (backends.c.namespace == namespace) & (backends.c.name == name)
    tx.execute(update(backends).where(one).values(resource=resource, updated_at=moment()))
    return "configured"


def remove(tx: Connection, namespace: str, name: str) -> bool:
    """Take a device out; False when there is none of the name."""
    one = (backends.c.namespace == namespace) & (backends.c.name == name)
    return bool(tx.execute(delete(backends).where(one)).rowcount)
