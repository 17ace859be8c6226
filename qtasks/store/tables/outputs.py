"""What is to be written of results where their users want a copy."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, Text, text

from qtasks.store.tables.base import metadata, of_job
from qtasks.store.types import UtcDateTime

outputs = Table(
    "outputs",
    metadata,
    of_job(primary_key=True),
    Column("state", String(9), nullable=False, comment="due, delivered, refused, given_up"),
    Column("tries", Integer, nullable=False, comment="begun; guards what is noted of the last one"),
    Column("since", UtcDateTime, nullable=False, comment="when it was wanted: from then on time runs out"),
    Column(
        "due_at", UtcDateTime, nullable=False, comment="of the next try, or when the one under way is given up for dead"
    ),
    Column("ended_at", UtcDateTime),
    Column("problem", Text, comment="of the last try"),
)
Index(
    "ix_outputs_due",
    outputs.c.due_at,
    postgresql_where=text("state = 'due'"),
    sqlite_where=text("state = 'due'"),
)
