"""Where a job's circuit comes from."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import ConfigDict, model_validator

from qtasks.resources.metadata import SecretRef
from qtasks.resources.model import Model, Text
from qtasks.resources.names import Branch, Commit, FileKey, Name, Repository, Sha256, Url
from qtasks.resources.problems import refuse


class CircuitSource(StrEnum):
    """Where the circuit's text is."""

    INLINE = "inline"
    CONFIGMAP = "configmap"
    GIT = "git"
    URL = "url"


class CircuitFormat(StrEnum):
    """How the circuit is written."""

    PYTHON = "python"
    QASM2 = "qasm2"
    QASM3 = "qasm3"
    QPY = "qpy"
    PUBS = "pubs"


Code = Annotated[str, Text(r"^[^\x00]*[^\s\x00][^\x00]*$", 2**24, "a circuit as text, at most 16 Mi characters")]
RepositoryPath = Annotated[str, Text(r"^[^/\x00\\][^\x00\\]*$", 1024, "a file's path inside of the repository")]


class ConfigMapRef(Model):
    """One key of a ConfigMap in the job's namespace."""

    name: Name
    """Name of the ConfigMap."""
    key: FileKey
    """Key in it whose value is the circuit."""


class GitRef(Model):
    """One file of a Git repository."""

    repository: Repository
    """Address of the repository, https:// or ssh://, without a password."""
    branch: Branch | None = None
    """Branch or tag; the repository's default branch when absent."""
    path: RepositoryPath
    """Path of the file inside of the repository."""
    commit: Commit | None = None
    """Commit to use, as 7 to 64 hexadecimal digits; the branch's latest when absent."""
    secret_ref: SecretRef | None = None
    """Secret with username and password, or token, for https; with ssh-privatekey, and known_hosts, for ssh."""

    @model_validator(mode="after")
    def _stays_inside(self) -> Self:
        if ".." in self.path.split("/"):
            refuse("path", self.path, "must stay inside of the repository")
        return self


# The field that each source reads, and that belongs to no other.
FIELDS = {
    CircuitSource.INLINE: "code",
    CircuitSource.CONFIGMAP: "configMapRef",
    CircuitSource.GIT: "gitRef",
    CircuitSource.URL: "url",
}


class Circuit(Model):
    """The circuit of a job: exactly the field of its source is set."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"properties": {"source": {"const": source.value}}, "required": [field]}
                for source, field in FIELDS.items()
            ]
        }
    )

    source: CircuitSource
    """Where the circuit's text is."""
    code: Code | None = None
    """The text itself, for source inline: Python, OpenQASM 2 or 3, QPY in base64, or the JSON of format pubs."""
    config_map_ref: ConfigMapRef | None = None
    """The ConfigMap that holds it, for source configmap."""
    git_ref: GitRef | None = None
    """The file that holds it, for source git."""
    url: Url | None = None
    """The address to fetch it from, for source url."""
    sha256: Sha256 | None = None
    """SHA-256 of what must be fetched, in hexadecimal, for source url; not checked when absent."""
    format: CircuitFormat | None = None
    """How the text is written; detected when absent. With pubs, for source inline only, it is JSON of several circuits,
    each with its values."""

    @model_validator(mode="after")
    def _fits_source(self) -> Self:
        given = {"code": self.code, "configMapRef": self.config_map_ref, "gitRef": self.git_ref, "url": self.url}
        for source, field in FIELDS.items():
            if source is not self.source and given[field] is not None:
                refuse(field, given[field], f"belongs to source {source}, not to source {self.source}")
        if given[FIELDS[self.source]] is None:
            refuse(FIELDS[self.source], None, f"required by source {self.source}")
        if self.sha256 is not None and self.source is not CircuitSource.URL:
            refuse("sha256", self.sha256, f"belongs to source url, not to source {self.source}")
        if self.format is CircuitFormat.PUBS and self.source is not CircuitSource.INLINE:
            refuse("format", self.format, f"belongs to source inline, not to source {self.source}")
        return self
