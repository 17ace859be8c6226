"""Jobs and what belongs to them. `jobs` is the narrow row that workers claim and move; what is large or written once
stands beside it."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from qtasks.store.tables.base import job_noted, metadata, of_job, serial
from qtasks.store.types import Json, UtcDateTime

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
    Column("queue", String(24), comment="where it waits, or was worked at last"),
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
    Column("account", String(800), comment="of the provider, where it runs at one"),
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
    jobs.c.queue,
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
# What retention walks.
Index(
    "ix_jobs_finished",
    jobs.c.namespace,
    jobs.c.finished_at,
    jobs.c.id,
    postgresql_where=jobs.c.finished_at.isnot(None),
    sqlite_where=jobs.c.finished_at.isnot(None),
)
# What a list walks, newest first; ids sort by time.
Index("ix_jobs_list", jobs.c.namespace, jobs.c.id)
Index("ix_jobs_list_phase", jobs.c.namespace, jobs.c.phase, jobs.c.id)

labels = Table(
    "labels",
    metadata,
    of_job(),
    Column("namespace", String(63), nullable=False),
    Column("key", String(317), nullable=False),
    Column("value", String(63), nullable=False),
    PrimaryKeyConstraint("namespace", "key", "value", "job_id", name="pk_labels"),
)
Index("ix_labels_job", labels.c.job_id)

inputs = Table(
    "inputs",
    metadata,
    of_job(primary_key=True),
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
    of_job(primary_key=True),
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
    of_job(),
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
    job_noted(),
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
    Column("id", serial, primary_key=True, autoincrement=True),
    job_noted(),
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
    of_job(primary_key=True),
    Column("attempt", Integer, nullable=False),
    Column("object_key", String(512), nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("length", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("counts", Json, comment="of the first PUB, when small"),
    Column("metrics", Json, nullable=False),
    Column("expired_at", UtcDateTime, comment="when its object was given up; null while it is kept"),
)
# An object of many results goes with the last of them.
Index("ix_results_object", results.c.object_key)

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


workers = Table(
    "workers",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("queues", Json, nullable=False),
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
    Column("id", serial, primary_key=True, autoincrement=True, comment="only its sequence is used"),
    sqlite_autoincrement=True,
)
