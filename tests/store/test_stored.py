"""Results of earlier jobs are found by circuit, namespace, shots and seed, the newest first."""

from __future__ import annotations

from typing import Any

import pytest

from qtasks.lifecycle import Phase, Stage
from qtasks.store import moves, stored
from tests.store.acting import Acting, circuit_row

ASKED: dict[str, Any] = {"fingerprint": "c" * 64, "namespace": "default", "shots": 1024, "seed": None, "limit": 20}


def completed(acting: Acting, *, seed: int | None = None, fingerprint: str = "c" * 64, **changes: Any) -> str:
    execution = {"shots": 1024} if seed is None else {"shots": 1024, "seedSimulator": seed}
    job_id = acting.waiting_at(Stage.EXECUTION, resource={"spec": {"execution": execution}}, **changes)
    claim = acting.claim(Stage.EXECUTION)
    with acting.store.begin() as tx:
        moves.keep_circuits(tx, [circuit_row(job_id, fingerprint=fingerprint)])
    acting.finish(claim)
    return job_id


def found(acting: Acting, **changes: Any) -> list[str]:
    with acting.store.read() as tx:
        return [row.id for row in stored.results_of(tx, **{**ASKED, **changes})]


def test_the_newest_comes_first_and_no_more_than_asked_for(acting: Acting) -> None:
    made = [completed(acting) for _ in range(3)]
    assert found(acting) == made[::-1]
    assert found(acting, limit=1) == made[-1:]


def test_another_circuit_namespace_number_of_shots_or_seed_is_not_found(acting: Acting) -> None:
    completed(acting, fingerprint="d" * 64)
    completed(acting, namespace="other")
    completed(acting, shots=1023)
    completed(acting, seed=3)
    assert found(acting) == []


@pytest.mark.parametrize("seed", [0, 42, 2**63 - 1])
def test_a_seed_is_found_by_its_number_whatever_its_size(acting: Acting, seed: int) -> None:
    completed(acting)
    seeded = completed(acting, seed=seed)
    completed(acting, seed=7)
    assert found(acting, seed=seed) == [seeded]


def test_a_job_that_failed_or_still_runs_is_not_found(acting: Acting) -> None:
    job_id = completed(acting)
    for end in (Phase.FAILED, None):
        other = acting.waiting_at(Stage.EXECUTION)
        claim = acting.claim(Stage.EXECUTION)
        with acting.store.begin() as tx:
            moves.keep_circuits(tx, [circuit_row(other)])
        if end is not None:
            acting.finish(claim, end)
    assert found(acting) == [job_id]


def test_a_row_says_where_the_bytes_lie_and_what_they_must_be(acting: Acting) -> None:
    job_id = completed(acting)
    with acting.store.read() as tx:
        (row,) = stored.results_of(tx, **ASKED)
    assert (row.object_key, row.offset, row.length, row.sha256) == (f"completed/{job_id}", 0, 10, "d" * 64)
    assert row.resource == {"spec": {"execution": {"shots": 1024}}}
    assert (row.analysis, row.counts) == ({"qubits": 2}, {"00": 512, "11": 512})
