"""The providers, by backend type. A member is imported in the process that uses it, when it uses it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

from qtasks.backends.protocol import RemoteBackend
from qtasks.config import Account
from qtasks.costs.prices import PriceList, list_prices
from qtasks.resources.backend import BackendType

Prices = Callable[[], PriceList]
"""What is charged by, at each time."""
Credentials = Callable[[], Mapping[str, str]]
"""Reads the keys of an account's secret, each time anew; an empty mapping for an account without one."""

PROVIDERS = {
    BackendType.IBM_QUANTUM: ("qtasks.backends.ibm", "IBMBackend"),
    BackendType.AWS_BRAKET: ("qtasks.backends.braket", "BraketBackend"),
}


def open_backend(account: Account, credentials: Credentials, prices: Prices = list_prices) -> RemoteBackend:
    """The backend of an account. Nothing is asked of the provider yet."""
    module, name = PROVIDERS[account.provider]
    backend: RemoteBackend = getattr(import_module(module), name)(account, credentials, prices)
    return backend
