"""Whom a job's webhook is still to be told of its end."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Uuid, text

from qtasks.store.tables.base import metadata
from qtasks.store.types import UtcDateTime

# A row for each job with a webhook, from its submission on: no way of ending has to think of it. The address is in the
# job's resource alone: it may be as good as a password.
notices = Table(
    "notices",
    metadata,
    Column("job_id", Uuid(as_uuid=False), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("state", String(8), nullable=False, comment="due, sent, given_up"),
    Column("tries", Integer, nullable=False, server_default="0", comment="begun; guards what is noted of the last one"),
    Column("due_at", UtcDateTime, nullable=False, comment="of the next try, at the earliest when the job is final"),
)
Index(
    "ix_notices_due",
    notices.c.due_at,
    postgresql_where=text("state = 'due'"),
    sqlite_where=text("state = 'due'"),
)
