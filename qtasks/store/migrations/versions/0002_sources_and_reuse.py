"""sources and reuse"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("inputs") as inputs:
        # A circuit that has yet to be fetched has no digest.
        inputs.alter_column("sha256", existing_type=sa.String(64), nullable=True)
        inputs.add_column(sa.Column("origin", sa.Text(), comment="where the circuit was fetched from"))
    op.create_index("ix_circuits_fingerprint", "circuits", ["fingerprint", "job_id"])
    op.create_table(
        "signing_keys",
        sa.Column("purpose", sa.String(32), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("purpose", name="pk_signing_keys"),
    )


def downgrade() -> None:
    op.drop_table("signing_keys")
    op.drop_index("ix_circuits_fingerprint", "circuits")
    op.execute("UPDATE inputs SET sha256 = '' WHERE sha256 IS NULL")
    with op.batch_alter_table("inputs") as inputs:
        inputs.drop_column("origin")
        inputs.alter_column("sha256", existing_type=sa.String(64), nullable=False)
