"""Principals, what they may, what they asked for; and what a namespace may have."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    text,
)

from qtasks.store.tables.base import metadata, of_job, serial
from qtasks.store.types import UtcDateTime

principals = Table(
    "principals",
    metadata,
    Column("name", String(253), primary_key=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", String(253), nullable=False),
)


def _of_principal() -> Column[str]:
    return Column("principal", String(253), ForeignKey("principals.name", ondelete="CASCADE"), nullable=False)


tokens = Table(
    "tokens",
    metadata,
    Column("prefix", String(12), primary_key=True, comment="the first letters, to tell tokens apart"),
    Column("digest", String(64), nullable=False, unique=True, comment="SHA-256: the token itself is nowhere"),
    _of_principal(),
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", String(253), nullable=False),
    Column("expires_at", UtcDateTime, comment="null: never"),
    Column("used_at", UtcDateTime, comment="when it was last used, to the minute"),
    Column("revoked_at", UtcDateTime),
)
Index("ix_tokens_principal", tokens.c.principal)

bindings = Table(
    "bindings",
    metadata,
    _of_principal(),
    Column("namespace", String(63), nullable=False, comment="* for all"),
    Column("role", String(10), nullable=False, comment="viewer, submitter, operator, admin"),
    Column("urgent", Boolean, nullable=False, server_default=text("false"), comment="may ask for priority urgent"),
    PrimaryKeyConstraint("principal", "namespace", name="pk_bindings"),
)

submitters = Table(
    "submitters",
    metadata,
    of_job(primary_key=True),
    Column("principal", String(253), nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", serial, primary_key=True, autoincrement=True),
    Column("at", UtcDateTime, nullable=False),
    Column("principal", String(253), comment="null: nobody knows who it was"),
    Column("verb", String(20), nullable=False),
    Column("namespace", String(63), comment="null: all, or none"),
    Column("object", Text, nullable=False, comment="what it was about"),
    Column("allowed", Boolean, nullable=False),
    Column("reason", String(64), nullable=False),
)
Index("ix_audit_at", audit.c.at)
Index("ix_audit_namespace", audit.c.namespace, audit.c.at)

tenants = Table(
    "tenants",
    metadata,
    Column("namespace", String(63), primary_key=True),
    Column("weight", Float(53), nullable=False, server_default="1"),
    Column("concurrency", Integer, comment="jobs that may run at a time; null: any number"),
    Column("waiting", Integer, comment="jobs that may wait; null: any number"),
    Column("shots_per_day", BigInteger, comment="null: any number"),
    Column("day", String(10), comment="in UTC, that shots are counted of"),
    Column("shots", BigInteger, nullable=False, server_default="0", comment="asked for on that day"),
)
