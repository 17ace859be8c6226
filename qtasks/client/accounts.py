"""Accounts as their users see them: those of QTASKS_CONFIG and those that jobs brought, with what is left of each."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from qtasks.access import Verb
from qtasks.backends.accounts import account_called, accounts_for
from qtasks.config import Account, Config
from qtasks.errors import Forbidden, InvalidInput, NotFound
from qtasks.resources import BackendType, JobBackend
from qtasks.results import timestamp
from qtasks.scheduling.allowance import Standing
from qtasks.store import accounts
from qtasks.store.accounts import Load

if TYPE_CHECKING:
    from qtasks.client.client import Client
    from qtasks.client.direct import Direct

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Known:
    """An account and how it stands."""

    account: Account
    row: Any
    """Its row in the table; None until a job was scheduled under it."""
    stands: Standing
    load: Load


def known(direct: Direct, namespace: str | None) -> list[Known]:
    """The accounts that serve `namespace`, for None all that the caller may see: those of QTASKS_CONFIG in its order,
    then the others."""
    return _serving(direct, direct.guard.scope(Verb.ACCOUNTS, namespace or "default", everywhere=namespace is None))


def documents(direct: Direct, namespace: str | None) -> list[dict[str, Any]]:
    """`known` as plain JSON data. Which other namespaces an account serves is told only to whoever may see these."""
    found = known(direct, namespace)
    visible = direct.guard.caller.namespaces(Verb.ACCOUNTS)
    return [document(one, visible) for one in found]


def _serving(direct: Direct, namespaces: Collection[str] | None) -> list[Known]:
    config = direct.installation.config
    with direct.store.read() as tx:
        rows = accounts.states(tx)
        return [
            _known(tx, account, rows.get(account.name))
            for account in _every(config, rows)
            if namespaces is None or any(serves(config, account, namespace) for namespace in namespaces)
        ]


def serves(config: Config, account: Account, namespace: str) -> bool:
    """Whether the jobs of `namespace` may run under an account."""
    served = served_by(config, account)
    return served is None or namespace in served


def served_by(config: Config, account: Account) -> tuple[str, ...] | None:
    """The namespaces whose jobs may run under an account, None for all; one that a job brought serves the secret's
    own."""
    if config.account(account.name) is None and account.credentials is not None:
        return (account.credentials.secret_ref.namespace,)
    return account.namespaces


def _every(config: Config, rows: Mapping[str, Any]) -> Iterator[Account]:
    yield from config.accounts
    for name in sorted(rows.keys() - {account.name for account in config.accounts}):
        try:
            yield account_called(config, name, rows[name].provider)
        except NotFound:
            # Its jobs wait until it is put back; nobody can say whom it served.
            yield Account(name=name, provider=BackendType(rows[name].provider), namespaces=())


def _known(tx: Connection, account: Account, row: Any) -> Known:
    from qtasks.stages.remote.turns import standing_of

    if row is None:
        allowance = account.effective_allowance
        limit = None if allowance is None else float(allowance.quantum_seconds)
        return Known(account, None, Standing(limit, 0.0, 0.0, limit, None), Load(0, 0, 0.0))
    return Known(account, row, standing_of(tx, account, row), accounts.load(tx, account.name))


def document(known: Known, visible: Collection[str] | None = None) -> dict[str, Any]:
    """An account as plain JSON data, with those of its namespaces that are `visible`, all for None. Quantum time is in
    seconds; `limit` and `remaining` are null where there is no limit."""
    account, row, stands = known.account, known.row, known.stands
    allowance = account.effective_allowance
    return {
        "kind": "Account",
        "name": account.name,
        "provider": account.provider.value,
        "plan": account.plan.value,
        "namespaces": None
        if account.namespaces is None
        else [namespace for namespace in account.namespaces if visible is None or namespace in visible],
        "status": {
            "used": round(stands.used_seconds, 6),
            "reserved": round(stands.reserved_seconds, 6),
            "remaining": None if stands.remaining_seconds is None else round(stands.remaining_seconds, 6),
            "limit": stands.limit_seconds,
            "days": None if allowance is None else allowance.days,
            "freesAt": _time(stands.frees_at),
            "jobs": {"waiting": known.load.parked, "open": known.load.open},
            "pausedUntil": _time(row.paused_until) if row is not None and _paused(row) else None,
            "polledAt": None if row is None else _time(row.polled_at),
            "reason": None if row is None else row.reason,
            "message": None if row is None else row.message,
        },
    }


def _paused(row: Any) -> bool:
    return row.paused_until is not None and row.paused_until > row.now


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else timestamp(moment)


def by_index(config: Config, index: int, namespace: str) -> Account:
    """The account that `--api-key-index` counts to, from 0. Raises NotFound (`NoSuchAccount`) or Forbidden."""
    if not 0 <= index < len(config.accounts):
        mine = ((number, each.name) for number, each in enumerate(config.accounts) if serves(config, each, namespace))
        names = ", ".join(f"{number} {name}" for number, name in mine) or "none"
        raise NotFound(
            f"There is no account number {index}.",
            reason="NoSuchAccount",
            hint=f"Accounts of {namespace}, counted from 0 in QTASKS_CONFIG: {names}.",
        )
    account = config.accounts[index]
    _require_service(config, account, namespace)
    return account


def numbered(client: Client, index: int, namespace: str) -> Account:
    """The account that `--api-key-index` counts to in QTASKS_CONFIG; see `by_index`."""
    return by_index(client._direct("An account's number").installation.config, index, namespace)


def called(client: Client, name: str, namespace: str) -> Account:
    """The account of this name that serves `namespace`. Raises NotFound (`NoSuchAccount`) or Forbidden."""
    direct = client._direct("An account's name")
    direct.guard.may(Verb.ACCOUNTS, namespace, name)
    config = direct.installation.config
    with direct.store.read() as tx:
        provider = accounts.names(tx).get(name)
    found = account_called(config, name, provider) if provider is not None else config.account(name)
    if found is not None and _hidden(direct, config, found):
        found = None
    if found is None and direct.settings.embedded:
        found = next((own for own in _embedded(config, namespace) if own.name == name), None)
    if found is None:
        names = ", ".join(one.account.name for one in known(direct, namespace)) or "none"
        raise NotFound(
            f"There is no account {name}.", reason="NoSuchAccount", hint=f"Accounts of {namespace}: {names}."
        )
    _require_service(config, found, namespace)
    return found


def _hidden(direct: Direct, config: Config, account: Account) -> bool:
    """Whether the caller is not to know of an account: it serves only namespaces in which the caller has no role."""
    visible = direct.guard.caller.namespaces(Verb.ACCOUNTS)
    return visible is not None and not any(serves(config, account, namespace) for namespace in visible)


def _embedded(config: Config, namespace: str) -> Iterator[Account]:
    """What the embedded stack uses for a provider without an account: the user's own credentials."""
    for provider in (BackendType.IBM_QUANTUM, BackendType.AWS_BRAKET):
        try:
            yield from accounts_for(config, JobBackend(type=provider), None, namespace=namespace, embedded=True)
        except InvalidInput:
            continue


def _require_service(config: Config, account: Account, namespace: str) -> None:
    if not serves(config, account, namespace):
        raise Forbidden(
            f"Account {account.name} does not serve namespace {namespace}.",
            reason="AccountForbidden",
            hint="Ask whoever keeps QTASKS_CONFIG to add the namespace to the account.",
        )
