"""retention"""

import uuid

import sqlalchemy as sa
from alembic import op

from qtasks.store.types import UtcDateTime, moment

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_FINISHED = sa.text("finished_at IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "lifetimes",
        sa.Column("job_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("seconds", sa.Float(53), nullable=False, comment="that it is kept after its end"),
        sa.Column("due_at", UtcDateTime(), nullable=False, comment="when to look at it next: it is not over before"),
        sa.PrimaryKeyConstraint("job_id", name="pk_lifetimes"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_lifetimes_job_id", ondelete="CASCADE"),
    )
    op.create_index("ix_lifetimes_due", "lifetimes", ["due_at"])
    progress = op.create_table(
        "retention",
        sa.Column("task", sa.String(8), nullable=False, comment="born, visits, events, objects, sweep"),
        sa.Column("namespace", sa.String(63), nullable=False, comment="empty: all"),
        sa.Column(
            "at", UtcDateTime(), nullable=False, comment="of the last job that was seen to, or when it was begun"
        ),
        sa.Column("upto", sa.Text(), nullable=False, comment="the last job, key or namespace that was seen to"),
        sa.PrimaryKeyConstraint("task", "namespace", name="pk_retention"),
    )
    op.create_table(
        "past_uses",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("account", sa.String(800), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=False),
        sa.Column("quantum_seconds", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_past_uses"),
    )
    op.create_index("ix_past_uses_account", "past_uses", ["account", "finished_at"])
    op.add_column(
        "results", sa.Column("expired_at", UtcDateTime(), comment="when its object was given up; null while it is kept")
    )
    op.create_index("ix_results_object", "results", ["object_key"])
    op.create_index(
        "ix_jobs_finished",
        "jobs",
        ["namespace", "finished_at", "id"],
        postgresql_where=_FINISHED,
        sqlite_where=_FINISHED,
    )
    op.create_index("ix_audit_namespace", "audit", ["namespace", "at"])
    _is_born(progress)


def _is_born(progress: sa.Table) -> None:
    """Name this installation, and note since when there is one: objects older than it are none of its own."""
    jobs = sa.table("jobs", sa.column("created_at", UtcDateTime()))
    oldest = sa.select(sa.func.min(jobs.c.created_at)).scalar_subquery()
    op.execute(
        progress.insert().values(
            task="born", namespace="", at=sa.func.coalesce(oldest, moment()), upto=str(uuid.uuid4())
        )
    )


def downgrade() -> None:
    op.drop_index("ix_audit_namespace", "audit")
    op.drop_index("ix_jobs_finished", "jobs")
    op.drop_index("ix_results_object", "results")
    op.drop_column("results", "expired_at")
    op.drop_table("past_uses")
    op.drop_table("retention")
    op.drop_table("lifetimes")
