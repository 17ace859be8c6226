"""How long things are kept, and how far whoever removes them has come."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, PrimaryKeyConstraint, String, Table, Text

from qtasks.store.tables.base import metadata, of_job, serial
from qtasks.store.types import UtcDateTime

# A row for each job with a time to live of its own, from its submission on: no way of ending has to think of it.
lifetimes = Table(
    "lifetimes",
    metadata,
    of_job(primary_key=True),
    Column("seconds", Float(53), nullable=False, comment="that it is kept after its end"),
    Column("due_at", UtcDateTime, nullable=False, comment="when to look at it next: it is not over before"),
)
Index("ix_lifetimes_due", lifetimes.c.due_at)

retention = Table(
    "retention",
    metadata,
    Column("task", String(8), nullable=False, comment="born, visits, events, objects, sweep"),
    Column("namespace", String(63), nullable=False, comment="empty: all"),
    Column("at", UtcDateTime, nullable=False, comment="of the last job that was seen to, or when it was begun"),
    Column("upto", Text, nullable=False, comment="the last job, key or namespace that was seen to"),
    PrimaryKeyConstraint("task", "namespace", name="pk_retention"),
)

# Quantum time that jobs used which are gone: an account's allowance counts it all the same.
past_uses = Table(
    "past_uses",
    metadata,
    Column("id", serial, primary_key=True, autoincrement=True),
    Column("account", String(800), nullable=False),
    Column("finished_at", UtcDateTime, nullable=False),
    Column("quantum_seconds", Float(53), nullable=False),
)
Index("ix_past_uses_account", past_uses.c.account, past_uses.c.finished_at)
