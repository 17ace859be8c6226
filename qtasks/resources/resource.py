"""What the four kinds share: apiVersion, kind and metadata."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from qtasks.resources.metadata import Metadata
from qtasks.resources.model import Model


class Resource(Model):
    """A document that a user writes."""

    api_version: Literal["quantum.io/v1"] = "quantum.io/v1"
    """Version of the format."""
    kind: str
    """Kind of resource."""
    metadata: Metadata = Field(default_factory=Metadata)
    """Name, namespace, labels and annotations."""
    spec: Model
    """What is wanted."""
