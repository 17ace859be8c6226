"""Jobs and other resources from files and standard input, checked before anything is started or sent."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qtasks.errors import InvalidInput

if TYPE_CHECKING:
    from qtasks.resources import QiskitBackend, QiskitBudget, QiskitJob, QiskitSession, Resource

    Kept = QiskitBackend | QiskitBudget | QiskitSession

SUFFIXES = (".yaml", ".yml", ".json")
"""Of files with resources."""
_STDIN = "-"


def resources(paths: Sequence[str], *, recursive: bool = False) -> list[Resource]:
    """All resources of these files, in order; `-` is standard input, a folder stands for its files of YAML and JSON,
    with `recursive` also for those below it. Raises InvalidInput, which names the file where there are several."""
    from qtasks.resources import load, load_text

    found: list[Resource] = []
    files = [file for path in paths for file in _files(path, recursive=recursive)]
    for path in files:
        try:
            found += load_text(sys.stdin.read()) if path == _STDIN else load(Path(path))
        except InvalidInput as error:
            if len(files) == 1:
                raise
            raise InvalidInput(f"{path}: {error.message}", reason=error.reason, hint=error.hint) from None
    return found


def _files(path: str, *, recursive: bool) -> list[str]:
    """The files that a path stands for. Raises InvalidInput (`NoResources`) for a folder without any."""
    folder = Path(path)
    if path == _STDIN or not folder.is_dir():
        return [path]
    below = folder.rglob("*") if recursive else folder.iterdir()
    found = sorted(str(file) for file in below if file.suffix in SUFFIXES and file.is_file())
    if not found:
        hint = "" if recursive else "-R looks into the folders below it as well."
        raise InvalidInput(f"There is no {', '.join(SUFFIXES)} file in {path}.", reason="NoResources", hint=hint)
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


def kept_and_jobs(found: Sequence[Resource], namespace: str | None) -> tuple[list[Kept], list[QiskitJob]]:
    """The resources as what is kept of `namespace`, backends, budgets and sessions in this order, and as its jobs,
    which may ask for those; raises InvalidInput as `jobs` does."""
    from qtasks.resources import QiskitBackend, QiskitBudget, QiskitSession

    kinds = (QiskitBackend, QiskitBudget, QiskitSession)
    kept: list[Kept] = [resource for kind in kinds for resource in found if isinstance(resource, kind)]
    for resource in kept:
        _require_namespace(resource, namespace)
    return kept, jobs([resource for resource in found if not isinstance(resource, kinds)], namespace)


def _require_namespace(resource: Resource, namespace: str | None) -> None:
    own = resource.metadata.namespace
    if namespace is not None and "namespace" in resource.metadata.model_fields_set and own != namespace:
        raise InvalidInput(
            f"{resource.kind.removeprefix('Qiskit')} {resource.metadata.name or '(unnamed)'} is of namespace {own}, "
            f"not {namespace}.",
            reason="NamespaceMismatch",
            hint="Leave out -n, or metadata.namespace.",
        )
