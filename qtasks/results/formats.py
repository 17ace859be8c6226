"""A result as a user asked for it: in `output.format`, on the command line, or over REST."""

from __future__ import annotations

import json
from typing import Any

from qtasks.errors import InvalidInput
from qtasks.results.encoding import decode, encode
from qtasks.results.model import JobResult, PubResult, SamplerPubResult

MEDIA_TYPES = {
    "json": "application/json",
    "csv": "text/csv",
    "qpy": "application/x-qpy",
    "pickle": "application/x-pickle",
}
"""The MIME type of each format; its name is the extension of a file in it."""

_METRICS = (
    "transpiled_depth",
    "transpiled_gates",
    "two_qubit_gates",
    "queue_seconds",
    "run_seconds",
    "total_seconds",
    "simulator_cost",
)


def render(result: JobResult, format: str = "json", circuit: bytes | None = None) -> bytes:  # noqa: A002 - the field's
    """The result in one of MEDIA_TYPES; the text formats are UTF-8 and end with a line's end.

    `json`: an indented object of job_id, counts (Qiskit's keys, sorted) and shots, metrics (those of the provenance
    that measure: gates, seconds, dollars) and provenance. An estimator has evs and stds instead of counts; a job of
    several PUBs has them in a list `pubs`; a PUB with counts for each point of a shape has `shape` and `points`, each
    with its index, in C order.

    `csv`: header `outcome,count`, sorted by outcome, or for an estimator `ev,std`, nothing where a value could not be
    had; with a column `index` before them for an estimator and where a PUB has a shape (its numbers, blanks between,
    none where there is one value), and `pub` before all when there are several.

    `qpy` and `pickle`: see `qtasks.results.binary`.

    `circuit`: the job's checked circuit in canonical QPY, which `qpy` alone needs. Raises InvalidInput
    (`FormatUnsupported`, `CircuitNotKept` for qpy without a circuit, `RegisterNameTaken` for pickle).
    """
    result = decode(encode(result))  # so that it has the same bytes before it was stored and after
    if format == "json":
        return _json(result)
    if format == "csv":
        return _csv(result)
    if format == "qpy":
        from qtasks.results.binary import as_qpy

        return as_qpy(result, circuit)
    if format == "pickle":
        from qtasks.results.binary import as_pickle

        return as_pickle(result)
    raise InvalidInput(
        f"Results are not written as {format[:40]!r}.",
        reason="FormatUnsupported",
        hint=f"Use one of {', '.join(MEDIA_TYPES)}.",
    )


def plain(result: JobResult) -> dict[str, Any]:
    """What `json` has, as plain data."""
    provenance = result.provenance.to_dict()
    document: dict[str, Any] = {"job_id": result.job_id}
    if len(result.pubs) == 1:
        document |= values(result.pubs[0])
    else:
        document["pubs"] = [values(pub) for pub in result.pubs]
    document["metrics"] = {name: provenance[name] for name in _METRICS}
    document["provenance"] = provenance
    return document


def values(pub: PubResult) -> dict[str, Any]:
    """What one PUB gave, as plain data: counts (or points with theirs) and shots, or evs and stds."""
    if not isinstance(pub, SamplerPubResult):
        data = pub.to_dict()
        return {"evs": data["evs"], "stds": data["stds"]}
    if not pub.shape:
        return {"counts": dict(sorted(pub.get_counts().items())), "shots": pub.shots}
    points = [{"index": list(index), "counts": dict(sorted(counts.items()))} for index, counts in pub.each()]
    return {"shape": list(pub.shape), "points": points, "shots": pub.shots}


def _json(result: JobResult) -> bytes:
    return (json.dumps(plain(result), indent=2, allow_nan=False) + "\n").encode()


def _csv(result: JobResult) -> bytes:
    several = len(result.pubs) != 1
    estimated = result.program == "estimator"
    indexed = estimated or any(isinstance(pub, SamplerPubResult) and pub.shape for pub in result.pubs)
    columns = ["pub"] * several + ["index"] * indexed + (["ev", "std"] if estimated else ["outcome", "count"])
    lines = [",".join(columns)]
    for number, pub in enumerate(result.pubs):
        for index, first, second in _rows(pub):
            lines.append(",".join([str(number)] * several + [index] * indexed + [first, second]))
    return "".join(f"{line}\n" for line in lines).encode()


def _rows(pub: PubResult) -> list[tuple[str, str, str]]:
    """Index, and outcome and count, or expectation value and standard deviation."""
    if isinstance(pub, SamplerPubResult):
        return [
            (" ".join(map(str, index)), outcome, str(count))
            for index, counts in pub.each()
            for outcome, count in sorted(counts.items())
        ]
    data = values(pub)
    stds = dict(_cells(data["stds"]))
    return [(index, _number(ev), _number(stds.get(index))) for index, ev in _cells(data["evs"])]


def _cells(data: Any, index: str = "") -> list[tuple[str, float | None]]:
    if not isinstance(data, list):
        return [(index, data)]
    return [cell for number, inner in enumerate(data) for cell in _cells(inner, f"{index} {number}".strip())]


def _number(value: float | None) -> str:
    return "" if value is None else repr(value)
