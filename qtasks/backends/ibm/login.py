"""Who an account is at IBM: its API key, and the instance and addresses that go with it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from qtasks.backends.ibm.addresses import Addresses, addresses
from qtasks.backends.protocol import CredentialsRefused
from qtasks.config import Account


@dataclass(frozen=True, slots=True)
class Login:
    """What a connection is made with."""

    key: str = field(repr=False)
    """The API key."""
    instance: str | None
    """CRN or name of the instance; None leaves the choice to the account's plan."""
    addresses: Addresses
    verify: bool = True
    """Whether certificates are checked."""
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)


def login(account: Account, secret: Mapping[str, str]) -> Login:
    """The login of an account: the secret's keys `token`, `instance` and `url`, overridden by what the account says.

    Without a token in the secret it is the one that the library finds in the environment or in its file of saved
    accounts, where the account's, the secret's or the environment's channel says which. Raises CredentialsRefused when
    there is none.
    """
    key = secret.get("token", "").strip()
    endpoint = account.endpoint or secret.get("url")
    instance = account.instance or secret.get("instance")
    if key:
        return Login(key, instance, addresses(endpoint, os.environ))
    saved = _saved(account, secret)
    if endpoint is None and not os.environ.get("QISKIT_IBM_TOKEN"):
        endpoint = saved.url
    proxies = saved.proxies.to_request_params().get("proxies", {}) if saved.proxies else {}
    where = addresses(endpoint, os.environ, private=bool(saved.private_endpoint))
    return Login(saved.token, instance or saved.instance, where, saved.verify is not False, proxies)


def _saved(account: Account, secret: Mapping[str, str]) -> Any:
    from qiskit_ibm_runtime.accounts import AccountManager
    from qiskit_ibm_runtime.accounts.exceptions import AccountNotFoundError, InvalidAccountError

    try:
        return AccountManager.get(channel=account.channel or secret.get("channel")).validate()
    except (AccountNotFoundError, InvalidAccountError):
        raise CredentialsRefused(
            f"There is no API key for the account {account.name}.",
            hint="Give the account credentials.secretRef, with the key `token`, or set QISKIT_IBM_TOKEN.",
        ) from None
