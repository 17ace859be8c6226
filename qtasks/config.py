"""`QTASKS_CONFIG`: the YAML file in which an operator names the accounts that jobs may run under, and their prices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from qtasks.errors import InvalidInput
from qtasks.lifecycle import SIMULATION, Queue
from qtasks.resources.backend import BackendType
from qtasks.resources.model import Model, Number, PositiveQuantity, Range, Text
from qtasks.resources.names import Email, Line, Name, Namespace
from qtasks.resources.prices import Price
from qtasks.resources.problems import invalid, plain, problems_of, refuse
from qtasks.resources.retention import Kept, Retention, kept
from qtasks.resources.yaml_text import read

REMOTE = (BackendType.IBM_QUANTUM, BackendType.AWS_BRAKET)


class Plan(StrEnum):
    """What an account was bought as."""

    OPEN = "open"
    PAY_AS_YOU_GO = "pay-as-you-go"
    FLEX = "flex"
    PREMIUM = "premium"


class Allowance(Model):
    """Quantum time that an account may use in any stretch of so many days."""

    quantum_seconds: Annotated[Number, Range(0)]
    """Seconds on quantum devices."""
    days: Annotated[int, Range(1, 3660)] = 28
    """Length of the stretch."""


PLAN_ALLOWANCES = {Plan.OPEN: Allowance(quantum_seconds=600, days=28)}
"""The fourth seed's figure: the open plan has 10 minutes in any 28 days."""


class Limits(Model):
    """How fast jobs are handed to a provider, by all workers together."""

    submissions_per_minute: Annotated[Number, Range(0.01)]
    """Jobs handed over in a minute, in the long run."""
    burst: Annotated[int, Range(1)] = 1
    """Jobs that may be handed over at once after a pause."""
    pending_jobs: Annotated[int, Range(1)] | None = None
    """Jobs that may wait or run at the provider at a time; no limit when absent."""


PROVIDER_LIMITS = {
    BackendType.IBM_QUANTUM: Limits(submissions_per_minute=5, burst=5),
    BackendType.AWS_BRAKET: Limits(submissions_per_minute=300, burst=20),
}
"""IBM documents about five new jobs a minute for a user; Braket's default quota of CreateQuantumTask is twenty a
second, of which others want some too."""


class SecretRef(Model):
    """A secret that an operator keeps."""

    name: Name
    """Name of the secret; its values are read only in the process that uses them."""
    namespace: Namespace = "default"
    """The namespace in which it lies. No job can use it as a secret of its own."""


class AccountCredentials(Model):
    """Where the credentials lie; never the credentials themselves."""

    secret_ref: SecretRef
    """The secret that holds them."""


