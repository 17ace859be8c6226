"""The accounts of QTASKS_CONFIG: whether their secrets can be read, what pollers met, and whether they let us in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

from qtasks.backends.accounts import secret_of
from qtasks.client.checks.database import made_later
from qtasks.client.checks.finding import Finding, Found, Mark, ok, tried
from qtasks.config import Account, load_config
from qtasks.errors import Unavailable
from qtasks.secrets import read_secret
from qtasks.settings import Settings
from qtasks.store import Store, accounts
from qtasks.store.accounts import AnyRow

_REFUSED = ("CredentialsRefused", "Unauthorized", "Forbidden")


def accounts_of(settings: Settings, *, ask: bool) -> Found:
    """A line for each account; `ask`: of each provider a page of jobs is asked for, with the account's secret."""
    config = load_config(settings.config_file)
    rows = _rows(settings, [account.name for account in config.accounts])
    for account in config.accounts:
        yield from tried(_part(account), partial(_account, settings, account, rows, ask=ask))


def _part(account: Account) -> str:
    return f"account {account.name}"


def _account(settings: Settings, account: Account, rows: Mapping[str, AnyRow], *, ask: bool) -> Iterator[Finding]:
    secret = secret_of(account)
    values: Mapping[str, str] = {}
    if secret is not None:
        values = read_secret(settings, namespace=secret[0], name=secret[1]).values
    kept = f"secret {secret[0]}/{secret[1]}" if secret is not None else "no secret of its own"
    named = f"{account.provider.value}, {kept}"
    if ask:
        yield _asked(account, values, named)
        return
    row = rows.get(account.name)
    if row is not None and row.reason is not None:
        refused = row.reason in _REFUSED
        mark = Mark.FAIL if refused else Mark.WARN
        hint = "Put a key into the secret that is good; `qtasks doctor --accounts` tries it." if refused else ""
        yield Finding(_part(account), mark, f"{named}; pollers met: {row.message or row.reason}", hint, row.reason)
        return
    yield ok(_part(account), f"{named}, can be read" if secret is not None else named)


def _asked(account: Account, values: Mapping[str, str], named: str) -> Finding:
    from qtasks.backends.registry import open_backend

    backend = open_backend(account, lambda: values)
    next(iter(backend.listing(since=datetime.now(UTC) - timedelta(minutes=1))), None)
    return ok(_part(account), f"{named}, lets us in")


def _rows(settings: Settings, names: list[str]) -> dict[str, AnyRow]:
    """What the database knows of these accounts; nothing where it cannot be asked: that has a line of its own."""
    if not names or made_later(settings):
        return {}
    store = Store(settings.database, pool_size=1)
    try:
        with store.read() as tx:
            found = {name: accounts.get(tx, name) for name in names}
    except Unavailable:
        return {}
    finally:
        store.close()
    return {name: row for name, row in found.items() if row is not None}
