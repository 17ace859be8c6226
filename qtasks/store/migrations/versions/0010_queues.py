"""queues"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_QUEUED = sa.text("stage IS NOT NULL AND owner IS NULL")
# For autoscalers: what waits and may start, and what is held, each found by its partial index.
_VIEW = """
CREATE VIEW autoscaling AS
SELECT queue, sum(queued) AS queued, sum(running) AS running FROM (
    SELECT queue, count(*) AS queued, 0 AS running FROM jobs
    WHERE stage IS NOT NULL AND owner IS NULL AND (not_before IS NULL OR not_before <= {now}) GROUP BY queue
    UNION ALL
    SELECT queue, 0, count(*) FROM jobs WHERE owner IS NOT NULL GROUP BY queue
) AS work GROUP BY queue
"""
_NOW = {"postgresql": "now()", "sqlite": "(strftime('%Y-%m-%d %H:%M:%f', 'now') || '000')"}


def upgrade() -> None:
    op.add_column("jobs", sa.Column("queue", sa.String(24), comment="where it waits, or was worked at last"))
    op.execute("UPDATE jobs SET queue = stage")
    op.execute("UPDATE jobs SET queue = 'execution.provider' WHERE stage = 'execution' AND account IS NOT NULL")
    op.drop_index("ix_jobs_waiting", "jobs")
    op.create_index(
        "ix_jobs_waiting",
        "jobs",
        ["queue", "namespace", "priority", "created_at", "id"],
        postgresql_where=_QUEUED,
        sqlite_where=_QUEUED,
    )
    op.execute("DELETE FROM workers")
    with op.batch_alter_table("workers") as batch:
        batch.alter_column("stages", new_column_name="queues")
    op.execute(_VIEW.format(now=_NOW[op.get_bind().dialect.name]))


def downgrade() -> None:
    op.execute("DROP VIEW autoscaling")
    op.execute("DELETE FROM workers")
    with op.batch_alter_table("workers") as batch:
        batch.alter_column("queues", new_column_name="stages")
    op.drop_index("ix_jobs_waiting", "jobs")
    op.drop_column("jobs", "queue")
    op.create_index(
        "ix_jobs_waiting",
        "jobs",
        ["stage", "namespace", "priority", "created_at", "id"],
        postgresql_where=_QUEUED,
        sqlite_where=_QUEUED,
    )
