"""A run becomes one durable job."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qtasks.primitives.options import Options, document

if TYPE_CHECKING:
    from qtasks.client import Client, Job
    from qtasks.primitives.container import Payload

CIRCUITS = "qtasks.io/circuits"
"""The annotation with what circuits are called and their metadata, a JSON list with an entry for each PUB: QPY in the
queue has no metadata, and a process that reads a stored job must not load its QPY."""
_LONGEST = 2**18
"""Characters that an annotation may have."""


def submit(
    client: Client,
    program: str,
    payload: Payload,
    options: Options,
    where: Mapping[str, Any] | None,
    *,
    named: bool = False,
) -> Job:
    """Submit a run; `where` is as `spec.backend`. With `named`, what the circuits are called is kept with the job even
    where they have no metadata. Raises what `Client.submit` does."""
    kept = named or any(circuit.get("metadata") for circuit in payload.circuits)
    resource = document(
        program,
        payload.circuit,
        options,
        shots=payload.shots,
        backend=where,
        annotations=_note(payload.circuits) if kept else {},
    )
    return client.submit(resource, namespace=options.namespace)


def circuits_of(job: Mapping[str, Any]) -> list[dict[str, Any]]:
    """`{name, metadata}` of each circuit of a job's document; empty where it was not kept."""
    text = job.get("metadata", {}).get("annotations", {}).get(CIRCUITS)
    try:
        found = json.loads(text) if text is not None else []
    except ValueError:  # anyone may write annotations
        return []
    return [entry if isinstance(entry, dict) else {} for entry in found] if isinstance(found, list) else []


def _note(circuits: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Nothing where it is too long to be kept: the handle of the run has it all the same."""
    text = json.dumps(list(circuits), separators=(",", ":"))
    return {CIRCUITS: text} if len(text) <= _LONGEST else {}
