"""notices of jobs' ends"""

import sqlalchemy as sa
from alembic import op

from qtasks.store.types import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notices",
        sa.Column("job_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("state", sa.String(8), nullable=False, comment="due, sent, given_up"),
        sa.Column(
            "tries",
            sa.Integer(),
            nullable=False,
            server_default="0",
            comment="begun; guards what is noted of the last one",
        ),
        sa.Column(
            "due_at", UtcDateTime(), nullable=False, comment="of the next try, at the earliest when the job is final"
        ),
        sa.PrimaryKeyConstraint("job_id", name="pk_notices"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_notices_job_id", ondelete="CASCADE"),
    )
    due = sa.text("state = 'due'")
    op.create_index("ix_notices_due", "notices", ["due_at"], postgresql_where=due, sqlite_where=due)


def downgrade() -> None:
    op.drop_table("notices")
