"""A result as a user asked for it in `output.format` or on the command line."""

from __future__ import annotations

import json
from typing import Any

from qtasks.errors import InvalidInput
from qtasks.results.model import EstimatorPubResult, JobResult, PubResult, SamplerPubResult

_METRICS = (
    "transpiled_depth",
    "transpiled_gates",
    "two_qubit_gates",
    "queue_seconds",
    "run_seconds",
    "total_seconds",
    "simulator_cost",
)


def render(result: JobResult, format: str = "json") -> bytes:  # noqa: A002 - the field's name
    """The result as `json` or `csv`, in UTF-8, ending with a line's end.

    `json`: an indented object of job_id, counts (Qiskit's keys, sorted) and shots, metrics (those of the provenance
    that measure: gates, seconds, dollars) and provenance. An estimator has evs and stds instead of counts; a job of
    several PUBs has them in a list `pubs`. `csv`: header `outcome,count`, sorted by outcome; with a first column `pub`
    when there are several. Raises InvalidInput (`FormatUnsupported`).
    """
    if format == "json":
        return _json(result)
    if format == "csv":
        return _csv(result)
    raise InvalidInput(
        f"This version of qtasks does not write results as {format!r}.",
        reason="FormatUnsupported",
        hint="Use json or csv; in Python, job.result().to_primitive_result() is Qiskit's own object.",
    )


def _json(result: JobResult) -> bytes:
    provenance = result.provenance.to_dict()
    document: dict[str, Any] = {"job_id": result.job_id}
    if len(result.pubs) == 1:
        document |= _values(result.pubs[0])
    else:
        document["pubs"] = [_values(pub) for pub in result.pubs]
    document["metrics"] = {name: provenance[name] for name in _METRICS}
    document["provenance"] = provenance
    return (json.dumps(document, indent=2, allow_nan=False) + "\n").encode()


def _values(pub: PubResult) -> dict[str, Any]:
    if isinstance(pub, SamplerPubResult):
        return {"counts": dict(sorted(pub.get_counts().items())), "shots": pub.shots}
    plain = pub.to_dict()
    return {"evs": plain["evs"], "stds": plain["stds"]}


def _csv(result: JobResult) -> bytes:
    if any(isinstance(pub, EstimatorPubResult) for pub in result.pubs):
        raise InvalidInput(
            "An estimator's result has no outcomes to list as csv.", reason="FormatUnsupported", hint="Use json."
        )
    several = len(result.pubs) != 1
    lines = ["pub,outcome,count" if several else "outcome,count"]
    for number in range(len(result.pubs)):
        first = f"{number}," if several else ""
        lines += [f"{first}{outcome},{count}" for outcome, count in sorted(result.get_counts(number).items())]
    return "".join(f"{line}\n" for line in lines).encode()
