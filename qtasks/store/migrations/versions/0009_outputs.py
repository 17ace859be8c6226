"""outputs"""

import sqlalchemy as sa
from alembic import op

from qtasks.store.types import UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "outputs",
        sa.Column("job_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("state", sa.String(9), nullable=False, comment="due, delivered, refused, given_up"),
        sa.Column("tries", sa.Integer(), nullable=False, comment="begun; guards what is noted of the last one"),
        sa.Column("since", UtcDateTime(), nullable=False, comment="when it was wanted: from then on time runs out"),
        sa.Column(
            "due_at",
            UtcDateTime(),
            nullable=False,
            comment="of the next try, or when the one under way is given up for dead",
        ),
        sa.Column("ended_at", UtcDateTime()),
        sa.Column("problem", sa.Text(), comment="of the last try"),
        sa.PrimaryKeyConstraint("job_id", name="pk_outputs"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_outputs_job_id", ondelete="CASCADE"),
    )
    due = sa.text("state = 'due'")
    op.create_index("ix_outputs_due", "outputs", ["due_at"], postgresql_where=due, sqlite_where=due)


def downgrade() -> None:
    op.drop_table("outputs")
