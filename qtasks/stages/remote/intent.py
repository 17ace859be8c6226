"""What is about to be submitted: the ISA circuits, and the intent that says so before anything is sent."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from qtasks.backends.protocol import Compiled, Program, RemoteBackend
from qtasks.config import Account
from qtasks.objects import keys
from qtasks.stages.batch import Batch, Item, circuit_of
from qtasks.stages.remote.devices import choose
from qtasks.stages.remote.sessions import device_in_session
from qtasks.stages.several import programs
from qtasks.stages.worker import Worker
from qtasks.store import provider_jobs
from qtasks.store.records import Event, record


def compiled_for(worker: Worker, item: Item, account: Account, backend: RemoteBackend) -> Compiled:
    """The ISA circuit: that of an earlier attempt where the device's calibration is still the same, or a new one."""
    device = device_in_session(worker, item, lambda named: choose(backend, item, named or item.device))
    with worker.store.read() as tx:
        earlier = [row for row in provider_jobs.all_of(tx, item.job.id) if row.device == device and row.isa_key]
    if earlier and earlier[-1].calibration:
        calibration = backend.calibration(device)
        if calibration is not None and calibration.id == earlier[-1].calibration:
            return kept(worker, earlier[-1])
    if item.several:
        return backend.compile_all(programs(worker, item, device=device), device)
    execution = item.spec.execution
    program = Program(
        job_id=item.job.id,
        qpy=circuit_of(item, worker.objects),
        shots=execution.shots,
        optimization_level=execution.optimization_level,
        initial_layout=execution.initial_layout,
        seed_transpiler=execution.seed_transpiler,
        device=device,
    )
    return backend.compile(program, device)


def kept(worker: Worker, row: Any) -> Compiled:
    """The ISA circuit that an intent was written with."""
    return Compiled(**{**row.compiled, "data": worker.objects.get(row.isa_key)})


def intend(
    worker: Worker,
    batch: Batch,
    item: Item,
    account: Account,
    backend: RemoteBackend,
    compiled: Compiled,
    session: str | None,
) -> bool:
    job = item.job
    key = keys.isa(job.namespace, job.id, batch.claim.fence, compiled.format)
    worker.objects.put(key, compiled.data)
    about = {name: value for name, value in asdict(compiled).items() if name != "data"}
    limit = item.spec.execution.max_execution_time
    estimate = backend.estimate_cost(compiled, item.extent.most_shots).quantum_seconds
    if limit is not None and estimate is not None:
        estimate = min(estimate, limit.seconds)
    calibration = backend.calibration(compiled.device)
    with worker.store.begin() as tx:
        held = provider_jobs.intend(
            tx,
            batch.claim,
            job.id,
            job.attempt,
            {
                "account": account.name,
                "device": compiled.device,
                "compiled": about,
                "session": session,
                "isa_key": key,
                "calibration": compiled.calibration or None,
                "calibration_key": None
                if calibration is None
                else keep_calibration(worker, compiled.device, calibration),
                "estimated_seconds": estimate,
            },
        )
        if held:
            message = f"About to be submitted to {compiled.device} under account {account.name}."
            record(tx, [job.id], Event("Submitting", message), source=worker.owner)
    return held


def keep_calibration(worker: Worker, device: str, calibration: Any) -> str:
    """The object of a device's calibration: one for all jobs that meet it."""
    key = keys.calibration(device, calibration.id)
    if not worker.objects.exists(key):
        worker.objects.put(key, json.dumps(calibration.data, sort_keys=True).encode())
    return key
