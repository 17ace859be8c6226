"""The schema's version: bringing a database up to date, and refusing to work on one that is not."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from qtasks.errors import Unavailable
from qtasks.store.engine import Store

_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x71_7461_736B  # "qtask": the advisory lock that lets one migration run at a time


class WrongSchema(Unavailable):
    """The database's schema is not the one this version works on."""

    reason = "WrongSchema"


def head() -> str:
    """The revision that this version of qtasks works on."""
    revision = ScriptDirectory(str(_MIGRATIONS)).get_current_head()
    assert revision is not None
    return revision


def current(store: Store) -> str | None:
    """The revision a database is at; None before the first migration."""
    with store.read() as tx:
        return MigrationContext.configure(tx).get_current_revision()


def upgrade(store: Store) -> tuple[str | None, str]:
    """Bring the database to `head()`; safe to call from several processes at once. Returns (before, after)."""
    with store.begin() as tx:
        if store.postgresql:
            tx.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        before = MigrationContext.configure(tx).get_current_revision()
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        config.attributes["connection"] = tx
        command.upgrade(config, "head")
    return before, head()


def require_current(store: Store) -> None:
    """Raise WrongSchema, with how to mend it, unless the database is at `head()`."""
    found, wanted = current(store), head()
    if found == wanted:
        return
    known = {script.revision for script in ScriptDirectory(str(_MIGRATIONS)).walk_revisions()}
    if found is not None and found not in known:
        raise WrongSchema(
            f"The database is at schema {found}, which this version of qtasks (schema {wanted}) does not know.",
            hint="Install the version of qtasks that migrated it, or a newer one.",
        )
    raise WrongSchema(
        f"The database is at schema {found or 'none'}, but this version of qtasks works on {wanted}.",
        hint="Run `qtasks db upgrade`, then start the workers again.",
    )
