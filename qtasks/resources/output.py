"""Where a copy of a job's result is written for its user."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Self

from pydantic import model_validator

from qtasks.resources.metadata import Credentials
from qtasks.resources.model import Model, Text
from qtasks.resources.names import SUBDOMAIN_PATTERN, Line
from qtasks.resources.problems import nearest, refuse


class OutputType(StrEnum):
    """Kinds of places that a result can be written to."""

    CONFIGMAP = "configmap"
    PVC = "pvc"
    S3 = "s3"
    GCS = "gcs"


class OutputFormat(StrEnum):
    """How the result is written."""

    JSON = "json"
    PICKLE = "pickle"
    QPY = "qpy"
    CSV = "csv"


FilePath = Annotated[str, Text(r"^[^\x00\\]*[^\x00\\/]$", 1024, "a file's path inside of the volume")]

TEMPLATES = ("namespace", "name", "job_id", "format", "date")
"""What may stand in braces in a location and a path; it is filled in when the result is written."""

_BRACES = re.compile(r"\{([^{}]*)\}")

# How a location must look, by type, once what is in braces was filled in.
LOCATIONS = {
    OutputType.CONFIGMAP: (SUBDOMAIN_PATTERN, "the name of a ConfigMap"),
    OutputType.PVC: (SUBDOMAIN_PATTERN, "the name of a PersistentVolumeClaim"),
    OutputType.S3: (r"^s3://[^/\s]+(/.*)?$", "an address of the form s3://bucket/prefix"),
    OutputType.GCS: (r"^gs://[^/\s]+(/.*)?$", "an address of the form gs://bucket/prefix"),
}


class Output(Model):
    """Where a copy of the result is written; the queue keeps its own anyway."""

    type: OutputType = OutputType.CONFIGMAP
    """Kind of place."""
    location: Line
    """ConfigMap name, PersistentVolumeClaim name, s3://bucket/prefix or gs://bucket/prefix; {namespace}, {name},
    {job_id}, {format} and {date} are filled in."""
    path: FilePath | None = None
    """Path of the file inside of the volume, for type pvc, with the same fields; made from the job's id when absent."""
    format: OutputFormat = OutputFormat.JSON
    """How the result is written."""
    credentials: Credentials | None = None
    """Credentials for the output alone; the job's own when absent."""

    @model_validator(mode="after")
    def _fits_type(self) -> Self:
        _check_templates("location", self.location)
        pattern, meaning = LOCATIONS[self.type]
        if not re.search(pattern, _BRACES.sub("xxx", self.location)):
            refuse("location", self.location, f"must be {meaning} for type {self.type}")
        if self.path is not None and self.type is not OutputType.PVC:
            refuse("path", self.path, f"belongs to type pvc, not to type {self.type}")
        if self.path is not None:
            _check_templates("path", self.path)
        if self.path is not None and ".." in self.path.split("/"):
            refuse("path", self.path, "must stay inside of the volume")
        return self


def _check_templates(field: str, text: str) -> None:
    known = ", ".join(f"{{{name}}}" for name in TEMPLATES)
    for name in _BRACES.findall(text):
        if name not in TEMPLATES:
            like = nearest(name, TEMPLATES)
            hint = f'; did you mean "{{{like}}}"?' if like else ""
            refuse(field, text, f"{{{name[:40]}}} is not one of {known}{hint}")
    if re.search(r"[{}]", _BRACES.sub("", text)):
        refuse(field, text, f"braces are for one of {known}")
