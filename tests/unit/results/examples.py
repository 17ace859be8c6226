"""A result as the Bell job gives it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from qtasks.results import JobResult, Provenance, SamplerPubResult

PROVENANCE = Provenance(
    circuit_hash="a3f5b2c1",
    backend="local_simulator",
    backend_version="0.18.2",
    method="stabilizer",
    seed_simulator=42,
    seed_transpiler=7,
    optimization_level=1,
    transpiled_depth=3,
    transpiled_gates=4,
    two_qubit_gates=1,
    count_ops={"h": 1, "cx": 1, "measure": 2},
    versions={"python": "3.11.2", "qiskit": "2.6.1", "qiskit_aer": "0.18.2", "qtasks": "0.1.0"},
    git_commit="abc123def456" + "0" * 28,
    source_origin="https://circuits.example/bell.py",
    source_sha256="5e" * 32,
    reused_from="01890a5d-ac96-774b-bcce-b302099a8057",
    submission_time="2026-01-02T03:04:05.000000Z",
    start_time="2026-01-02T03:04:05.010000Z",
    completion_time="2026-01-02T03:04:05.020000Z",
    queue_seconds=0.01,
    run_seconds=0.005,
    total_seconds=0.02,
    attempt=1,
    worker="host-1",
    threads=1,
    simulator_cost=Decimal("0.0000012"),
)
BELL = JobResult("job-1", "sampler", [SamplerPubResult([("meas", 2)], 2, 1024, {"0x3": 514, "0x0": 510})], PROVENANCE)


def with_pubs(*pubs: Any, program: Any = "sampler") -> JobResult:
    return replace(BELL, pubs=list(pubs), program=program)
