"""What every resource carries beside its spec: metadata, and references to secrets."""

from __future__ import annotations

from pydantic import Field

from qtasks.resources.model import Model
from qtasks.resources.names import LabelKey, LabelValue, Name, Namespace, Note


class Metadata(Model):
    """What a resource is called, and what its owner wants to find it by."""

    name: Name | None = None
    """Unique in its namespace; made on submit when absent."""
    namespace: Namespace = "default"
    """The tenant that owns the resource."""
    labels: dict[LabelKey, LabelValue] = Field(default_factory=dict)
    """Short values to select by."""
    annotations: dict[LabelKey, Note] = Field(default_factory=dict)
    """Any other text to keep with the resource."""


class SecretRef(Model):
    """A secret of the resource's own namespace."""

    name: Name
    """Name of the secret; its values are read only in the process that uses them."""


class Credentials(Model):
    """Where the credentials lie; never the credentials themselves."""

    secret_ref: SecretRef
    """The secret that holds them."""
