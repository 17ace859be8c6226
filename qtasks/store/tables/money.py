"""Budgets, what counts in each of their periods, what each attempt is charged, and the ledger."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from qtasks.store.tables.base import job_noted, metadata, of_job, serial
from qtasks.store.types import Json, UtcDateTime

budgets = Table(
    "budgets",
    metadata,
    Column("id", serial, primary_key=True, autoincrement=True),
    Column("namespace", String(63), nullable=False, comment="in which it is kept"),
    Column("name", String(253), nullable=False),
    Column("resource", Json, nullable=False, comment="the QiskitBudget"),
    Column("spans", Boolean, nullable=False, comment="is for jobs of other namespaces too"),
    Column("limit_micros", BigInteger, comment="US dollars · 10⁻⁶; null: no limit in money"),
    Column("limit_quantum", BigInteger, comment="microseconds of quantum time; null: no limit in time"),
    Column("created_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    UniqueConstraint("namespace", "name"),
    sqlite_autoincrement=True,
)

# The row that is locked, always in the order of ids: who reserves, settles or releases holds all that it counts in.
# An id is never used again: charges keep those of periods that are gone.
budget_periods = Table(
    "budget_periods",
    metadata,
    Column("id", serial, primary_key=True, autoincrement=True),
    Column("budget_id", serial, ForeignKey("budgets.id", ondelete="CASCADE"), nullable=False),
    Column("start", UtcDateTime, nullable=False),
    Column("end", UtcDateTime, comment="null: it never ends"),
    Column("settled_micros", BigInteger, nullable=False, server_default="0"),
    Column("reserved_micros", BigInteger, nullable=False, server_default="0"),
    Column("settled_quantum", BigInteger, nullable=False, server_default="0"),
    Column("reserved_quantum", BigInteger, nullable=False, server_default="0"),
    Column("crossed", Json, nullable=False, comment="thresholds that were told"),
    UniqueConstraint("budget_id", "start"),
    sqlite_autoincrement=True,
)

# What an attempt counts for now; how it came to that is in the ledger. Neither has a foreign key: what was paid for a
# job is known when the job is long gone.
charges = Table(
    "charges",
    metadata,
    job_noted(),
    Column("attempt", Integer, nullable=False),
    Column("namespace", String(63), nullable=False),
    Column("cost_center", String(512)),
    Column("labels", Json, nullable=False),
    Column("account", String(800)),
    Column("backend", String(255)),
    Column("state", String(8), nullable=False, comment="reserved, settled, released"),
    Column("micros", BigInteger, comment="reserved or charged, US dollars · 10⁻⁶; null: no price is known"),
    Column("quantum", BigInteger, comment="microseconds of quantum time; null: nobody knows"),
    Column("price", Text, nullable=False, comment="which price it was worked out with"),
    Column("periods", Json, nullable=False, comment="ids of the budget periods it counts in"),
    Column("overrun", Boolean, nullable=False, server_default=text("false"), comment="more than was reserved"),
    Column("alert_micros", BigInteger, comment="at which the job's owner is told; null: never"),
    Column("alerted", Boolean, nullable=False, server_default=text("false")),
    Column("at", UtcDateTime, nullable=False, comment="when it was reserved: the time by which it counts"),
    Column("changed_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("job_id", "attempt", name="pk_charges"),
)
Index(
    "ix_charges_open",
    charges.c.at,
    postgresql_where=text("state = 'reserved'"),
    sqlite_where=text("state = 'reserved'"),
)
Index("ix_charges_namespace", charges.c.namespace, charges.c.at)
Index("ix_charges_at", charges.c.at)

ledger = Table(
    "ledger",
    metadata,
    Column("id", serial, primary_key=True, autoincrement=True),
    Column("at", UtcDateTime, nullable=False),
    job_noted(),
    Column("attempt", Integer, nullable=False),
    Column("namespace", String(63), nullable=False),
    Column("cost_center", String(512)),
    Column("account", String(800)),
    Column("backend", String(255)),
    Column("kind", String(8), nullable=False, comment="reserve, release (of what was reserved), settle"),
    Column("micros", BigInteger, comment="US dollars · 10⁻⁶; null: no price is known"),
    Column("quantum", BigInteger, comment="microseconds of quantum time; null: nobody knows"),
    Column("price", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("periods", Json, nullable=False, comment="ids of the budget periods it counted in"),
    Column("overrun", Boolean, nullable=False, server_default=text("false"), comment="more than was reserved"),
)
Index("ix_ledger_job", ledger.c.job_id, ledger.c.id)

budget_waits = Table(
    "budget_waits",
    metadata,
    of_job(primary_key=True),
    Column("cost_center", String(512)),
    Column("labels", Json, nullable=False),
    Column("micros", BigInteger, comment="what it asks for, US dollars · 10⁻⁶; null: no price is known"),
    Column("quantum", BigInteger, comment="microseconds of quantum time; null: nobody knows"),
    Column("refused_at", UtcDateTime, nullable=False),
)
