"""The catalogue of devices, devices registered by hand, expected fidelities, and what was decided for each job."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    Text,
)

from qtasks.store.tables.base import metadata, of_job
from qtasks.store.types import Json, UtcDateTime

devices = Table(
    "devices",
    metadata,
    Column("account", String(800), nullable=False),
    Column("name", String(255), nullable=False, comment="as the provider calls it; of aws_braket its ARN"),
    Column("type", String(20), nullable=False, comment="of backend"),
    Column("simulator", Boolean, nullable=False),
    Column("qubits", Integer, comment="null: the provider does not say"),
    Column("available", Boolean, nullable=False),
    Column("pending_jobs", Integer),
    Column("wait_seconds", Float(53), comment="as the provider says"),
    Column("message", Text, comment="why it is not in service"),
    Column("queue_at", UtcDateTime, nullable=False, comment="of the figures above"),
    Column("learned_wait", Float(53), comment="seconds: median of what our own jobs waited lately"),
    Column("learned_from", Integer, nullable=False, server_default="0", comment="jobs behind learned_wait"),
    Column("capabilities", Json, comment="what it can do; null: never asked"),
    Column("problem", Text, comment="why it can run no circuit at all"),
    Column("mean_error", Float(53), comment="of its two-qubit gates"),
    Column("errors", Json, comment="typical errors: one, two, readout"),
    Column("calibration", String(64), comment="digest of the calibration that errors and target are of"),
    Column("target", Json, comment="gates with their qubits, errors and durations: see backends.target_data"),
    Column("refreshed_at", UtcDateTime, comment="of the figures above; null: never asked"),
    PrimaryKeyConstraint("account", "name", name="pk_devices"),
)

backends = Table(
    "backends",
    metadata,
    Column("namespace", String(63), nullable=False),
    Column("name", String(253), nullable=False),
    Column("resource", Json, nullable=False, comment="the QiskitBackend"),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("namespace", "name", name="pk_backends"),
)

fidelities = Table(
    "fidelities",
    metadata,
    Column("namespace", String(63), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("device", String(255), nullable=False),
    Column("calibration", String(64), nullable=False),
    Column("options", String(64), nullable=False, comment="optimization level, and a digest of the layout"),
    Column("fidelity", Float(53), nullable=False, comment="expected, 0 to 1; 0: it cannot be compiled for the device"),
    Column("duration", Float(53), comment="seconds of one shot"),
    Column("depth", Integer, nullable=False),
    Column("two_qubit_gates", Integer, nullable=False),
    Column("problem", Text, comment="why it cannot be compiled"),
    Column("at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("namespace", "fingerprint", "device", "calibration", "options", name="pk_fidelities"),
)
Index("ix_fidelities_at", fidelities.c.at)

decisions = Table(
    "decisions",
    metadata,
    of_job(),
    Column("attempt", SmallInteger, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("namespace", String(63), nullable=False),
    Column("account", String(800), comment="of the device that was chosen; null where none is needed"),
    Column("device", String(255), comment="that was chosen; null when none qualified"),
    Column("wait_seconds", Float(53), comment="until it starts, as was thought then; null: nobody knew"),
    Column("cost_micros", BigInteger, comment="US dollars · 10⁻⁶, as was thought then; null: no price is known"),
    Column("selection", Json, nullable=False, comment="every candidate with its scores: see scheduling.explanation"),
    PrimaryKeyConstraint("job_id", "attempt", name="pk_decisions"),
)
Index("ix_decisions_device", decisions.c.account, decisions.c.device, decisions.c.at)
Index("ix_decisions_namespace", decisions.c.namespace, decisions.c.at)
