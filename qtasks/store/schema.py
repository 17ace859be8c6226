"""The schema's version: bringing a database up to date, and refusing to work on one that is not."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from qtasks.errors import Unavailable
from qtasks.store.engine import Store

# Alembic is imported by who migrates: every process looks at the version as it starts.

_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x71_7461_736B  # "qtask": the advisory lock that lets one migration run at a time


class WrongSchema(Unavailable):
    """The database's schema is not the one this version works on."""

    reason = "WrongSchema"


def head() -> str:
    """The revision that this version of qtasks works on."""
    return max(_revisions())


def _revisions() -> set[str]:
    """All that it knows: the numbers with which the migrations' files begin."""
    return {path.name.partition("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*.py")}


def current(store: Store) -> str | None:
    """The revision a database is at; None before the first migration."""
    with store.read() as tx:
        return _revision(tx)


def _revision(tx: Connection) -> str | None:
    if not inspect(tx).has_table("alembic_version"):
        return None
    return tx.execute(text("SELECT version_num FROM alembic_version")).scalar()


def upgrade(store: Store) -> tuple[str | None, str]:
    """Bring the database to `head()`; safe to call from several processes at once. Returns (before, after)."""
    with store.begin() as tx:
        if store.postgresql:
            tx.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        before = _revision(tx)
        if before != head():
            _migrate(tx)
    return before, head()


def _migrate(tx: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = tx
    command.upgrade(config, "head")


def require_current(store: Store) -> None:
    """Raise WrongSchema, with how to mend it, unless the database is at `head()`."""
    found, wanted = current(store), head()
    if found == wanted:
        return
    if found is not None and found not in _revisions():
        raise WrongSchema(
            f"The database is at schema {found}, which this version of qtasks (schema {wanted}) does not know.",
            hint="Install the version of qtasks that migrated it, or a newer one.",
        )
    raise WrongSchema(
        f"The database is at schema {found or 'none'}, but this version of qtasks works on {wanted}.",
        hint="Run `qtasks db upgrade`, then start the workers again.",
    )
