"""Jobs and other resources from files and standard input, checked before anything is started or sent."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qtasks.errors import InvalidInput

if TYPE_CHECKING:
    from qtasks.resources import QiskitJob, Resource

_STDIN = "-"


def resources(paths: Sequence[str]) -> list[Resource]:
    """All resources of these files, in order; `-` is standard input. Raises InvalidInput, which names the file where
    there are several."""
    from qtasks.resources import load, load_text

    found: list[Resource] = []
    for path in paths:
        try:
            found += load_text(sys.stdin.read()) if path == _STDIN else load(Path(path))
        except InvalidInput as error:
            if len(paths) == 1:
                raise
            raise InvalidInput(f"{path}: {error.message}", reason=error.reason, hint=error.hint) from None
    return found


def jobs(found: Sequence[Resource], namespace: str | None) -> list[QiskitJob]:
    """The resources as jobs of `namespace`; raises InvalidInput for other kinds, and for a job that says it is of
    another namespace."""
    from qtasks.client.submission import jobs_of
    from qtasks.resources import dump

    checked = []
    for resource in found:
        # A document, since the client reads an object of another kind as a circuit.
        checked += jobs_of(dump(resource))
        own = resource.metadata.namespace
        if namespace is not None and "namespace" in resource.metadata.model_fields_set and own != namespace:
            raise InvalidInput(
                f"Job {resource.metadata.name or '(unnamed)'} is of namespace {own}, not {namespace}.",
                reason="NamespaceMismatch",
                hint="Leave out -n, or metadata.namespace.",
            )
    return checked
