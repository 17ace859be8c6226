"""accounts, provider jobs and sessions"""

import sqlalchemy as sa
from alembic import op

from qtasks.store.types import Json, UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("account", sa.String(800), comment="of the provider, where it runs at one"))
    under_way = sa.text("account IS NOT NULL AND finished_at IS NULL")
    op.create_index(
        "ix_jobs_account",
        "jobs",
        ["account", "phase", "stage"],
        postgresql_where=under_way,
        sqlite_where=under_way,
    )
    op.create_table(
        "accounts",
        sa.Column("name", sa.String(800), nullable=False, comment="as QTASKS_CONFIG has it, or namespace.secret; with @instance"),
        sa.Column("provider", sa.String(20), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False, comment="when a poller looks at its jobs next"),
        sa.Column("owner", sa.String(200), comment="the process that visits it; null when nobody does"),
        sa.Column(
            "fence", sa.BigInteger(), nullable=False, server_default="0", comment="the number of the latest visit"
        ),
        sa.Column("lease_until", UtcDateTime()),
        sa.Column(
            "tokens", sa.Float(53), comment="jobs that may be handed over at once; null: as many as the burst"
        ),
        sa.Column("refilled_at", UtcDateTime(), nullable=False),
        sa.Column(
            "paused_until", UtcDateTime(), comment="nothing is handed over before: the provider asked for patience"
        ),
        sa.Column(
            "failures", sa.Integer(), nullable=False, server_default="0", comment="visits in a row without an answer"
        ),
        sa.Column("reason", sa.String(64), comment="of the latest trouble; null when there is none"),
        sa.Column("message", sa.Text()),
        sa.Column("allowance", Json, comment="what the provider said of it"),
        sa.Column("allowance_at", UtcDateTime()),
        sa.Column("polled_at", UtcDateTime(), comment="of the latest visit that was answered"),
        sa.PrimaryKeyConstraint("name", name="pk_accounts"),
    )
    op.create_table(
        "provider_jobs",
        sa.Column("job_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("account", sa.String(800), nullable=False),
        sa.Column("device", sa.String(255), nullable=False),
        sa.Column("tag", sa.String(64), nullable=False, comment="by which the provider's job is found again"),
        sa.Column("provider_job_id", sa.String(255), comment="null until the provider has answered"),
        sa.Column("session", sa.String(255), comment="the provider's id of it"),
        sa.Column("state", sa.String(12), nullable=False, comment="intended, then the provider's; abandoned, refused"),
        sa.Column(
            "doubtful", sa.Boolean(), nullable=False, server_default=sa.text("false"), comment="may be there twice"
        ),
        sa.Column(
            "settled",
            sa.Boolean(),
            nullable=False,
            server_default=sa.text("false"),
            comment="nothing is left to be asked",
        ),
        sa.Column("compiled", Json, nullable=False, comment="depth, gates and layout of the ISA circuit"),
        sa.Column("isa_key", sa.String(512), comment="object of the ISA circuit"),
        sa.Column("calibration", sa.String(64), comment="digest of the calibration it was compiled for"),
        sa.Column("calibration_key", sa.String(512), comment="object of the calibration at the time of running"),
        sa.Column("estimated_seconds", sa.Float(53), comment="quantum time, before"),
        sa.Column("quantum_seconds", sa.Float(53), comment="quantum time, as the provider counted it"),
        sa.Column("cost_micros", sa.BigInteger(), comment="US dollars · 10⁻⁶; null: no price is known, or not yet"),
        sa.Column("price", sa.Text(), comment="which price it was worked out with"),
        sa.Column("queue_position", sa.Integer()),
        sa.Column("starts_at", UtcDateTime(), comment="as the provider expects"),
        sa.Column("intended_at", UtcDateTime(), nullable=False),
        sa.Column("tried_at", UtcDateTime(), nullable=False, comment="when it was last about to be submitted"),
        sa.Column("submitted_at", UtcDateTime()),
        sa.Column("running_at", UtcDateTime()),
        sa.Column("finished_at", UtcDateTime()),
        sa.Column("message", sa.Text()),
        sa.PrimaryKeyConstraint("job_id", "attempt", name="pk_provider_jobs"),
        sa.UniqueConstraint("account", "provider_job_id", name="uq_provider_jobs_account_provider_job_id"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_provider_jobs_job_id", ondelete="CASCADE"),
    )
    unsettled = sa.text("NOT settled")
    op.create_index(
        "ix_provider_jobs_open", "provider_jobs", ["account"], postgresql_where=unsettled, sqlite_where=unsettled
    )
    op.create_index("ix_provider_jobs_usage", "provider_jobs", ["account", "finished_at"])
    op.create_index("ix_provider_jobs_provider_job_id", "provider_jobs", ["provider_job_id"])
    op.create_table(
        "sessions",
        sa.Column("namespace", sa.String(63), nullable=False),
        sa.Column("name", sa.String(253), nullable=False),
        sa.Column("resource", Json, comment="the QiskitSession, where one was applied"),
        sa.Column("account", sa.String(800), comment="that its jobs run under; null: its next job decides"),
        sa.Column("device", sa.String(255), comment="that its jobs run on; null: its next job decides"),
        sa.Column("mode", sa.String(10), nullable=False),
        sa.Column(
            "max_seconds", sa.BigInteger(), nullable=False, comment="how long it may stay open after its first job began"
        ),
        sa.Column("state", sa.String(10), nullable=False, comment="declared, opening, open, closing, closed"),
        sa.Column("provider_session_id", sa.String(255), comment="of the latest that was opened"),
        sa.Column("owner", sa.String(200), comment="who opens it now"),
        sa.Column("lease_until", UtcDateTime(), comment="until when nobody else opens it"),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("opened_at", UtcDateTime()),
        sa.Column("seen_at", UtcDateTime(), comment="when the provider last took it for open"),
        sa.Column("used_at", UtcDateTime(), comment="when a job was last handed over to it"),
        sa.Column("started_at", UtcDateTime(), comment="when its first job began to run"),
        sa.Column("idle_since", UtcDateTime(), comment="since when it has no open job; null while it has"),
        sa.Column("closed_at", UtcDateTime()),
        sa.Column("deleted_at", UtcDateTime(), comment="no job opens it again unless it is applied again"),
        sa.Column("message", sa.Text(), comment="why it is not open any more"),
        sa.PrimaryKeyConstraint("namespace", "name", name="pk_sessions"),
    )
    op.create_index("ix_sessions_account", "sessions", ["account", "state"])
    op.create_table(
        "session_jobs",
        sa.Column("job_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("namespace", sa.String(63), nullable=False),
        sa.Column("name", sa.String(253), nullable=False, comment="of the session"),
        sa.PrimaryKeyConstraint("job_id", name="pk_session_jobs"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_session_jobs_job_id", ondelete="CASCADE"),
    )
    op.create_index("ix_session_jobs_session", "session_jobs", ["namespace", "name"])


def downgrade() -> None:
    op.drop_table("session_jobs")
    op.drop_table("sessions")
    op.drop_table("provider_jobs")
    op.drop_table("accounts")
    op.drop_index("ix_jobs_account", "jobs")
    with op.batch_alter_table("jobs") as jobs:
        jobs.drop_column("account")
