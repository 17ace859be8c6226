"""Devices registered by hand, and the accounts that a job may run under, theirs included. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from qtasks.backends.accounts import accounts_for
from qtasks.config import REMOTE, Account, Config
from qtasks.errors import QTasksError
from qtasks.resources import JobBackend, JobSpec
from qtasks.resources.backend import BackendSpec, BackendType
from qtasks.scheduling.candidates import types_of


@dataclass(frozen=True, slots=True)
class Registration:
    """A QiskitBackend of a namespace."""

    name: str
    spec: BackendSpec
    accounts: tuple[Account, ...]
    """Those under which its device may be used."""
    problem: str = ""
    """Why there is none."""

    @property
    def device(self) -> str:
        """The provider's name of the device."""
        return self.spec.name or self.name


def registrations(
    resources: Iterable[Mapping[str, Any]], config: Config, *, namespace: str, embedded: bool
) -> list[Registration]:
    """The QiskitBackends of a namespace, given as the store keeps them."""
    found = []
    for resource in resources:
        name, spec = str(resource["metadata"]["name"]), BackendSpec.model_validate(resource["spec"])
        if spec.type not in REMOTE:
            found.append(Registration(name, spec, ()))
            continue
        backend = JobBackend(type=spec.type, account=spec.account, instance=spec.instance)
        try:
            own = accounts_for(config, backend, spec.credentials, namespace=namespace, embedded=embedded)
        except QTasksError as error:
            found.append(Registration(name, spec, (), error.message))
        else:
            found.append(Registration(name, spec, tuple(own)))
    return found


def with_accounts(config: Config, namespace: str) -> list[BackendType]:
    """The providers that a namespace has an account for in QTASKS_CONFIG, in its order."""
    return list(dict.fromkeys(account.provider for account in config.accounts if account.serves(namespace)))


def eligible(
    config: Config, spec: JobSpec, registered: Iterable[Registration], *, namespace: str, embedded: bool
) -> list[Account]:
    """The accounts that a job may run under; empty for one that runs on a simulator of our own.

    A job that names a QiskitBackend gets its accounts. Raises as `backends.accounts.accounts_for` does.
    """
    kinds = [kind for kind in types_of(spec, with_accounts(config, namespace)) if kind in REMOTE]
    open_to_all = spec.backend.account is None and spec.credentials is None
    theirs = [each for each in registered if each.spec.type in kinds and open_to_all]
    named = next((each for each in theirs if each.name == spec.backend.name and each.accounts), None)
    if named is not None:
        return list(named.accounts)
    found: dict[str, Account] = {}
    for kind in kinds:
        backend = spec.backend.model_copy(update={"type": kind})
        more = accounts_for(config, backend, spec.credentials, namespace=namespace, embedded=embedded)
        found |= {account.name: account for account in more}
    for each in theirs:
        if spec.backend.name is None and spec.backend.instance is None:
            found |= {account.name: account for account in each.accounts}
    return list(found.values())
