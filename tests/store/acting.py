"""What users, workers and the reconciler do to a store, each in a transaction of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from qtasks.lifecycle import Phase, Queue, Stage
from qtasks.store import Store, claims, inputs, jobs, moves, records
from qtasks.store.claims import Claim, Head
from qtasks.store.ids import new_id
from qtasks.store.inputs import FetchedInput
from qtasks.store.jobs import Existing, NewJob
from qtasks.store.records import Event

GIB = 2**30
ROOMY = 64 * GIB


def new_job(**changes: Any) -> NewJob:
    """A submission; its name is made of its id unless one is given."""
    job_id = new_id()
    values: dict[str, Any] = {
        "id": job_id,
        "namespace": "default",
        "name": f"job-{job_id}",
        "idempotency_key": None,
        "priority": 6,
        "shots": 1024,
        "batchable": True,
        "total_seconds": None,
        "labels": {},
        "resource": {"spec": {"execution": {"shots": 1024}}},
        "spec_hash": "a" * 64,
        "format": "qasm2",
        "data": b"OPENQASM 2.0;",
        "object_key": None,
        "sha256": "b" * 64,
        "git_commit": None,
    }
    return NewJob(**{**values, **changes})


def circuit_row(job_id: str, **changes: Any) -> dict[str, Any]:
    row = {"job_id": job_id, "fingerprint": "c" * 64, "analysis": {"qubits": 2}, "qpy": b"QISKIT"}
    return {**row, "object_key": None, **changes}


def result_row(job_id: str, **changes: Any) -> dict[str, Any]:
    row = {"job_id": job_id, "attempt": 1, "object_key": f"completed/{job_id}", "offset": 0, "length": 10}
    return {**row, "sha256": "d" * 64, "counts": {"00": 512, "11": 512}, "metrics": {"run_seconds": 0.5}, **changes}


@dataclass(frozen=True)
class Acting:
    """One verb, one transaction."""

    store: Store

    def submit(self, *new: NewJob) -> dict[str, Existing]:
        with self.store.begin() as tx:
            return jobs.submit(tx, new, source="client/1")

    def submitted(self, **changes: Any) -> str:
        """A submitted job's id."""
        job = new_job(**changes)
        assert self.submit(job) == {}
        return job.id

    def row(self, job_id: str) -> Any:
        with self.store.read() as tx:
            return jobs.get(tx, job_id)

    def phase(self, job_id: str) -> str:
        return str(self.row(job_id).phase)

    def events(self, job_id: str) -> list[str]:
        """The reasons of a job's events, oldest first."""
        with self.store.read() as tx:
            return [event.reason for _, event in records.events_of(tx, job_id)]

    def heads(self, stage: Stage = Stage.VALIDATION, *, memory: int = ROOMY) -> list[Head]:
        with self.store.read() as tx:
            return claims.heads(tx, *Queue.of(stage), memory=memory)

    def take(
        self,
        head: Head,
        stage: Stage | None = None,
        *,
        owner: str = "worker/1",
        limit: int = 1,
        memory: int = ROOMY,
        lease_seconds: float = 30.0,
    ) -> Claim | None:
        """A claim on `head`; with `stage` as if it were there, where it may have been when somebody looked."""
        if stage is not None and stage is not head.stage:
            head = replace(head, queue=Queue(stage.value))
        with self.store.begin() as tx:
            return claims.take(tx, head, limit=limit, memory=memory, owner=owner, lease_seconds=lease_seconds)

    def claim(self, stage: Stage = Stage.VALIDATION, **options: Any) -> Claim:
        """A claim on the first head, which must be there."""
        claim = self.take(self.heads(stage)[0], stage, **options)
        assert claim is not None
        return claim

    def waiting_at(self, stage: Stage, **changes: Any) -> str:
        """A job that waits at `stage`, having come there by way of the stages before; no other job may wait."""
        job_id = self.submitted(**changes)
        if stage is not Stage.VALIDATION:
            self.advance(self.claim(), Phase.SCHEDULING, stage=Stage.SCHEDULING, keep=False)
        if stage is Stage.EXECUTION:
            self.advance(self.claim(Stage.SCHEDULING), Phase.SCHEDULING, stage=Stage.EXECUTION, keep=False)
        return job_id

    def running(self, **options: Any) -> Claim:
        """A claim on a job that runs; no other job may wait."""
        self.waiting_at(Stage.EXECUTION)
        return self.claim(Stage.EXECUTION, **options)

    def advance(self, claim: Claim, phase: Phase, *, stage: Stage, keep: bool = True, **values: Any) -> set[str]:
        with self.store.begin() as tx:
            event = Event(phase.value, "On to the next stage.")
            return moves.advance(
                tx, claim, claim.ids, phase, queue=Queue(stage.value), event=event, keep=keep, **values
            )

    def finish(self, claim: Claim, phase: Phase = Phase.COMPLETED, ids: Collection[str] | None = None) -> set[str]:
        """End the jobs of a claim as a worker does: with their results, when they completed."""
        with self.store.begin() as tx:
            event = Event(phase.value, "That is that.")
            held = moves.finish(tx, claim, claim.ids if ids is None else ids, phase, event=event)
            if phase is Phase.COMPLETED:
                moves.keep_results(tx, [result_row(job_id) for job_id in held])
            return held

    def retry(self, claim: Claim, *, delay_seconds: float = 0.0, stage: Stage = Stage.SCHEDULING) -> bool:
        with self.store.begin() as tx:
            event = Event("Retrying", "It may heal.", warning=True)
            return moves.retry(
                tx, claim, claim.ids[0], delay_seconds=delay_seconds, event=event, queue=Queue(stage.value)
            )

    def keep_input(self, claim: Claim, **changes: Any) -> bool:
        """Note down what was fetched for the one job of a claim."""
        values = {"format": "python", "data": b"qc = 1", "object_key": None, "sha256": "e" * 64, "git_commit": None}
        fetched = FetchedInput(**{**values, "origin": "https://circuits.example/qc.py", **changes})
        with self.store.begin() as tx:
            return inputs.keep(tx, claim, claim.ids[0], fetched, event=Event("CircuitFetched", "6 bytes."))

    def postpone(self, claim: Claim, *, delay_seconds: float = 0.0) -> bool:
        with self.store.begin() as tx:
            event = Event("Pending", "No worker can hold it.", warning=True)
            return moves.postpone(tx, claim, claim.ids[0], delay_seconds=delay_seconds, event=event)

    def give_back(self, claim: Claim, *, delay_seconds: float = 0.0) -> list[str]:
        with self.store.begin() as tx:
            return claims.give_back(tx, claim, claim.ids, message="Redis is away.", delay_seconds=delay_seconds)

    def lose(self, claim: Claim) -> list[str]:
        """The process that held the claim died."""
        with self.store.begin() as tx:
            where = claims.guard(claim, claim.ids)
            return claims.lost(tx, where, together=len(claim.jobs), message="It died.", owner=claim.owner)

    def renew(self, claim: Claim, *, lease_seconds: float = 30.0, owner: str | None = None) -> set[tuple[str, int]]:
        with self.store.begin() as tx:
            held = [(job_id, claim.fence) for job_id in claim.ids]
            return claims.renew(tx, owner or claim.owner, held, lease_seconds=lease_seconds)

    def still_held(self, claim: Claim) -> set[str]:
        with self.store.read() as tx:
            held = claims.still_held(tx, claim.owner, [(job_id, claim.fence) for job_id in claim.ids])
            return {job_id for job_id, _ in held}

    def expire(self, *, limit: int = 100) -> list[str]:
        with self.store.begin() as tx:
            return claims.expire(tx, limit=limit)

    def cancel(self, *ids: str) -> list[str]:
        with self.store.begin() as tx:
            return jobs.cancel(tx, ids, source="client/1")

    def begin_attempts(self, claim: Claim) -> None:
        with self.store.begin() as tx:
            moves.begin_attempts(tx, claim.ids, backend="local_simulator", worker=claim.owner)

    def attempts(self, job_id: str) -> list[Any]:
        with self.store.read() as tx:
            return jobs.attempts_of(tx, job_id)

    def whole(self, job_id: str) -> Mapping[str, Any]:
        """Everything that the database knows of a job: its row, attempts, events and conditions."""
        with self.store.read() as tx:
            return {
                "row": tuple(jobs.get(tx, job_id)),
                "attempts": [tuple(row) for row in jobs.attempts_of(tx, job_id)],
                "events": records.events_of(tx, job_id),
                "conditions": records.conditions_of(tx, [job_id]),
            }
