"""Results of earlier jobs, found again by what was run."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Connection, Row, bindparam, cast, select

from qtasks.lifecycle import Phase
from qtasks.store.tables import circuits, inputs, jobs, results

_LOOKED_THROUGH = 10_000
"""Circuits of one fingerprint, the newest first, among which a result is looked for: some 15 ms at worst."""

_seed = cast(inputs.c.resource["spec"]["execution"]["seedSimulator"].as_string(), BigInteger)
_newest = (
    select(circuits.c.job_id, circuits.c.analysis)
    .where(circuits.c.fingerprint == bindparam("fingerprint"))
    .order_by(circuits.c.job_id.desc())
    .limit(_LOOKED_THROUGH)
    .subquery("newest")
)
_STORED = (
    select(
        jobs.c.id,
        jobs.c.name,
        inputs.c.resource,
        _newest.c.analysis,
        results.c.object_key,
        results.c.offset,
        results.c.length,
        results.c.sha256,
        results.c.counts,
        results.c.metrics,
    )
    .select_from(_newest)
    .join(jobs, jobs.c.id == _newest.c.job_id)
    .join(inputs, inputs.c.job_id == _newest.c.job_id)
    .join(results, results.c.job_id == _newest.c.job_id)
    .where(jobs.c.phase == Phase.COMPLETED.value, results.c.expired_at.is_(None))
    .order_by(_newest.c.job_id.desc())
)


def results_of(
    tx: Connection, *, fingerprint: str, namespace: str, shots: int, seed: int | None, limit: int
) -> list[Row[Any]]:
    """Up to `limit` results of Completed jobs of `namespace` that ran the circuit with so many shots and that
    simulator seed (None: without one), the newest first. Their other options are for the caller to compare."""
    same = _STORED.where(
        jobs.c.namespace == namespace,
        jobs.c.shots == shots,
        _seed.is_(None) if seed is None else _seed == seed,
    )
    return list(tx.execute(same.limit(limit), {"fingerprint": fingerprint}))
