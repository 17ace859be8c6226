"""Alerts, and whom they are still to be sent to."""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, PrimaryKeyConstraint, String, Table, Text, Uuid, text

from qtasks.store.tables.base import metadata
from qtasks.store.types import Json, UtcDateTime

alerts = Table(
    "alerts",
    metadata,
    Column("id", Uuid(as_uuid=False), primary_key=True, comment="UUIDv7; names its messages too"),
    Column("at", UtcDateTime, nullable=False),
    Column("namespace", String(63), nullable=False, comment="of the budget"),
    Column("budget", String(253), nullable=False),
    Column("job_id", Uuid(as_uuid=False), comment="whose own threshold it is; null: the budget's"),
    Column("threshold", Float(53), nullable=False, comment="per cent"),
    Column("percent", Float(53), nullable=False, comment="that was reached"),
    Column("facts", Json, nullable=False, comment="amounts and period: see store.alerts"),
)
Index("ix_alerts_budget", alerts.c.namespace, alerts.c.budget, alerts.c.id)

# No address is kept here: a webhook's may be as good as a password. Whoever sends takes the budget's own of that time.
alert_deliveries = Table(
    "alert_deliveries",
    metadata,
    Column("alert_id", Uuid(as_uuid=False), ForeignKey("alerts.id", ondelete="CASCADE"), nullable=False),
    Column("channel", String(7), nullable=False, comment="email, webhook"),
    Column("state", String(8), nullable=False, comment="due, sent, given_up"),
    Column("tries", Integer, nullable=False, server_default="0", comment="begun; guards what is noted of the last one"),
    Column(
        "due_at", UtcDateTime, nullable=False, comment="of the next try, or when the one under way is given up for dead"
    ),
    Column("ended_at", UtcDateTime),
    Column("problem", Text, comment="of the last try"),
    PrimaryKeyConstraint("alert_id", "channel", name="pk_alert_deliveries"),
)
Index(
    "ix_alert_deliveries_due",
    alert_deliveries.c.due_at,
    postgresql_where=text("state = 'due'"),
    sqlite_where=text("state = 'due'"),
)
