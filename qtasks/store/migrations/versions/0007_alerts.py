"""alerts"""

import sqlalchemy as sa
from alembic import op

from qtasks.store.types import Json, UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False, comment="UUIDv7; names its messages too"),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("namespace", sa.String(63), nullable=False, comment="of the budget"),
        sa.Column("budget", sa.String(253), nullable=False),
        sa.Column("job_id", sa.Uuid(as_uuid=False), comment="whose own threshold it is; null: the budget's"),
        sa.Column("threshold", sa.Float(53), nullable=False, comment="per cent"),
        sa.Column("percent", sa.Float(53), nullable=False, comment="that was reached"),
        sa.Column("facts", Json, nullable=False, comment="amounts and period: see store.alerts"),
        sa.PrimaryKeyConstraint("id", name="pk_alerts"),
    )
    op.create_index("ix_alerts_budget", "alerts", ["namespace", "budget", "id"])
    op.create_table(
        "alert_deliveries",
        sa.Column("alert_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("channel", sa.String(7), nullable=False, comment="email, webhook"),
        sa.Column("state", sa.String(8), nullable=False, comment="due, sent, given_up"),
        sa.Column(
            "tries",
            sa.Integer(),
            nullable=False,
            server_default="0",
            comment="begun; guards what is noted of the last one",
        ),
        sa.Column(
            "due_at",
            UtcDateTime(),
            nullable=False,
            comment="of the next try, or when the one under way is given up for dead",
        ),
        sa.Column("ended_at", UtcDateTime()),
        sa.Column("problem", sa.Text(), comment="of the last try"),
        sa.PrimaryKeyConstraint("alert_id", "channel", name="pk_alert_deliveries"),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alerts.id"], name="fk_alert_deliveries_alert_id", ondelete="CASCADE"
        ),
    )
    due = sa.text("state = 'due'")
    op.create_index(
        "ix_alert_deliveries_due", "alert_deliveries", ["due_at"], postgresql_where=due, sqlite_where=due
    )


def downgrade() -> None:
    op.drop_table("alert_deliveries")
    op.drop_table("alerts")