class Account(Model):
    """One set of provider credentials with its own plan and allowance."""

    name: Name
    """What jobs call it, in `spec.backend.account`."""
    provider: BackendType
    """ibm_quantum or aws_braket."""
    plan: Plan = Plan.PAY_AS_YOU_GO
    """What it was bought as; ibm_quantum accounts are on the open plan when absent."""
    allowance: Allowance | None = None
    """Quantum time that it may use; the plan's own when absent."""
    credentials: AccountCredentials | None = None
    """Where its credentials lie; what the provider's own library finds in environment and home when absent."""
    namespaces: tuple[Namespace, ...] | None = None
    """Who may use it; all when absent."""
    instance: Line | None = None
    """CRN of the IBM Quantum instance; the secret's, or the provider's choice, when absent."""
    channel: Line | None = None
    """Channel of qiskit-ibm-runtime; its own default when absent."""
    region: Line | None = None
    """AWS region; the secret's, or the environment's, when absent."""
    bucket: Line | None = None
    """Where Braket puts its results, `s3://bucket/prefix`; Braket's default bucket when absent."""
    endpoint: Line | None = None
    """Address of the provider's service, where it is not the public one."""
    limits: Limits | None = None
    """How fast jobs are handed over; the provider's documented limits when absent."""

    @model_validator(mode="before")
    @classmethod
    def _open_unless_said(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and data.get("provider") == BackendType.IBM_QUANTUM and "plan" not in data:
            return {**data, "plan": Plan.OPEN}
        return data

    @model_validator(mode="after")
    def _is_remote(self) -> Self:
        if self.provider not in REMOTE:
            refuse("provider", self.provider.value, f"{self.provider.value} needs no account")
        return self

    @property
    def effective_allowance(self) -> Allowance | None:
        return self.allowance or PLAN_ALLOWANCES.get(self.plan)

    @property
    def effective_limits(self) -> Limits:
        return self.limits or PROVIDER_LIMITS[self.provider]

    def serves(self, namespace: str) -> bool:
        """Whether the jobs of `namespace` may run under this account."""
        return self.namespaces is None or namespace in self.namespaces


class SimulatedDevice(Model):
    """A device that `ibm_simulator` models, from snapshots of its configuration and its properties."""

    name: Line
    """What jobs call it, in `spec.backend.name`."""
    type: Literal["ibm_simulator"] = "ibm_simulator"
    """Kind of backend."""
    configuration: Path
    """JSON file, as `backend.configuration().to_dict()` gives it."""
    properties: Path
    """JSON file, as `backend.properties().to_dict()` gives it."""


class Tenant(Model):
    """What the jobs of one namespace may have; what is absent has no limit."""

    namespace: Namespace
    """Whose jobs."""
    weight: Annotated[Number, Range(0.001, 1000)] = 1.0
    """Its share of the workers beside that of other namespaces: twice the weight is given twice the turns."""
    concurrency: Annotated[int, Range(0)] | None = None
    """Jobs that may run at a time, here and at providers; 0: none is started."""
    waiting: Annotated[int, Range(0)] | None = None
    """Jobs that may wait to be run; one more is refused."""
    shots_per_day: Annotated[int, Range(0)] | None = None
    """Shots that may be asked for in a day of UTC."""
    retention: Retention | None = None
    """How long things of this namespace are kept."""


class Security(StrEnum):
    """How a connection to a mail server is encrypted."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


SMTP_PORTS = {Security.STARTTLS: 587, Security.TLS: 465, Security.NONE: 25}


class Smtp(Model):
    """The mail server that alerts are handed to."""

    host: Annotated[str, Text(r"^[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?$", 253, "the name or address of a host")]
    """Name or address of the server."""
    port: Annotated[int, Range(1, 65535)] | None = None
    """Its port; 587 with starttls, 465 with tls, 25 with none when absent."""
    security: Security = Security.STARTTLS
    """starttls (nothing is sent to a server that does not offer it), tls from the first byte, or none."""
    sender: Email = Field(alias="from")
    """Address that alerts come from."""
    credentials: AccountCredentials | None = None
    """Secret with the keys username and password; nobody logs in when absent."""

    @model_validator(mode="after")
    def _no_password_in_the_clear(self) -> Self:
        if self.credentials is not None and self.security is Security.NONE:
            refuse("security", "none", "a password is not sent without encryption: use starttls or tls")
        return self

    @property
    def effective_port(self) -> int:
        return self.port or SMTP_PORTS[self.security]


class Webhooks(Model):
    """How alerts that are posted to webhooks are signed."""

    signing_secret: Name
    """Name of the secret, in the namespace of each budget, whose `key` signs: no namespace can sign for another."""


class Alerts(Model):
    """How alerts of budgets reach people."""

    smtp: Smtp | None = None
    """The mail server; no e-mail is sent when absent."""
    webhooks: Webhooks | None = None
    """How webhooks are signed; not at all when absent."""


class WorkerSize(Model):
    """What one worker of a class can give to one simulation."""

    memory: PositiveQuantity
    """Memory in bytes ("16Gi")."""
    cpu: PositiveQuantity
    """Cores ("4")."""


class Workers(Model):
    """How large the workers of each class are, so that a job may wait for a class of which none runs: an autoscaler
    starts one then. What is absent is known by the workers that run."""

    small: WorkerSize | None = None
    """Simulations of fewer than 10 qubits (queue `execution`)."""
    medium: WorkerSize | None = None
    """10 to 19 qubits (`execution.medium`)."""
    large: WorkerSize | None = None
    """20 to 29 qubits (`execution.large`)."""
    huge: WorkerSize | None = None
    """30 qubits and more (`execution.huge`)."""

    def sizes(self) -> Iterator[tuple[Queue, WorkerSize]]:
        """The classes whose size is given, by their queue."""
        given = (self.small, self.medium, self.large, self.huge)
        return ((queue, size) for queue, size in zip(SIMULATION, given, strict=True) if size is not None)


class Config(Model):
    """What the file says."""

    accounts: tuple[Account, ...] = Field(default_factory=tuple)
    """The accounts, in the order in which `--api-key-index` counts them."""
    backends: tuple[SimulatedDevice, ...] = Field(default_factory=tuple)
    """Devices of one's own for `ibm_simulator`."""
    tenants: tuple[Tenant, ...] = Field(default_factory=tuple)
    """Shares and quotas of namespaces."""
    retention: Retention = Field(default_factory=Retention)
    """How long things are kept, in every namespace of which `tenants` says nothing else."""
    prices: tuple[Price, ...] = Field(default_factory=tuple)
    """Prices in place of the providers' list prices; where several fit, the last one counts."""
    workers: Workers = Field(default_factory=Workers)
    """How large the workers of each class are."""
    alerts: Alerts = Field(default_factory=Alerts)
    """How alerts of budgets are sent."""

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        for field, named in (("accounts", self.accounts), ("backends", self.backends)):
            names = [each.name for each in named]
            for name in names:
                if names.count(name) > 1:
                    refuse(field, name, f"there are two {field} called {name}")
        return self

    @model_validator(mode="after")
    def _tenants_are_unique(self) -> Self:
        namespaces = [tenant.namespace for tenant in self.tenants]
        for namespace in namespaces:
            if namespaces.count(namespace) > 1:
                refuse("tenants", namespace, f"there are two tenants called {namespace}")
        return self

    def account(self, name: str) -> Account | None:
        return next((account for account in self.accounts if account.name == name), None)

    def kept(self, namespace: str | None) -> Kept:
        """How long things of a namespace are kept; for None, what belongs to none."""
        own = next((tenant.retention for tenant in self.tenants if tenant.namespace == namespace), None)
        return kept(own, self.retention)

    def longest_objects(self) -> float | None:
        """The most seconds for which the objects of any namespace are kept after a job's end; None: for ever."""
        lengths = [self.kept(namespace).objects for namespace in (None, *(each.namespace for each in self.tenants))]
        known = [seconds for seconds in lengths if seconds is not None]
        return max(known) if len(known) == len(lengths) else None

    def reserves(self, *, namespace: str, name: str) -> bool:
        """Whether a secret is an account's or the mail server's, and so no job's."""
        users: list[Account | Smtp] = [*self.accounts, *filter(None, [self.alerts.smtp])]
        return any(
            (user.credentials.secret_ref.namespace, user.credentials.secret_ref.name) == (namespace, name)
            for user in users
            if user.credentials is not None
        )


def load_config(path: Path | None) -> Config:
    """The file at `path`; an empty one where none is named. A file that changed is read again.

    Raises InvalidInput (`InvalidConfig`) that names every problem.
    """
    if path is None:
        return Config()
    try:
        return _load(path, path.stat().st_mtime_ns)
    except OSError as error:
        raise InvalidInput(
            f"QTASKS_CONFIG, {path}, cannot be read: {error.strerror}.", reason="InvalidConfig"
        ) from None


@lru_cache(maxsize=4)
def _load(path: Path, _changed: int) -> Config:
    try:
        documents: Sequence[Any] = [document for document in read(path.read_text("utf-8")) if document is not None]
        if len(documents) > 1:
            raise invalid([plain(f"these are {len(documents)} documents; one is wanted")])
        return Config.model_validate(documents[0] if documents else {})
    except UnicodeDecodeError as error:
        found = invalid([plain(f"this is not UTF-8 text (byte {error.start})")])
    except ValidationError as error:
        found = invalid(problems_of(error, Config))
    except InvalidInput as error:
        found = error
    raise InvalidInput(
        f"QTASKS_CONFIG, {path}: {found.message}", reason="InvalidConfig", hint=found.hint, details=found.details
    )
