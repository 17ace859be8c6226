"""access"""

import sqlalchemy as sa
from alembic import op

from qtasks.store.types import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _of_principal(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["principal"], ["principals.name"], name=f"fk_{table}_principal", ondelete="CASCADE")


def upgrade() -> None:
    op.create_table(
        "principals",
        sa.Column("name", sa.String(253), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(253), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_principals"),
    )
    op.create_table(
        "tokens",
        sa.Column("prefix", sa.String(12), nullable=False, comment="the first letters, to tell tokens apart"),
        sa.Column("digest", sa.String(64), nullable=False, comment="SHA-256: the token itself is nowhere"),
        sa.Column("principal", sa.String(253), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(253), nullable=False),
        sa.Column("expires_at", UtcDateTime(), comment="null: never"),
        sa.Column("used_at", UtcDateTime(), comment="when it was last used, to the minute"),
        sa.Column("revoked_at", UtcDateTime()),
        sa.PrimaryKeyConstraint("prefix", name="pk_tokens"),
        sa.UniqueConstraint("digest", name="uq_tokens_digest"),
        _of_principal("tokens"),
    )
    op.create_index("ix_tokens_principal", "tokens", ["principal"])
    op.create_table(
        "bindings",
        sa.Column("principal", sa.String(253), nullable=False),
        sa.Column("namespace", sa.String(63), nullable=False, comment="* for all"),
        sa.Column("role", sa.String(10), nullable=False, comment="viewer, submitter, operator, admin"),
        sa.Column(
            "urgent",
            sa.Boolean(),
            nullable=False,
            server_default=sa.text("false"),
            comment="may ask for priority urgent",
        ),
        sa.PrimaryKeyConstraint("principal", "namespace", name="pk_bindings"),
        _of_principal("bindings"),
    )
    op.create_table(
        "submitters",
        sa.Column("job_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("principal", sa.String(253), nullable=False),
        sa.PrimaryKeyConstraint("job_id", name="pk_submitters"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_submitters_job_id", ondelete="CASCADE"),
    )
    op.create_table(
        "audit",
        sa.Column("id", serial, autoincrement=True, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("principal", sa.String(253), comment="null: nobody knows who it was"),
        sa.Column("verb", sa.String(20), nullable=False),
        sa.Column("namespace", sa.String(63), comment="null: all, or none"),
        sa.Column("object", sa.Text(), nullable=False, comment="what it was about"),
        sa.Column("allowed", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_table(
        "tenants",
        sa.Column("namespace", sa.String(63), nullable=False),
        sa.Column("weight", sa.Float(53), nullable=False, server_default="1"),
        sa.Column("concurrency", sa.Integer(), comment="jobs that may run at a time; null: any number"),
        sa.Column("waiting", sa.Integer(), comment="jobs that may wait; null: any number"),
        sa.Column("shots_per_day", sa.BigInteger(), comment="null: any number"),
        sa.Column("day", sa.String(10), comment="in UTC, that shots are counted of"),
        sa.Column("shots", sa.BigInteger(), nullable=False, server_default="0", comment="asked for on that day"),
        sa.PrimaryKeyConstraint("namespace", name="pk_tenants"),
    )


def downgrade() -> None:
    for table in ("tenants", "audit", "submitters", "bindings", "tokens", "principals"):
        op.drop_table(table)
