"""A result as QPY and as a pickle: what Qiskit itself reads. Both are written here and never read back."""

from __future__ import annotations

import io
import pickle
import warnings
from typing import Any

from qtasks.errors import InvalidInput
from qtasks.results.formats import values
from qtasks.results.model import JobResult

PICKLE_PROTOCOL = 4
_VERSION_BYTE = 6


def as_qpy(result: JobResult, circuit: bytes | None) -> bytes:
    """The circuit that the counts are of, with the result as its metadata; `qiskit.qpy.load` reads it.

    `circuit`: the checked circuit, QPY that qtasks itself wrote; **never bytes from outside**. It holds one circuit for
    each PUB, or one that all PUBs share, which is then there once for each. Each has in `metadata["qtasks"]` what the
    format json has: job_id, pub (its number), counts and shots (or evs and stds), and provenance. Raises InvalidInput
    (`CircuitNotKept`).
    """
    if circuit is None:
        raise InvalidInput(
            f"No one circuit of job {result.job_id} is kept beside its result, so there is nothing to write as qpy.",
            reason="CircuitNotKept",
            hint="Use json, csv or pickle.",
        )
    from qiskit import qpy

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a file by another Qiskit; what it cannot read is an error anyway
        loaded = qpy.load(io.BytesIO(circuit))
    if len(loaded) != len(result.pubs):
        loaded = [loaded[0].copy() for _ in result.pubs]
    provenance = result.provenance.to_dict()
    for number, (one, pub) in enumerate(zip(loaded, result.pubs, strict=True)):
        about = {"job_id": result.job_id, "pub": number, **values(pub), "provenance": provenance}
        one.metadata = {**(one.metadata or {}), "qtasks": about}
    out = io.BytesIO()
    qpy.dump(loaded, out, version=circuit[_VERSION_BYTE])
    return out.getvalue()


def as_pickle(result: JobResult) -> bytes:
    """A dictionary of job_id, result (`qiskit.primitives.PrimitiveResult`) and what the format json has: counts and
    shots (or evs and stds; a list `pubs` of them for several PUBs) and provenance. Equal results give equal bytes.

    Raises InvalidInput (`RegisterNameTaken`).
    """
    content: dict[str, Any] = {
        "job_id": result.job_id,
        "result": result.to_primitive_result(),
        **(values(result.pubs[0]) if len(result.pubs) == 1 else {"pubs": [values(pub) for pub in result.pubs]}),
        "provenance": result.provenance.to_dict(),
    }
    out = io.BytesIO()
    pickler = pickle.Pickler(out, PICKLE_PROTOCOL)
    # No memo: by it the bytes would tell which equal texts happen to be one object. Nothing here holds itself.
    pickler.fast = True
    pickler.dump(content)
    return out.getvalue()
