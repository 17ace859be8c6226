"""jobs, claims, results"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from qtasks.store.types import Json, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    jobs()
    beside_a_job()
    the_system()


def jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False, comment="UUIDv7: sorts by the time of submission"),
        sa.Column("namespace", sa.String(63), nullable=False),
        sa.Column("name", sa.String(253), nullable=False),
        sa.Column("idempotency_key", sa.String(255)),
        sa.Column("priority", sa.SmallInteger(), nullable=False, comment="0 urgent, 3 high, 6 normal, 9 low"),
        sa.Column("phase", sa.String(12), nullable=False),
        sa.Column("stage", sa.String(12), comment="whose turn it is; null when final or at a provider"),
        sa.Column("attempt", sa.Integer(), nullable=False, server_default="1"),
        sa.Column(
            "fence", sa.BigInteger(), nullable=False, server_default="0", comment="the number of the latest claim"
        ),
        sa.Column("owner", sa.String(200), comment="the process that holds the claim; null when nobody does"),
        sa.Column("lease_until", UtcDateTime()),
        sa.Column(
            "takeovers",
            sa.Integer(),
            nullable=False,
            server_default="0",
            comment="processes that died with it, it alone",
        ),
        sa.Column("batchable", sa.Boolean(), nullable=False, comment="may be taken together with its neighbours"),
        sa.Column(
            "alone",
            sa.Boolean(),
            nullable=False,
            server_default=sa.text("false"),
            comment="a batch died with it in it",
        ),
        sa.Column("not_before", UtcDateTime()),
        sa.Column("deadline", UtcDateTime(), comment="when timeouts.total runs out"),
        sa.Column("memory", sa.BigInteger(), nullable=False, server_default="0", comment="bytes that running it takes"),
        sa.Column(
            "aftercare",
            sa.Boolean(),
            nullable=False,
            server_default=sa.text("false"),
            comment="final, with work left",
        ),
        sa.Column("backend", sa.String(255)),
        sa.Column("shots", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(64)),
        sa.Column("message", sa.Text()),
        sa.Column("cost_micros", sa.BigInteger(), nullable=False, server_default="0", comment="US dollars · 10⁻⁶"),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("started_at", UtcDateTime(), comment="of the latest attempt"),
        sa.Column("finished_at", UtcDateTime()),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sa.UniqueConstraint("namespace", "name", name="uq_jobs_namespace_name"),
    )
    partial_index("uq_jobs_idempotency", ["namespace", "idempotency_key"], "idempotency_key IS NOT NULL", unique=True)
    partial_index(
        "ix_jobs_waiting",
        ["stage", "namespace", "priority", "created_at", "id"],
        "stage IS NOT NULL AND owner IS NULL",
    )
    partial_index("ix_jobs_leases", ["lease_until"], "owner IS NOT NULL")
    partial_index("ix_jobs_deadlines", ["deadline"], "deadline IS NOT NULL AND finished_at IS NULL")
    partial_index("ix_jobs_aftercare", ["finished_at"], "aftercare")
    op.create_index("ix_jobs_list", "jobs", ["namespace", "id"])
    op.create_index("ix_jobs_list_phase", "jobs", ["namespace", "phase", "id"])


def beside_a_job() -> None:
    op.create_table(
        "labels",
        job_id(),
        sa.Column("namespace", sa.String(63), nullable=False),
        sa.Column("key", sa.String(317), nullable=False),
        sa.Column("value", sa.String(63), nullable=False),
        sa.PrimaryKeyConstraint("namespace", "key", "value", "job_id", name="pk_labels"),
        of_a_job("labels"),
    )
    op.create_index("ix_labels_job", "labels", ["job_id"])
    op.create_table(
        "inputs",
        job_id(),
        sa.Column("resource", Json, nullable=False, comment="the QiskitJob as submitted, less its circuit"),
        sa.Column(
            "spec_hash", sa.String(64), nullable=False, comment="SHA-256 of spec and circuit: what `apply` compares"
        ),
        sa.Column("format", sa.String(8)),
        sa.Column("data", sa.LargeBinary(), comment="the circuit, when it is small"),
        sa.Column("object_key", sa.String(512), comment="where the circuit lies, when it is large"),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("git_commit", sa.String(64)),
        sa.PrimaryKeyConstraint("job_id", name="pk_inputs"),
        of_a_job("inputs"),
    )
    op.create_table(
        "circuits",
        job_id(),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("analysis", Json, nullable=False),
        sa.Column("qpy", sa.LargeBinary(), comment="the checked circuit in canonical QPY, when it is small"),
        sa.Column("object_key", sa.String(512)),
        sa.PrimaryKeyConstraint("job_id", name="pk_circuits"),
        of_a_job("circuits"),
    )
    op.create_table(
        "attempts",
        job_id(),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("backend", sa.String(255)),
        sa.Column("worker", sa.String(200)),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime()),
        sa.Column("outcome", sa.String(12)),
        sa.Column("reason", sa.String(64)),
        sa.Column("message", sa.Text()),
        sa.PrimaryKeyConstraint("job_id", "attempt", name="pk_attempts"),
        of_a_job("attempts"),
    )
    op.create_table(
        "conditions",
        job_id(),
        sa.Column("type", sa.String(20), nullable=False),
        sa.Column("status", sa.String(7), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False, comment="lastTransitionTime"),
        sa.PrimaryKeyConstraint("job_id", "type", name="pk_conditions"),
    )
    op.create_table(
        "events",
        sa.Column("id", serial, autoincrement=True, nullable=False),
        job_id(),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("warning", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(200), comment="the worker, or who asked"),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
    )
    op.create_index("ix_events_job", "events", ["job_id", "id"])
    op.create_table(
        "results",
        job_id(),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("object_key", sa.String(512), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("counts", Json, comment="of the first PUB, when small"),
        sa.Column("metrics", Json, nullable=False),
        sa.PrimaryKeyConstraint("job_id", name="pk_results"),
        of_a_job("results"),
    )


def the_system() -> None:
    op.create_table(
        "shares",
        sa.Column("stage", sa.String(12), nullable=False),
        sa.Column("namespace", sa.String(63), nullable=False),
        sa.Column("start_tag", sa.Float(53), nullable=False),
        sa.Column("finish_tag", sa.Float(53), nullable=False),
        sa.Column("weight", sa.Float(53), nullable=False, server_default="1"),
        sa.PrimaryKeyConstraint("stage", "namespace", name="pk_shares"),
    )
    op.create_table(
        "workers",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("stages", Json, nullable=False),
        sa.Column("memory", sa.BigInteger(), nullable=False, comment="bytes that one of its jobs may take"),
        sa.Column("threads", sa.Integer(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_workers"),
    )
    op.create_index("ix_workers_seen", "workers", ["seen_at"])
    op.create_table(
        "fences",
        sa.Column("id", serial, autoincrement=True, nullable=False, comment="only its sequence is used"),
        sa.PrimaryKeyConstraint("id", name="pk_fences"),
        sqlite_autoincrement=True,
    )


def job_id() -> sa.Column[Any]:
    return sa.Column("job_id", sa.Uuid(as_uuid=False), nullable=False)


def of_a_job(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=f"fk_{table}_job_id", ondelete="CASCADE")


def partial_index(name: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    """An index of the rows of `jobs` for which `where` holds, in words that both databases know."""
    only = sa.text(where)
    op.create_index(name, "jobs", columns, unique=unique, postgresql_where=only, sqlite_where=only)


def downgrade() -> None:
    for table in ("fences", "workers", "shares"):
        op.drop_table(table)
    for table in ("results", "events", "conditions", "attempts", "circuits", "inputs", "labels"):
        op.drop_table(table)
    op.drop_table("jobs")
