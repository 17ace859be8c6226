"""Every option, with its default, its unit and its hazard; read from `QTASKS_*` environment variables."""

from __future__ import annotations

import os
import re
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import (
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from qtasks.errors import InvalidInput
from qtasks.setting_files import read_files

_FILES = "from files"
"""What was read from files, on its way from its source to the settings; no variable can have this name."""

_SOURCE_HOST = re.compile(r"((\*\.)?[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")


class Settings(BaseSettings):
    """The options of one process; `Settings()` reads the environment, keyword arguments override it.

    `QTASKS_<SETTING>_FILE` names a file that holds the value of any of them. Raises ValidationError, and InvalidInput
    (`InvalidSettings`) where a file cannot be read.
    """

    model_config = SettingsConfigDict(env_prefix="QTASKS_", frozen=True, extra="ignore")

    _from_files: dict[str, tuple[Path, Any]] = PrivateAttr(default_factory=dict)
    """Settings that were read from files, by name: the file, and the value as it was then."""

    home: Path = Field(Path("~/.qtasks"), description="Folder of the embedded default: database, Redis, objects, logs.")
    database_url: str = Field(
        "", description="SQLAlchemy address of the database; empty: SQLite in the home. `postgresql+psycopg://…`"
    )
    broker_url: str = Field(
        "", description="Address of Redis; empty: an embedded one on a Unix socket in the home. `redis://…`"
    )
    object_store_url: str = Field(
        "",
        description="Where inputs and results lie; empty: a folder in the home. `file://…`, `s3://bucket/prefix`, "
        "`gs://bucket/prefix`",
    )
    configmaps_dir: Path | None = Field(
        None, description="Folder of ConfigMaps outside a cluster: `<namespace>/<name>/<key>`; empty: one in the home."
    )
    volumes_dir: Path | None = Field(
        None,
        description="Folder under which claims are mounted, `<namespace>/<claim>/`, for outputs of type pvc, on every "
        "worker; empty: one in the home, where claims are made as they are named.",
    )
    config: Path | None = Field(
        None, description="YAML file with the accounts that jobs may run under; see docs/providers.md."
    )
    api_url: str = Field(
        "",
        description="Address of a qtasks API, such as `https://qtasks.example`, that clients speak to. Empty: they "
        "reach the installation themselves.",
    )
    api_insecure: bool = Field(
        False,
        description="Whether QTASKS_API_TOKEN is sent over http to another host than loopback, where anybody on the "
        "way can read it.",
    )
    api_token: SecretStr | None = Field(
        None,
        description="Token of the principal that asks, where there are principals (`qtasks auth token`); never shown.",
    )

    # Claims. Start-up refuses combinations under which a living worker could lose its job.
    lease_seconds: float = Field(
        30.0,
        gt=0,
        description="Seconds a claim is good for without renewal. Longer: a killed worker's job waits longer.",
    )
    heartbeat_seconds: float = Field(10.0, gt=0, description="Seconds between renewals; at most a third of the lease.")
    max_takeovers: int = Field(
        3, ge=0, description="How often a job whose process died is taken up again before it fails as `WorkerLost`."
    )
    batch_size: int = Field(
        200, ge=1, le=1000, description="Small jobs of one namespace taken together. Larger: urgent work waits longer."
    )
    ageing_seconds: float = Field(
        600.0, gt=0, description="Seconds of waiting that lift a job one priority level, so that `low` never starves."
    )

    # The periodic work.
    reconcile_seconds: float = Field(10.0, gt=0, description="Seconds between looks for lost hints and expired leases.")
    hint_grace_seconds: float = Field(
        15.0,
        ge=0,
        description="Seconds a job may wait unclaimed before its hint is taken for lost and published again.",
    )

    retention_seconds: float = Field(
        60.0,
        gt=0,
        description="Seconds between looks for what is to be kept no longer: see docs/retention.md. A look takes about "
        "ten seconds at most; what is left is for the next one.",
    )

    # Jobs at a provider.
    poll_seconds: float = Field(
        5.0,
        gt=0,
        description="Least seconds between two looks at an account's jobs, and between looks for due accounts.",
    )
    poll_longest_seconds: float = Field(
        300.0, gt=0, description="Most seconds between two looks at an account with jobs at its provider."
    )
    doubt_seconds: float = Field(
        30.0,
        ge=0,
        description="Seconds before a submission without an answer, whose job is not at the provider, is tried again. "
        "Shorter: a request that is still on its way may make a second job, which is then cancelled.",
    )
    session_idle_seconds: float = Field(
        60.0, gt=0, description="Seconds without a job after which a provider's session is closed."
    )

    # The worker.
    stop_seconds: float = Field(
        10.0,
        ge=0,
        description="Seconds that SIGTERM lets a worker's running jobs go on; what has not ended then is for another "
        "worker. Whoever stops workers waits 20 s longer before SIGKILL (terminationGracePeriodSeconds, "
        "stop_grace_period).",
    )
    deliver_at_once: bool = Field(
        True,
        description="Whether the worker that completes a job also delivers its output (`spec.output`). False: only "
        "`polling` workers do, a few seconds later, so that execution needs no way out of its network.",
    )
    worker_memory: str = Field(
        "",
        description="Memory one worker may give to simulation, such as `16Gi`; empty: 80 % of the machine or cgroup.",
    )
    worker_threads: int = Field(
        0, ge=0, description="Threads that the simulations of one worker share; 0: as many as it may run on."
    )
    simulator_gpu: bool = Field(
        False,
        description="Whether simulations run on a GPU where Aer can; what it cannot, or has no room for, runs on the "
        "processors. It takes Aer's CUDA build (the image worker-gpu, where it is on).",
    )
    simulator_rate: Decimal = Field(
        Decimal(0), ge=0, description="US dollars charged for a second of simulation; 0: free."
    )

    # The sandbox for circuit sources.
    sandbox: Literal["strict", "permissive"] | None = Field(
        None,
        description="`strict`: no source is run where the platform lacks a layer of the sandbox. `permissive`: it is "
        "run with the layers that there are. Empty: strict, and permissive in the embedded stack.",
    )
    sandbox_memory: str = Field("2Gi", description="Memory one circuit source may use, beyond the warm process.")
    sandbox_socket: Path | None = Field(
        None, description="Unix socket of a sandbox that runs elsewhere (a sidecar); empty: each worker starts its own."
    )

    # The cache of validation.
    validation_cache_seconds: float = Field(
        86_400.0,
        ge=1,
        description="Seconds that the broker's Redis keeps what validation found, so that a source is not run again.",
    )
    validation_cache_entries: int = Field(
        10_000,
        ge=0,
        description="Most circuits whose validation is kept, each of at most 32 KiB; 0: none, every source runs anew.",
    )

    # Sizes.
    max_input_bytes: int = Field(8 * 2**20, gt=0, description="Largest circuit input accepted, in bytes.")
    inline_input_bytes: int = Field(
        16 * 2**10, ge=0, description="Inputs up to this many bytes live in their row; larger ones in the object store."
    )
    counts_summary_bytes: int = Field(
        8 * 2**10, ge=0, description="Counts up to this many bytes of JSON are also kept in the result's row."
    )

    output_retry_seconds: float = Field(
        86_400.0,
        ge=0,
        description="Seconds for which a copy of a result (`spec.output`) that cannot be delivered is tried again.",
    )

    # Circuits that are fetched, and the secrets that this may need.
    secrets_dir: Path | None = Field(
        None,
        description="Folder of secrets, `<namespace>/<name>/<key>`; empty: the cluster's in a pod and where KUBECONFIG "
        "is set, else a folder in the home. A job reaches only those of its own namespace.",
    )
    source_hosts: str = Field(
        "",
        description="Hosts inside the network that circuits may be fetched from, and results, alerts and notices sent "
        "to, with commas between: `host`, `host:port`, `*.corp.example`. Empty: none. Every tenant's jobs reach them.",
    )
    source_http: bool = Field(
        False,
        description="Whether circuits may be fetched, and results sent, over http, where anybody on the way can read "
        "and change them.",
    )

    # The embedded stack.
    embedded_idle_seconds: float = Field(
        600.0, gt=0, description="Seconds without a client and without a waiting job until the embedded stack stops."
    )
    embedded_workers: int = Field(
        0, ge=0, description="Pool processes of the embedded worker; 0: one per processor it may run on."
    )

    # The API server.
    api_host: str = Field(
        "127.0.0.1",
        description="Address that `qtasks api` listens on. Any but loopback: let only those reach it who may, or set "
        "principals up first (`qtasks auth`).",
    )
    api_port: int = Field(8000, ge=0, le=65535, description="Port that `qtasks api` listens on; 0: one that is free.")
    api_workers: int = Field(1, ge=1, le=256, description="Processes of `qtasks api`, all on the same port.")
    api_tls_cert: Path | None = Field(
        None, description="PEM file of the server's certificate, with those between it and its authority; empty: http."
    )
    api_tls_key: Path | None = Field(None, description="PEM file of the certificate's private key.")
    api_tls_client_ca: Path | None = Field(
        None,
        description="PEM file of authorities; clients must then show a certificate of theirs. Empty: none is asked.",
    )
    api_hosts: str = Field(
        "",
        description="Host names that requests may be addressed to, with commas between, `*.example.org` for all below; "
        "`*`: any. Empty: in the embedded stack those of loopback, so that no page reaches it by a name of its own; "
        "else any. Probes and `/metrics` are answered under any but in the embedded stack.",
    )
    api_cors_origins: str = Field(
        "",
        description="Web origins whose scripts may use the API, as `https://lab.example.org`, with commas between. "
        "Empty: none.",
    )
    api_proxies: str = Field(
        "",
        description="Addresses or networks of proxies whose X-Forwarded-For and -Proto are believed, with commas "
        "between. Empty: none; anybody could otherwise pretend to be anybody.",
    )
    api_rate: str = Field(
        "1000/second",
        description="Requests of a principal, or of an address without a token, as in `100/minute`; `none`: no limit.",
    )
    api_idle_seconds: float = Field(
        15.0, gt=0, description="Seconds that a client may take to send its headers, and between two parts of a body."
    )
    flower_url: str = Field("", description="Address of Flower for the link on the page; empty: no link.")
    flower_auth_file: Path | None = Field(
        None,
        description="File of those who may use Flower, `user:password` a line; empty: anybody who reaches it, and then "
        "`qtasks flower` listens on loopback alone.",
    )

    # The Kubernetes operator.
    operator_namespaces: str = Field(
        "",
        description="Namespaces whose resources `qtasks operator` serves, with commas between; its Role has to be "
        "bound in each. Empty: all, which takes a ClusterRole.",
    )

    # Metrics and probes.
    metrics_host: str = Field(
        "127.0.0.1", description="Address that workers and beat answer `/metrics`, `/healthz` and `/readyz` on."
    )
    metrics_port: int = Field(
        0,
        ge=0,
        le=65535,
        description="Port of that address, one for each worker and beat; 0: none, and nothing is counted. The API has "
        "all three on its own port.",
    )
    metrics_token: SecretStr | None = Field(
        None,
        description="Token that `/metrics` asks for, of the API too, as `Authorization: Bearer …`; empty: whoever "
        "reaches it may read it. Never shown.",
    )
    probe_seconds: float = Field(
        60.0,
        gt=0,
        description="Seconds that a worker or beat may make no progress before its `/healthz` says 503, and whoever "
        "looks after it starts it again. Shorter: a loaded machine looks hung.",
    )

    # What processes say of themselves.
    log_format: Literal["auto", "text", "json"] = Field(
        "auto", description="Form of the lines on stderr: `json`, `text`, or `auto`: text on a terminal, else JSON."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least level of the lines on stderr. `debug` tells of every message and every request."
    )
    traces: bool = Field(
        False,
        description="Whether each job is traced, with `qtasks[otel]`; where spans go is said by OpenTelemetry's own "
        "OTEL_* variables. See docs/logs.md.",
    )

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *others: Any, **sources: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Keyword arguments, then the environment's values, then its files."""
        assert isinstance(init_settings, InitSettingsSource), "pydantic-settings makes it so"
        asked = [name for name in cls.model_fields if name not in init_settings.init_kwargs]
        files = InitSettingsSource(settings_cls, {_FILES: read_files(os.environ, asked)})
        return init_settings, sources["env_settings"], files

    @model_validator(mode="wrap")
    @classmethod
    def _with_files(cls, values: dict[str, Any], validated: ModelWrapValidatorHandler[Self]) -> Self:
        files = values.pop(_FILES, {})
        found = validated(values | {name: text for name, (_, text) in files.items()})
        found._from_files = {name: (path, getattr(found, name)) for name, (path, _) in files.items()}
        return found

    @model_validator(mode="before")
    @classmethod
    def _empty_means_unset(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in values.items() if value != ""}

    @field_validator("source_hosts")
    @classmethod
    def _hosts_can_be_read(cls, hosts: str) -> str:
        for entry in filter(None, map(str.strip, hosts.split(","))):
            if not _SOURCE_HOST.fullmatch(entry):
                raise ValueError(f"{entry!r} is not of the form host, host:port, *.domain or [IPv6 address]")
        return hosts

    @model_validator(mode="after")
    def _lease_outlives_missed_heartbeats(self) -> Settings:
        if self.heartbeat_seconds * 3 > self.lease_seconds:
            raise ValueError(
                f"QTASKS_HEARTBEAT_SECONDS={self.heartbeat_seconds:g} must be at most a third of "
                f"QTASKS_LEASE_SECONDS={self.lease_seconds:g}: a living worker would lose its jobs"
            )
        return self

    @property
    def home_path(self) -> Path:
        return self.home.expanduser().absolute()

    @property
    def sandbox_permissive(self) -> bool:
        """Whether sources run where the platform lacks a layer: in the embedded stack they are the user's own."""
        return self.embedded if self.sandbox is None else self.sandbox == "permissive"

    @property
    def embedded(self) -> bool:
        """Whether this process starts or joins the stack in the home: no broker and no API was named."""
        return not self.broker_url and not self.api_url

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite:///{self.home_path / 'qtasks.db'}"

    @property
    def broker(self) -> str:
        """The broker's address as redis-py takes it (`redis://…` or `unix://…`)."""
        return self.broker_url or f"unix://{self.redis_socket}?db=0"

    @property
    def redis_socket(self) -> Path:
        """The embedded Redis's socket; under /run or /tmp when the home's path is too long for one (107 bytes)."""
        near = self.home_path / "run" / "redis.sock"
        if len(os.fsencode(near)) < 100:
            return near
        return runtime_dir(self.home_path) / "redis.sock"

    @property
    def object_store(self) -> str:
        return self.object_store_url or (self.home_path / "objects").as_uri()

    @property
    def configmaps(self) -> Path:
        return self.configmaps_dir or self.home_path / "configmaps"

    @property
    def volumes(self) -> Path:
        return self.volumes_dir or self.home_path / "volumes"

    @property
    def config_file(self) -> Path | None:
        """The file of accounts: the one named, else `config.yaml` in the home where there is one."""
        if self.config is not None:
            return self.config
        own = self.home_path / "config.yaml"
        return own if own.exists() else None

    @property
    def prices_file(self) -> Path:
        """The file of prices that were refreshed, if there is one."""
        return self.home_path / "prices.yaml"

    @property
    def secrets(self) -> Path:
        return self.secrets_dir or self.home_path / "secrets"

    def environment(self) -> dict[str, str]:
        """These settings as environment variables, for the processes that this one starts, beside its own variables.

        What was read from a file is read there again: a secret is not put into an environment.
        """
        values = self.model_dump(mode="json", exclude_defaults=True, exclude={"api_token", "metrics_token"})
        values["home"] = str(self.home_path)
        named = {}
        for name in set(values) | set(self._from_files):
            path, read = self._from_files.get(name, (None, None))
            if path is not None and getattr(self, name) == read:
                values.pop(name, None)
                named[f"QTASKS_{name.upper()}_FILE"] = str(path.absolute())
            elif f"QTASKS_{name.upper()}_FILE" in os.environ:
                named[f"QTASKS_{name.upper()}_FILE"] = ""  # else the child would have both, and refuse to start
        return named | {f"QTASKS_{name.upper()}": str(value) for name, value in values.items() if value is not None}


def runtime_dir(home: Path) -> Path:
    """A short folder of this user's for the sockets of `home`."""
    import hashlib
    import tempfile

    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"qtasks-{os.getuid()}-{digest}"


@lru_cache(maxsize=1)
def settings() -> Settings:
    """This process's settings, read once.

    Raises InvalidInput (reason `InvalidSettings`) naming the variable that is wrong.
    """
    try:
        return Settings()
    except ValidationError as error:
        problems = "; ".join(
            f"{'QTASKS_' + '_'.join(map(str, e['loc'])).upper() + ': ' if e['loc'] else ''}"
            f"{e['msg'].removeprefix('Value error, ')}"
            for e in error.errors()
        )
        raise InvalidInput(problems, reason="InvalidSettings", hint="See docs/settings.md.") from None
