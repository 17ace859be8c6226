"""money"""

import sqlalchemy as sa
from alembic import op

from qtasks.store.types import Json, UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "budgets",
        sa.Column("id", serial, autoincrement=True, nullable=False),
        sa.Column("namespace", sa.String(63), nullable=False, comment="in which it is kept"),
        sa.Column("name", sa.String(253), nullable=False),
        sa.Column("resource", Json, nullable=False, comment="the QiskitBudget"),
        sa.Column("spans", sa.Boolean(), nullable=False, comment="is for jobs of other namespaces too"),
        sa.Column("limit_micros", sa.BigInteger(), comment="US dollars · 10⁻⁶; null: no limit in money"),
        sa.Column("limit_quantum", sa.BigInteger(), comment="microseconds of quantum time; null: no limit in time"),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_budgets"),
        sa.UniqueConstraint("namespace", "name", name="uq_budgets_namespace_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "budget_periods",
        sa.Column("id", serial, autoincrement=True, nullable=False),
        sa.Column("budget_id", serial, nullable=False),
        sa.Column("start", UtcDateTime(), nullable=False),
        sa.Column("end", UtcDateTime(), comment="null: it never ends"),
        sa.Column("settled_micros", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("reserved_micros", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("settled_quantum", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("reserved_quantum", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("crossed", Json, nullable=False, comment="thresholds that were told"),
        sa.PrimaryKeyConstraint("id", name="pk_budget_periods"),
        sa.UniqueConstraint("budget_id", "start", name="uq_budget_periods_budget_id_start"),
        sa.ForeignKeyConstraint(["budget_id"], ["budgets.id"], name="fk_budget_periods_budget_id", ondelete="CASCADE"),
        sqlite_autoincrement=True,
    )
    charges_and_ledger()
    op.create_table(
        "budget_waits",
        job_id(),
        sa.Column("cost_center", sa.String(512)),
        sa.Column("labels", Json, nullable=False),
        sa.Column("micros", sa.BigInteger(), comment="what it asks for, US dollars · 10⁻⁶; null: no price is known"),
        sa.Column("quantum", sa.BigInteger(), comment="microseconds of quantum time; null: nobody knows"),
        sa.Column("refused_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", name="pk_budget_waits"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_budget_waits_job_id", ondelete="CASCADE"),
    )


def charges_and_ledger() -> None:
    op.create_table(
        "charges",
        job_id(),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("namespace", sa.String(63), nullable=False),
        sa.Column("cost_center", sa.String(512)),
        sa.Column("labels", Json, nullable=False),
        sa.Column("account", sa.String(800)),
        sa.Column("backend", sa.String(255)),
        sa.Column("state", sa.String(8), nullable=False, comment="reserved, settled, released"),
        sa.Column("micros", sa.BigInteger(), comment="reserved or charged, US dollars · 10⁻⁶; null: no price is known"),
        sa.Column("quantum", sa.BigInteger(), comment="microseconds of quantum time; null: nobody knows"),
        sa.Column("price", sa.Text(), nullable=False, comment="which price it was worked out with"),
        sa.Column("periods", Json, nullable=False, comment="ids of the budget periods it counts in"),
        overrun(),
        sa.Column("alert_micros", sa.BigInteger(), comment="at which the job's owner is told; null: never"),
        sa.Column("alerted", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        sa.Column("at", UtcDateTime(), nullable=False, comment="when it was reserved: the time by which it counts"),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "attempt", name="pk_charges"),
    )
    is_open = sa.text("state = 'reserved'")
    op.create_index("ix_charges_open", "charges", ["at"], postgresql_where=is_open, sqlite_where=is_open)
    op.create_index("ix_charges_namespace", "charges", ["namespace", "at"])
    op.create_index("ix_charges_at", "charges", ["at"])
    op.create_table(
        "ledger",
        sa.Column("id", serial, autoincrement=True, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        job_id(),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("namespace", sa.String(63), nullable=False),
        sa.Column("cost_center", sa.String(512)),
        sa.Column("account", sa.String(800)),
        sa.Column("backend", sa.String(255)),
        sa.Column("kind", sa.String(8), nullable=False, comment="reserve, release (of what was reserved), settle"),
        sa.Column("micros", sa.BigInteger(), comment="US dollars · 10⁻⁶; null: no price is known"),
        sa.Column("quantum", sa.BigInteger(), comment="microseconds of quantum time; null: nobody knows"),
        sa.Column("price", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("periods", Json, nullable=False, comment="ids of the budget periods it counted in"),
        overrun(),
        sa.PrimaryKeyConstraint("id", name="pk_ledger"),
    )
    op.create_index("ix_ledger_job", "ledger", ["job_id", "id"])


def job_id() -> sa.Column[str]:
    return sa.Column("job_id", sa.Uuid(as_uuid=False), nullable=False)


def overrun() -> sa.Column[bool]:
    false = sa.text("false")
    return sa.Column("overrun", sa.Boolean(), nullable=False, server_default=false, comment="more than was reserved")


def downgrade() -> None:
    for table in ("budget_waits", "ledger", "charges", "budget_periods", "budgets"):
        op.drop_table(table)
