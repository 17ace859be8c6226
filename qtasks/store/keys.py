"""Keys that the workers of one database share: made at first use, and never shown."""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from qtasks.store.tables import signing_keys

_BYTES = 32


def signing_key(tx: Connection, purpose: str) -> bytes:
    """The 32 bytes that every worker signs with for `purpose`; the first to ask makes them."""
    found = tx.execute(select(signing_keys.c.key).where(signing_keys.c.purpose == purpose)).scalar()
    if found is None:
        dialect_insert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
        new: Any = dialect_insert(signing_keys).values(purpose=purpose, key=secrets.token_bytes(_BYTES))
        tx.execute(new.on_conflict_do_nothing())
        found = tx.execute(select(signing_keys.c.key).where(signing_keys.c.purpose == purpose)).scalar_one()
    return bytes(found)
