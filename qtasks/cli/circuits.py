"""The circuits of a job's document, read as workers read them: in the sandbox, whose own QPY alone is loaded here."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qtasks.errors import InvalidInput

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

    from qtasks.circuits.sandbox import Source


def circuits_of(document: Mapping[str, Any]) -> list[QuantumCircuit]:
    """The circuits as they were written, parameters without values; of a job of several circuits, each once.

    Raises InvalidInput (`CircuitElsewhere`) for one that was fetched, and what the sandbox says of circuits.
    """
    from qtasks.circuits.formats import load_canonical

    sources, _ = _sources(document, {})
    return [load_canonical(data) for data in _checked(sources)]


def qpy_of(document: Mapping[str, Any]) -> bytes:
    """The circuits in one QPY file, one for each PUB; the parameters of a job of one circuit have their values. Raises
    as `circuits_of` does."""
    sources, order = _sources(document, document["spec"].get("execution", {}).get("parameters") or {})
    checked = _checked(sources)
    if len(order) == 1:
        return checked[order[0]]
    from qiskit import qpy

    from qtasks.circuits.formats import QPY_VERSION, load_canonical

    out = io.BytesIO()
    qpy.dump([load_canonical(checked[place]) for place in order], out, version=QPY_VERSION)
    return out.getvalue()


def _sources(document: Mapping[str, Any], values: Mapping[str, float]) -> tuple[list[Source], list[int]]:
    """What the sandbox is to read, and which of it each PUB runs."""
    from qtasks.circuits import pubs
    from qtasks.circuits.sandbox import Source

    spec = document["spec"]
    written = spec["circuit"]
    if "code" not in written:
        raise InvalidInput(
            f"The circuit of job {document['metadata']['name']} lies elsewhere (source {written['source']}).",
            reason="CircuitElsewhere",
            hint="Only circuits that came with their job can be read here.",
        )
    code, form = written["code"].encode(), written.get("format")
    if form == "pubs":
        found = pubs.parse(code, program=spec.get("program", "sampler"), shots=1)
        given = [(one.format, one.data) for one in found.circuits]
        order = [pub.circuit for pub in found.pubs]
    else:
        given, order = [(form, code)], [0]
    # Neither a drawing nor a file needs a measurement, or values for all parameters.
    sources = [
        Source(str(number), fmt, data, dict(values) or None, measured=False, bound=False)
        for number, (fmt, data) in enumerate(given)
    ]
    return sources, order


def _checked(sources: Sequence[Source]) -> list[bytes]:
    """Canonical QPY of each source."""
    from qtasks.circuits.sandbox import Rejected, Sandbox
    from qtasks.settings import settings

    with Sandbox(settings(), spares=0) as sandbox:
        answers = sandbox.check(sources)
    for answer in answers:
        if isinstance(answer, Rejected):
            raise answer.error()
    return [answer.qpy for answer in answers if not isinstance(answer, Rejected)]
