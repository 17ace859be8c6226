"""What a stage works on: claimed jobs with their payloads, loaded once and carried from stage to stage."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from qtasks.circuits.analysis import Analysis
from qtasks.circuits.formats import PUBS
from qtasks.circuits.pubs import Extent, prepared
from qtasks.circuits.pubs.prepared import Prepared
from qtasks.objects import ObjectStore
from qtasks.resources import BackendType, JobSpec
from qtasks.store import Store, jobs
from qtasks.store.claims import Claim, ClaimedJob

RUNS = "runs"
"""Key beside those of an analysis under which the extent of a job of several circuits is kept."""


@dataclass(slots=True)
class Item:
    """One claimed job and what is known of it so far."""

    job: ClaimedJob
    spec: JobSpec
    format: str | None
    data: bytes | None
    input_key: str | None
    sha256: str | None
    """Of what was submitted or fetched."""
    git_commit: str | None
    origin: str | None
    """Where the circuit was fetched from; None for an inline one."""
    fingerprint: str | None = None
    analysis: Mapping[str, Any] | None = None
    qpy: bytes | None = None
    circuit_key: str | None = None
    backend: str | None = None
    """Where the job runs, once that is decided: `local_simulator`, the name of a device, or, where the device is chosen
    when the job is handed over, the provider's type."""
    account: str | None = None
    """The account under which it runs at a provider."""
    prepared: Prepared | None = None
    """The circuits of a job of several, once they were read: see `prepared_of`."""

    @property
    def several(self) -> bool:
        """Whether it is a job of several circuits (PUBs)."""
        return self.format == PUBS

    @property
    def facts(self) -> Analysis:
        """What the checked circuit is made of; of several circuits what holds for all of them."""
        known = dict(self.analysis or {})
        known.pop(RUNS, None)
        return Analysis(**known)

    @property
    def extent(self) -> Extent:
        """How much it runs."""
        runs = (self.analysis or {}).get(RUNS)
        shots = self.spec.execution.shots
        return Extent(1, shots, shots) if runs is None else Extent(**runs)

    @property
    def to_be_fetched(self) -> bool:
        """Whether the job has yet to get its circuit from where its source says."""
        return self.data is None and self.input_key is None

    @property
    def simulator(self) -> BackendType:
        """The simulator of ours that runs it, of a job that runs at no provider."""
        local = self.backend == BackendType.LOCAL_SIMULATOR
        return BackendType.LOCAL_SIMULATOR if local else BackendType.IBM_SIMULATOR

    @property
    def device(self) -> str | None:
        """The device that was chosen for it; None where that is still to be done."""
        return None if self.backend in (None, *BackendType) else self.backend

    @property
    def loose_ends(self) -> bool:
        """Whether something is left to do once the job is final: see `aftercare`."""
        return self.spec.output is not None or self.input_key is not None or self.circuit_key is not None


@dataclass(frozen=True, slots=True)
class Batch:
    """A claim and its items, in the claim's order."""

    claim: Claim
    items: dict[str, Item]

    def only(self, ids: Collection[str]) -> Batch:
        return Batch(self.claim.only(ids), {job_id: item for job_id, item in self.items.items() if job_id in ids})

    def replace(self, claim: Claim) -> Batch:
        return replace(self, claim=claim)


def load(store: Store, claim: Claim) -> Batch:
    """Read the payloads of a claim's jobs; large circuits stay in the object store until they are asked for."""
    known = {job.id: job for job in claim.jobs}
    with store.read() as tx:
        items = {row.id: item_of(known[row.id], row) for row in jobs.payload(tx, claim.ids)}
    return Batch(claim, {job_id: items[job_id] for job_id in claim.ids if job_id in items})


def item_of(job: ClaimedJob, payload: Any) -> Item:
    """A job with its payload, a row of `jobs.payload`."""
    return Item(
        job=job,
        spec=spec_of(payload.resource),
        format=payload.format,
        data=payload.data,
        input_key=payload.input_key,
        sha256=payload.sha256,
        git_commit=payload.git_commit,
        origin=payload.origin,
        fingerprint=payload.fingerprint,
        analysis=payload.analysis,
        qpy=payload.qpy,
        circuit_key=payload.circuit_key,
        backend=payload.backend,
        account=payload.account,
    )


def spec_of(resource: Mapping[str, Any]) -> JobSpec:
    """The spec of a job's resource as the database keeps it."""
    return _spec(json.dumps(resource["spec"], sort_keys=True))


@lru_cache(maxsize=256)
def _spec(text: str) -> JobSpec:
    # The jobs of one submission differ in their circuit alone, so a batch parses one spec.
    return stored_spec(json.loads(text))


def stored_spec(data: dict[str, Any]) -> JobSpec:
    """A spec as the database keeps it: complete but for the circuit's code, which lies beside it."""
    circuit = data["circuit"]
    if circuit["source"] == "inline":
        data = {**data, "circuit": {**circuit, "code": circuit.get("code", "…")}}
    return JobSpec.model_validate(data)


def prepared_of(item: Item, objects: ObjectStore) -> Prepared:
    """The checked circuits of a job of several."""
    if item.prepared is None:
        item.prepared = prepared.load(circuit_of(item, objects))
    return item.prepared


def circuit_of(item: Item, objects: ObjectStore) -> bytes:
    """The checked circuit, canonical QPY; of a job of several circuits what `pubs.prepared` wrote of them."""
    if item.qpy is None:
        assert item.circuit_key is not None, "a validated job has its circuit in its row or in an object"
        item.qpy = objects.get(item.circuit_key)
    return item.qpy


def input_of(item: Item, objects: ObjectStore) -> bytes:
    """What the user submitted."""
    if item.data is None:
        assert item.input_key is not None, "an input lies in its row or in an object"
        item.data = objects.get(item.input_key)
    return item.data
