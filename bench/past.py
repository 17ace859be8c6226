"""A table full of finished jobs, with all that a real one leaves: input, circuit, attempt, conditions, events."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from sqlalchemy import Connection, insert, text

from bench import circuits as qasm
from qtasks.lifecycle import ConditionStatus, ConditionType, Phase
from qtasks.store import Store
from qtasks.store.tables import attempts, circuits, conditions, events, inputs, jobs, results

_CHUNK = 2000
_CONDITIONS = ("VALIDATED", "BUDGET_CHECKED", "SCHEDULED", "EXECUTED", "RESULT_STORED")
_EVENTS = ("Submitted", "Validating", "CircuitValid", "Scheduling", "Scheduled", "Running", "Completed")


def finished_jobs(store: Store, count: int) -> None:
    """Insert `count` Completed jobs, one a second until now, then have the database look at its tables."""
    texts = qasm.pairs(100, seed=count)
    ids = list(_ids(count))
    for start in range(0, count, _CHUNK):
        with store.begin() as tx:
            _insert(tx, ids[start : start + _CHUNK], texts)
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE" if store.postgresql else "ANALYZE"))


def _ids(count: int) -> Iterator[tuple[str, datetime]]:
    """UUIDv7s of the past, a second between them, as `new_id` would have made them then."""
    random = Random(count)
    first = int(time.time() * 1000) - 1000 * (count + 60)
    for number in range(count):
        at = first + 1000 * number
        value = at << 80 | 7 << 76 | random.getrandbits(12) << 64 | 2 << 62 | random.getrandbits(62)
        yield str(uuid.UUID(int=value)), datetime.fromtimestamp(at / 1000, UTC)


_ANALYSIS = {"qubits": 2, "clbits": 2, "depth": 3, "size": 4, "two_qubit_gates": 1, "measurements": 2}


def _insert(tx: Connection, ids: list[tuple[str, datetime]], texts: Any) -> None:
    spec = {"circuit": {"source": "inline"}, "execution": {"shots": 1024, "priority": "normal"}}
    metrics = {"queue_seconds": 0.01, "run_seconds": 0.001, "total_seconds": 0.03, "transpiled_depth": 4}
    second = timedelta(seconds=1)

    def every(**values: Any) -> list[dict[str, Any]]:
        return [{"job_id": job_id, **values} for job_id, _ in ids]

    tx.execute(
        insert(jobs),
        [
            {
                "id": job_id,
                "namespace": "default",
                "name": f"job-{job_id[-12:]}",
                "priority": 6,
                "phase": Phase.COMPLETED.value,
                "batchable": True,
                "memory": 1 << 20,
                "fence": 1,
                "backend": "local_simulator",
                "shots": 1024,
                "reason": "Completed",
                "message": "The result is stored.",
                "created_at": at,
                "started_at": at + second,
                "finished_at": at + second,
            }
            for job_id, at in ids
        ],
    )
    resource = {"apiVersion": "quantum.io/v1", "kind": "QiskitJob", "metadata": {}, "spec": spec}
    for_input = {"resource": resource, "spec_hash": "0" * 64, "format": "qasm2", "sha256": "0" * 64}
    tx.execute(
        insert(inputs),
        [{**row, "data": texts[n % len(texts)].encode()} for n, row in enumerate(every(**for_input))],
    )
    tx.execute(insert(circuits), every(fingerprint="0" * 64, analysis=_ANALYSIS, qpy=bytes(400)))
    tx.execute(
        insert(attempts),
        [
            {"job_id": job_id, "attempt": 1, "started_at": at, "finished_at": at + second, "outcome": "Completed"}
            for job_id, at in ids
        ],
    )
    for name in _CONDITIONS:
        known = {"type": ConditionType[name].value, "status": ConditionStatus.TRUE.value, "reason": "Completed"}
        rows = [{"job_id": job_id, **known, "message": "The circuit ran.", "changed_at": at} for job_id, at in ids]
        tx.execute(insert(conditions), rows)
    for reason in _EVENTS:
        happened = {"reason": reason, "message": "It went on.", "attempt": 1, "source": "worker@host/1"}
        tx.execute(insert(events), [{"job_id": job_id, "at": at, **happened} for job_id, at in ids])
    place = {"attempt": 1, "object_key": "completed/default/results/x", "length": 1500, "sha256": "0" * 64}
    counts = {"00": 510, "11": 514}
    rows = every(**place, counts=counts, metrics=metrics)
    tx.execute(insert(results), [{**row, "offset": 1500 * n} for n, row in enumerate(rows)])
