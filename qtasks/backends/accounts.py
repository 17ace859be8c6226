"""Which accounts a job may run under, and which secret an account's credentials lie in. Pure."""

from __future__ import annotations

from qtasks.config import REMOTE, Account, AccountCredentials, Config, SecretRef
from qtasks.errors import Conflict, Forbidden, InvalidInput, NotFound
from qtasks.resources.backend import BackendType, JobBackend
from qtasks.resources.metadata import Credentials

_OWN = {BackendType.IBM_QUANTUM: "ibm-quantum", BackendType.AWS_BRAKET: "aws-braket"}

_AT = "@"
"""Between an account's name and the instance of those of its jobs that name one."""


def accounts_for(
    config: Config, backend: JobBackend, credentials: Credentials | None, *, namespace: str, embedded: bool
) -> list[Account]:
    """The accounts under which a job of `namespace` with this backend may run, at least one; each at the job's
    instance, where it names one.

    A job that names a secret of its namespace brings an account of its own. In the embedded stack a provider without an
    account has one that uses whatever the provider's own library finds in the user's environment and home. Raises
    NotFound (`NoSuchAccount`), Forbidden (`AccountForbidden`) or InvalidInput (`NoAccount`, `WrongProvider`,
    `InstanceNotOfAccount`).
    """
    found = _any_instance(config, backend, credentials, namespace=namespace, embedded=embedded)
    if backend.instance is None:
        return found
    at_instance = [_at(account, backend.instance) for account in found if account.instance in (None, backend.instance)]
    if not at_instance:
        raise InvalidInput(
            f"No account that serves namespace {namespace} is one of instance {backend.instance}.",
            reason="InstanceNotOfAccount",
            hint="Leave out backend.instance, or have an account for it put into QTASKS_CONFIG.",
        )
    return at_instance


def _at(account: Account, instance: str) -> Account:
    """The account at an instance. It counts as one of its own where the account leaves the instance open: allowance,
    jobs and sessions are an instance's."""
    if account.instance is not None or account.provider is not BackendType.IBM_QUANTUM:
        return account
    return account.model_copy(update={"name": f"{account.name}{_AT}{instance}", "instance": instance})


def _any_instance(
    config: Config, backend: JobBackend, credentials: Credentials | None, *, namespace: str, embedded: bool
) -> list[Account]:
    if backend.account is not None:
        return [_named(config, backend, namespace)]
    if credentials is not None:
        return [_own_secret(config, backend.type, credentials.secret_ref.name, namespace)]
    known = [account for account in config.accounts if account.provider is backend.type]
    found = [account for account in known if account.serves(namespace)]
    if found:
        return found
    if embedded and not known:
        return [Account(name=_OWN[backend.type], provider=backend.type)]
    raise InvalidInput(
        f"No account for {backend.type.value} serves namespace {namespace}.",
        reason="NoAccount",
        hint="Name one in QTASKS_CONFIG, or give the job credentials.secretRef.",
    )


def _named(config: Config, backend: JobBackend, namespace: str) -> Account:
    found = config.account(str(backend.account))
    if found is None:
        names = ", ".join(account.name for account in config.accounts if account.serves(namespace)) or "none"
        raise NotFound(
            f"There is no account {backend.account}.", reason="NoSuchAccount", hint=f"Accounts of {namespace}: {names}."
        )
    if not found.serves(namespace):
        raise Forbidden(
            f"Account {found.name} does not serve namespace {namespace}.",
            reason="AccountForbidden",
            hint="Ask whoever keeps QTASKS_CONFIG to add the namespace to the account.",
        )
    if found.provider is not backend.type:
        raise InvalidInput(
            f"Account {found.name} is one of {found.provider.value}, and the job asks for {backend.type.value}.",
            reason="WrongProvider",
            hint="Name an account of that provider, or none.",
        )
    return found


def _own_secret(config: Config, provider: BackendType, secret: str, namespace: str) -> Account:
    """The account of a secret: the configured one that uses it, or one made of it alone."""
    for account in config.accounts:
        if account.provider is provider and account.serves(namespace) and secret_of(account) == (namespace, secret):
            return account
    if config.reserves(namespace=namespace, name=secret):
        raise Forbidden(
            f"The secret {namespace}/{secret} belongs to an account that does not serve namespace {namespace}.",
            reason="SecretReserved",
            hint="Use a secret of your own.",
        )
    name = f"{_OWN[provider]}.{namespace}.{secret}"
    if config.account(name) is not None:
        raise Conflict(
            f"An account is called {name} already.", reason="AccountNameTaken", hint="Give the secret another name."
        )
    return _made_of(name, provider)


def _made_of(name: str, provider: BackendType) -> Account:
    namespace, _, secret = name.removeprefix(f"{_OWN[provider]}.").partition(".")
    reference = AccountCredentials(secret_ref=SecretRef(name=secret, namespace=namespace))
    return Account(name=name, provider=provider, credentials=reference)


def account_called(config: Config, name: str, provider: str) -> Account:
    """The account of a row: a configured one, or one that a job brought. Raises NotFound (`NoSuchAccount`)."""
    base, at, instance = name.partition(_AT)
    if at:
        return _at(account_called(config, base, provider), instance)
    found = config.account(name)
    if found is not None:
        return found
    kind = BackendType(provider)
    if kind in REMOTE and name == _OWN[kind]:
        return Account(name=name, provider=kind)
    if kind in REMOTE and name.startswith(f"{_OWN[kind]}."):
        return _made_of(name, kind)
    raise NotFound(
        f"Account {name} is not in QTASKS_CONFIG any more.",
        reason="NoSuchAccount",
        hint="Put it back until its jobs are done.",
    )


def secret_of(account: Account) -> tuple[str, str] | None:
    """Namespace and name of the secret that holds an account's credentials."""
    if account.credentials is None:
        return None
    return account.credentials.secret_ref.namespace, account.credentials.secret_ref.name
