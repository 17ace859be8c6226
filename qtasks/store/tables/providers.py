"""Accounts, the jobs at their providers, and sessions."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from qtasks.store.tables.base import metadata, of_job
from qtasks.store.types import Json, UtcDateTime

accounts = Table(
    "accounts",
    metadata,
    Column(
        "name", String(800), primary_key=True, comment="as QTASKS_CONFIG has it, or namespace.secret; with @instance"
    ),
    Column("provider", String(20), nullable=False),
    Column("due_at", UtcDateTime, nullable=False, comment="when a poller looks at its jobs next"),
    Column("owner", String(200), comment="the process that visits it; null when nobody does"),
    Column("fence", BigInteger, nullable=False, server_default="0", comment="the number of the latest visit"),
    Column("lease_until", UtcDateTime),
    Column("tokens", Float(53), comment="jobs that may be handed over at once; null: as many as the burst"),
    Column("refilled_at", UtcDateTime, nullable=False),
    Column("paused_until", UtcDateTime, comment="nothing is handed over before: the provider asked for patience"),
    Column("failures", Integer, nullable=False, server_default="0", comment="visits in a row without an answer"),
    Column("reason", String(64), comment="of the latest trouble; null when there is none"),
    Column("message", Text),
    Column("allowance", Json, comment="what the provider said of it"),
    Column("allowance_at", UtcDateTime),
    Column("polled_at", UtcDateTime, comment="of the latest visit that was answered"),
)

provider_jobs = Table(
    "provider_jobs",
    metadata,
    of_job(),
    Column("attempt", Integer, nullable=False),
    Column("account", String(800), nullable=False),
    Column("device", String(255), nullable=False),
    Column("tag", String(64), nullable=False, comment="by which the provider's job is found again"),
    Column("provider_job_id", String(255), comment="null until the provider has answered"),
    Column("session", String(255), comment="the provider's id of it"),
    Column("state", String(12), nullable=False, comment="intended, then the provider's; abandoned, refused"),
    Column("doubtful", Boolean, nullable=False, server_default=text("false"), comment="may be there twice"),
    Column("settled", Boolean, nullable=False, server_default=text("false"), comment="nothing is left to be asked"),
    Column("compiled", Json, nullable=False, comment="depth, gates and layout of the ISA circuit"),
    Column("isa_key", String(512), comment="object of the ISA circuit"),
    Column("calibration", String(64), comment="digest of the calibration it was compiled for"),
    Column("calibration_key", String(512), comment="object of the calibration at the time of running"),
    Column("estimated_seconds", Float(53), comment="quantum time, before"),
    Column("quantum_seconds", Float(53), comment="quantum time, as the provider counted it"),
    Column("cost_micros", BigInteger, comment="US dollars · 10⁻⁶; null: no price is known, or not yet"),
    Column("price", Text, comment="which price it was worked out with"),
    Column("queue_position", Integer),
    Column("starts_at", UtcDateTime, comment="as the provider expects"),
    Column("intended_at", UtcDateTime, nullable=False),
    Column("tried_at", UtcDateTime, nullable=False, comment="when it was last about to be submitted"),
    Column("submitted_at", UtcDateTime),
    Column("running_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Column("message", Text),
    PrimaryKeyConstraint("job_id", "attempt", name="pk_provider_jobs"),
    UniqueConstraint("account", "provider_job_id"),
)
Index(
    "ix_provider_jobs_open",
    provider_jobs.c.account,
    postgresql_where=text("NOT settled"),
    sqlite_where=text("NOT settled"),
)
Index("ix_provider_jobs_usage", provider_jobs.c.account, provider_jobs.c.finished_at)
Index("ix_provider_jobs_provider_job_id", provider_jobs.c.provider_job_id)

sessions = Table(
    "sessions",
    metadata,
    Column("namespace", String(63), nullable=False),
    Column("name", String(253), nullable=False),
    Column("resource", Json, comment="the QiskitSession, where one was applied"),
    Column("account", String(800), comment="that its jobs run under; null: its next job decides"),
    Column("device", String(255), comment="that its jobs run on; null: its next job decides"),
    Column("mode", String(10), nullable=False),
    Column("max_seconds", BigInteger, nullable=False, comment="how long it may stay open after its first job began"),
    Column("state", String(10), nullable=False, comment="declared, opening, open, closing, closed"),
    Column("provider_session_id", String(255), comment="of the latest that was opened"),
    Column("owner", String(200), comment="who opens it now"),
    Column("lease_until", UtcDateTime, comment="until when nobody else opens it"),
    Column("created_at", UtcDateTime, nullable=False),
    Column("opened_at", UtcDateTime),
    Column("seen_at", UtcDateTime, comment="when the provider last took it for open"),
    Column("used_at", UtcDateTime, comment="when a job was last handed over to it"),
    Column("started_at", UtcDateTime, comment="when its first job began to run"),
    Column("idle_since", UtcDateTime, comment="since when it has no open job; null while it has"),
    Column("closed_at", UtcDateTime),
    Column("deleted_at", UtcDateTime, comment="no job opens it again unless it is applied again"),
    Column("message", Text, comment="why it is not open any more"),
    PrimaryKeyConstraint("namespace", "name", name="pk_sessions"),
)
Index("ix_sessions_account", sessions.c.account, sessions.c.state)

session_jobs = Table(
    "session_jobs",
    metadata,
    of_job(primary_key=True),
    Column("namespace", String(63), nullable=False),
    Column("name", String(253), nullable=False, comment="of the session"),
)
Index("ix_session_jobs_session", session_jobs.c.namespace, session_jobs.c.name)
