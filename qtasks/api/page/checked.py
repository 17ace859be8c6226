"""The circuits of a job as the sandbox wrote them: for pictures, and for results as QPY.

Only what the sandbox's second child wrote is read, as workers do; never what was submitted, which may be made to do
harm when it is read.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from qtasks.api.page.drawing.layout import Picture
from qtasks.api.page.drawing.reading import MOST_BYTES, picture
from qtasks.circuits.pubs import prepared
from qtasks.client.direct import Installation
from qtasks.errors import NotFound
from qtasks.store import jobs

log = logging.getLogger(__name__)

_MOST_PICTURES = 4
_MOST_PUBS_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture, and which of the job's circuits it is of; empty where there is but one."""

    title: str
    picture: Picture


def kept(installation: Installation, document: Mapping[str, Any]) -> bytes | None:
    """What the sandbox wrote of the job's circuit; None before that, and of one that is kept no longer. `document` is
    what `Gateway.describe` gave, so its caller may see the job."""
    if "circuit" not in document["status"]:
        return None
    with installation.store.read() as tx:
        payload = next(jobs.payload(tx, [document["metadata"]["uid"]]), None)
    if payload is None or (payload.qpy is None and payload.circuit_key is None):
        return None
    if payload.qpy is not None:
        return bytes(payload.qpy)
    try:
        return installation.objects.get(payload.circuit_key)
    except NotFound:
        return None


def is_several(circuit: bytes) -> bool:
    """Whether it is of a job of several circuits, and so no QPY."""
    return circuit.startswith(prepared.MAGIC)


def pictures(circuit: bytes | None, job_id: str) -> list[Drawn]:
    """A picture of the circuit, or of the first ones; none of what is too large to be looked at."""
    try:
        return [] if circuit is None else list(_pictures(circuit))
    except Exception:  # a circuit of a kind that nobody thought of: the rest of the page is worth having
        log.exception("the circuit of job %s cannot be drawn", job_id)
        return []


def _pictures(circuit: bytes) -> Iterator[Drawn]:
    for title, canonical in _each(circuit):
        found = picture(canonical) if len(canonical) <= MOST_BYTES else None
        if found is not None:
            yield Drawn(title, found)


def _each(circuit: bytes) -> Iterator[tuple[str, bytes]]:
    if not is_several(circuit):
        yield "", circuit
    elif len(circuit) <= _MOST_PUBS_BYTES:
        several = prepared.load(circuit)
        for number, pub in enumerate(several.pubs[:_MOST_PICTURES]):
            more = f", the first of {len(pub.points):,} points" if len(pub.points) > 1 else ""
            yield f"PUB {number}{more}", several.circuits[pub.points[0][0].circuit]
