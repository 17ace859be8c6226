"""Which namespace a resource is kept in, or a job submitted to. Pure."""

from __future__ import annotations

from qtasks.resources import Metadata


def own_namespace(metadata: Metadata) -> str | None:
    """The namespace that a resource names; None where it leaves that to whoever hands it over."""
    return metadata.namespace if "namespace" in metadata.model_fields_set else None


def namespace_of(metadata: Metadata, given: str | None, otherwise: str = "default") -> str:
    """The namespace that counts: the one `given` with a resource, else its own, else `otherwise`. Raises InvalidInput
    for one that is no name."""
    if given is not None:
        return Metadata(namespace=given).namespace
    return own_namespace(metadata) or otherwise
