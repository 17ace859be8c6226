"""The schema. `jobs` is the narrow row that workers claim and move; what is large or written once stands beside it."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from qtasks.store.types import Json, UtcDateTime

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_serial = BigInteger().with_variant(Integer(), "sqlite")


def _job_id(*, primary_key: bool = False) -> Column[str]:
    return Column(
        "job_id",
        Uuid(as_uuid=False),
        ForeignKey("jobs.id", ondelete="CASCADE"),
        primary_key=primary_key,
        nullable=False,
    )


def _job_noted() -> Column[str]:
    """The job of a note. No foreign key: a job has a dozen notes, written by the statement that changes its row, and
    checking each of them again was a tenth of all that a small job costs. Whoever deletes a job deletes its notes."""
    return Column("job_id", Uuid(as_uuid=False), nullable=False)


jobs = Table(
    "jobs",
    metadata,
    Column("id", Uuid(as_uuid=False), primary_key=True, comment="UUIDv7: sorts by the time of submission"),
    Column("namespace", String(63), nullable=False),
    Column("name", String(253), nullable=False),
    Column("idempotency_key", String(255)),
    Column("priority", SmallInteger, nullable=False, comment="0 urgent, 3 high, 6 normal, 9 low"),
    Column("phase", String(12), nullable=False),
    Column("stage", String(12), comment="whose turn it is; null when final or at a provider"),
    Column("attempt", Integer, nullable=False, server_default="1"),
    Column("fence", BigInteger, nullable=False, server_default="0", comment="the number of the latest claim"),
    Column("owner", String(200), comment="the process that holds the claim; null when nobody does"),
    Column("lease_until", UtcDateTime),
    Column("takeovers", Integer, nullable=False, server_default="0", comment="processes that died with it, it alone"),
    Column("batchable", Boolean, nullable=False, comment="may be taken together with its neighbours"),
    Column("alone", Boolean, nullable=False, server_default=text("false"), comment="a batch died with it in it"),
    Column("not_before", UtcDateTime),
    Column("deadline", UtcDateTime, comment="when timeouts.total runs out"),
    Column("memory", BigInteger, nullable=False, server_default="0", comment="bytes that running it takes"),
    Column("aftercare", Boolean, nullable=False, server_default=text("false"), comment="final, with work left"),
    Column("backend", String(255)),
    Column("account", String(317), comment="of the provider, where it runs at one"),
    Column("shots", Integer, nullable=False),
    Column("reason", String(64)),
    Column("message", Text),
    Column("cost_micros", BigInteger, nullable=False, server_default="0", comment="US dollars · 10⁻⁶"),
    Column("created_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime, comment="of the latest attempt"),
    Column("finished_at", UtcDateTime),
    UniqueConstraint("namespace", "name"),
)
# The uniqueness of a key, and of nothing where there is none.
Index(
    "uq_jobs_idempotency",
    jobs.c.namespace,
    jobs.c.idempotency_key,
    unique=True,
    postgresql_where=jobs.c.idempotency_key.isnot(None),
    sqlite_where=jobs.c.idempotency_key.isnot(None),
)
# What a claim looks at: only work that waits, so finished jobs cost it nothing.
_waiting = jobs.c.stage.isnot(None) & jobs.c.owner.is_(None)
Index(
    "ix_jobs_waiting",
    jobs.c.stage,
    jobs.c.namespace,
    jobs.c.priority,
    jobs.c.created_at,
    jobs.c.id,
    postgresql_where=_waiting,
    sqlite_where=_waiting,
)
Index(
    "ix_jobs_leases",
    jobs.c.lease_until,
    postgresql_where=jobs.c.owner.isnot(None),
    sqlite_where=jobs.c.owner.isnot(None),
)
Index(
    "ix_jobs_deadlines",
    jobs.c.deadline,
    postgresql_where=jobs.c.deadline.isnot(None) & jobs.c.finished_at.is_(None),
    sqlite_where=jobs.c.deadline.isnot(None) & jobs.c.finished_at.is_(None),
)
Index(
    "ix_jobs_aftercare",
    jobs.c.finished_at,
    postgresql_where=text("aftercare"),
    sqlite_where=text("aftercare"),
)
# What is under way of an account's jobs: parked, on its way, or there.
_under_way = jobs.c.account.isnot(None) & jobs.c.finished_at.is_(None)
Index(
    "ix_jobs_account",
    jobs.c.account,
    jobs.c.phase,
    jobs.c.stage,
    postgresql_where=_under_way,
    sqlite_where=_under_way,
)
# What a list walks, newest first; ids sort by time.
Index("ix_jobs_list", jobs.c.namespace, jobs.c.id)
Index("ix_jobs_list_phase", jobs.c.namespace, jobs.c.phase, jobs.c.id)

labels = Table(
    "labels",
    metadata,
    _job_id(),
    Column("namespace", String(63), nullable=False),
    Column("key", String(317), nullable=False),
    Column("value", String(63), nullable=False),
    PrimaryKeyConstraint("namespace", "key", "value", "job_id", name="pk_labels"),
)
Index("ix_labels_job", labels.c.job_id)

inputs = Table(
    "inputs",
    metadata,
    _job_id(primary_key=True),
    Column("resource", Json, nullable=False, comment="the QiskitJob as submitted, less its circuit"),
    Column("spec_hash", String(64), nullable=False, comment="SHA-256 of spec and circuit: what `apply` compares"),
    Column("format", String(8)),
    Column("data", LargeBinary, comment="the circuit, when it is small"),
    Column("object_key", String(512), comment="where the circuit lies, when it is large"),
    Column("sha256", String(64)),
    Column("git_commit", String(64)),
    Column("origin", Text, comment="where the circuit was fetched from"),
)

circuits = Table(
    "circuits",
    metadata,
    _job_id(primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("analysis", Json, nullable=False),
    Column("qpy", LargeBinary, comment="the checked circuit in canonical QPY, when it is small"),
    Column("object_key", String(512)),
)
# What a job looks up that may take the result of an identical one: the newest first.
Index("ix_circuits_fingerprint", circuits.c.fingerprint, circuits.c.job_id)

attempts = Table(
    "attempts",
    metadata,
    _job_id(),
    Column("attempt", Integer, nullable=False),
    Column("backend", String(255)),
    Column("worker", String(200)),
    Column("started_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("outcome", String(12)),
    Column("reason", String(64)),
    Column("message", Text),
    PrimaryKeyConstraint("job_id", "attempt", name="pk_attempts"),
)

conditions = Table(
    "conditions",
    metadata,
    _job_noted(),
    Column("type", String(20), nullable=False),
    Column("status", String(7), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("message", Text, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False, comment="lastTransitionTime"),
    PrimaryKeyConstraint("job_id", "type", name="pk_conditions"),
)

events = Table(
    "events",
    metadata,
    Column("id", _serial, primary_key=True, autoincrement=True),
    _job_noted(),
    Column("at", UtcDateTime, nullable=False),
    Column("warning", Boolean, nullable=False, server_default=text("false")),
    Column("reason", String(64), nullable=False),
    Column("message", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("source", String(200), comment="the worker, or who asked"),
)
Index("ix_events_job", events.c.job_id, events.c.id)

results = Table(
    "results",
    metadata,
    _job_id(primary_key=True),
    Column("attempt", Integer, nullable=False),
    Column("object_key", String(512), nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("length", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("counts", Json, comment="of the first PUB, when small"),
    Column("metrics", Json, nullable=False),
)

shares = Table(
    "shares",
    metadata,
    Column("stage", String(12), nullable=False),
    Column("namespace", String(63), nullable=False),
    Column("start_tag", Float(53), nullable=False),
    Column("finish_tag", Float(53), nullable=False),
    Column("weight", Float(53), nullable=False, server_default="1"),
    PrimaryKeyConstraint("stage", "namespace", name="pk_shares"),
)


accounts = Table(
    "accounts",
    metadata,
    Column("name", String(317), primary_key=True, comment="as QTASKS_CONFIG has it, or namespace/secret"),
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
    _job_id(),
    Column("attempt", Integer, nullable=False),
    Column("account", String(317), nullable=False),
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
    Column("account", String(317), comment="that its jobs run under; null: its next job decides"),
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
    _job_id(primary_key=True),
    Column("namespace", String(63), nullable=False),
    Column("name", String(253), nullable=False, comment="of the session"),
)
Index("ix_session_jobs_session", session_jobs.c.namespace, session_jobs.c.name)

workers = Table(
    "workers",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("stages", Json, nullable=False),
    Column("memory", BigInteger, nullable=False, comment="bytes that one of its jobs may take"),
    Column("threads", Integer, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
)
Index("ix_workers_seen", workers.c.seen_at)

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("purpose", String(32), primary_key=True),
    Column("key", LargeBinary, nullable=False),
)

fences = Table(
    "fences",
    metadata,
    Column("id", _serial, primary_key=True, autoincrement=True, comment="only its sequence is used"),
    sqlite_autoincrement=True,
)
