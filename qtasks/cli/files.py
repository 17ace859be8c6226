"""Jobs and other resources from files and standard input, checked before anything is started or sent."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qtasks.errors import InvalidInput

if TYPE_CHECKING:
    from qtasks.resources import QiskitJob, QiskitSession, Resource

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
        _require_namespace(resource, namespace)
    return checked


def sessions_and_jobs(found: Sequence[Resource], namespace: str | None) -> tuple[list[QiskitSession], list[QiskitJob]]:
    """The resources as sessions and jobs of `namespace`; raises InvalidInput as `jobs` does."""
    from qtasks.resources import QiskitSession

    sessions = [resource for resource in found if isinstance(resource, QiskitSession)]
    for session in sessions:
        _require_namespace(session, namespace)
    return sessions, jobs([resource for resource in found if not isinstance(resource, QiskitSession)], namespace)


def _require_namespace(resource: Resource, namespace: str | None) -> None:
    own = resource.metadata.namespace
    if namespace is not None and "namespace" in resource.metadata.model_fields_set and own != namespace:
        raise InvalidInput(
            f"{resource.kind.removeprefix('Qiskit')} {resource.metadata.name or '(unnamed)'} is of namespace {own}, "
            f"not {namespace}.",
            reason="NamespaceMismatch",
            hint="Leave out -n, or metadata.namespace.",
        )
