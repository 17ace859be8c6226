"""catalogue"""

import sqlalchemy as sa
from alembic import op

from qtasks.store.types import Json, UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "devices",
        sa.Column("account", sa.String(800), nullable=False),
        sa.Column("name", sa.String(255), nullable=False, comment="as the provider calls it; of aws_braket its ARN"),
        sa.Column("type", sa.String(20), nullable=False, comment="of backend"),
        sa.Column("simulator", sa.Boolean(), nullable=False),
        sa.Column("qubits", sa.Integer(), comment="null: the provider does not say"),
        sa.Column("available", sa.Boolean(), nullable=False),
        sa.Column("pending_jobs", sa.Integer()),
        sa.Column("wait_seconds", sa.Float(53), comment="as the provider says"),
        sa.Column("message", sa.Text(), comment="why it is not in service"),
        sa.Column("queue_at", UtcDateTime(), nullable=False, comment="of the figures above"),
        sa.Column("learned_wait", sa.Float(53), comment="seconds: median of what our own jobs waited lately"),
        sa.Column("learned_from", sa.Integer(), nullable=False, server_default="0", comment="jobs behind learned_wait"),
        sa.Column("capabilities", Json, comment="what it can do; null: never asked"),
        sa.Column("problem", sa.Text(), comment="why it can run no circuit at all"),
        sa.Column("mean_error", sa.Float(53), comment="of its two-qubit gates"),
        sa.Column("errors", Json, comment="typical errors: one, two, readout"),
        sa.Column("calibration", sa.String(64), comment="digest of the calibration that errors and target are of"),
        sa.Column(
            "target", Json, comment="gates with their qubits, errors and durations: see backends.target_data"
        ),
        sa.Column("refreshed_at", UtcDateTime(), comment="of the figures above; null: never asked"),
        sa.PrimaryKeyConstraint("account", "name", name="pk_devices"),
    )
    op.create_table(
        "backends",
        sa.Column("namespace", sa.String(63), nullable=False),
        sa.Column("name", sa.String(253), nullable=False),
        sa.Column("resource", Json, nullable=False, comment="the QiskitBackend"),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("namespace", "name", name="pk_backends"),
    )
    op.create_table(
        "fidelities",
        sa.Column("namespace", sa.String(63), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("device", sa.String(255), nullable=False),
        sa.Column("calibration", sa.String(64), nullable=False),
        sa.Column("options", sa.String(64), nullable=False, comment="optimization level, and a digest of the layout"),
        sa.Column(
            "fidelity",
            sa.Float(53),
            nullable=False,
            comment="expected, 0 to 1; 0: it cannot be compiled for the device",
        ),
        sa.Column("duration", sa.Float(53), comment="seconds of one shot"),
        sa.Column("depth", sa.Integer(), nullable=False),
        sa.Column("two_qubit_gates", sa.Integer(), nullable=False),
        sa.Column("problem", sa.Text(), comment="why it cannot be compiled"),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("namespace", "fingerprint", "device", "calibration", "options", name="pk_fidelities"),
    )
    op.create_index("ix_fidelities_at", "fidelities", ["at"])
    op.create_table(
        "decisions",
        sa.Column("job_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("attempt", sa.SmallInteger(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("namespace", sa.String(63), nullable=False),
        sa.Column(
            "account", sa.String(800), comment="of the device that was chosen; null where none is needed"
        ),
        sa.Column("device", sa.String(255), comment="that was chosen; null when none qualified"),
        sa.Column(
            "wait_seconds", sa.Float(53), comment="until it starts, as was thought then; null: nobody knew"
        ),
        sa.Column(
            "cost_micros", sa.BigInteger(), comment="US dollars · 10⁻⁶, as was thought then; null: no price is known"
        ),
        sa.Column(
            "selection", Json, nullable=False, comment="every candidate with its scores: see scheduling.explanation"
        ),
        sa.PrimaryKeyConstraint("job_id", "attempt", name="pk_decisions"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_decisions_job_id", ondelete="CASCADE"),
    )
    op.create_index("ix_decisions_device", "decisions", ["account", "device", "at"])
    op.create_index("ix_decisions_namespace", "decisions", ["namespace", "at"])


def downgrade() -> None:
    op.drop_table("decisions")
    op.drop_table("fidelities")
    op.drop_table("backends")
    op.drop_table("devices")
