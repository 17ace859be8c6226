"""A job's result as `qiskit.result.Result`, the form that backends give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qiskit.result import Result

    from qtasks.results import JobResult, SamplerPubResult


def qiskit_result(
    result: JobResult, circuits: Sequence[Mapping[str, Any]], *, backend: str, memory: bool = False
) -> Result:
    """`result` with an experiment for each of its PUBs; `circuits` are `{name, metadata}` of each.

    With `memory` each experiment has its outcomes shot by shot, in the order of the outcomes as numbers: the order in
    which they were run is not kept.
    """
    from qiskit.result import Result

    seconds = result.provenance.run_seconds
    known = [*circuits, *({} for _ in result.pubs)]
    return Result.from_dict(
        {
            "backend_name": backend,
            "backend_version": result.provenance.backend_version or "",
            "job_id": result.job_id,
            "success": True,
            "status": "COMPLETED",
            "time_taken": seconds,
            "results": [
                _experiment(result.sampler_pub(number), known[number], number, memory)
                for number in range(len(result.pubs))
            ],
        }
    )


def _experiment(pub: SamplerPubResult, circuit: Mapping[str, Any], number: int, memory: bool) -> dict[str, Any]:
    data: dict[str, Any] = {"counts": dict(pub.counts)} if pub.counts else {}
    if memory and pub.counts:
        outcomes = sorted((int(outcome, 16), count) for outcome, count in pub.counts.items())
        data["memory"] = [hex(outcome) for outcome, count in outcomes for _ in range(count)]
    return {
        "shots": pub.shots,
        "success": True,
        "status": "DONE",
        "meas_level": 2,
        "meas_return": "single",
        "data": data,
        "header": {
            "name": str(circuit.get("name", f"circuit-{number}")),
            "creg_sizes": [[name, size] for name, size in pub.registers],
            "clbit_labels": [[name, bit] for name, size in pub.registers for bit in range(size)],
            "memory_slots": pub.num_clbits,
            "metadata": dict(circuit.get("metadata") or {}),
        },
    }
