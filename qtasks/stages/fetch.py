"""Fetching: circuits that lie elsewhere come to their jobs, once, before anything looks at them."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from qtasks.circuits.formats import detect
from qtasks.circuits.sources import Fetched, fetch
from qtasks.errors import Forbidden, InvalidInput, QTasksError
from qtasks.objects import keys
from qtasks.stages.batch import Batch, Item
from qtasks.stages.endings import fail_or_fetch_again
from qtasks.stages.worker import Worker
from qtasks.store import inputs
from qtasks.store.inputs import FetchedInput
from qtasks.store.records import Event


def fetched(worker: Worker, batch: Batch) -> Batch:
    """The jobs of `batch` that have their circuits. What was fetched is in the database when this returns, so that a
    retry, a takeover or another run finds the same bytes; jobs that got nothing are Retrying or Failed."""
    missing = {job_id for job_id, item in batch.items.items() if item.to_be_fetched}
    if not missing:
        return batch
    ready = {job_id for job_id in missing if _get(worker, batch, batch.items[job_id])}
    return batch.only(set(batch.items) - (missing - ready))


def _get(worker: Worker, batch: Batch, item: Item) -> bool:
    """Fetch one circuit and keep it; whether the job goes on with it."""
    circuit = item.spec.circuit
    try:
        _refuse_reserved(worker, item)
        came = fetch(
            circuit,
            namespace=item.job.namespace,
            settings=worker.settings,
            timeout_seconds=item.spec.timeouts.validation.seconds,
        )
        _refuse_too_large(came.data, worker.settings.max_input_bytes)
        kept = _as_input(item, came, circuit.format or detect(came.data))
    except QTasksError as error:
        with worker.store.begin() as tx:
            phase = fail_or_fetch_again(tx, batch.claim, item, error)
        if phase is not None:
            worker.notifier.tell({item.job.id: phase})
        return False
    if len(came.data) > worker.settings.inline_input_bytes:
        # One key per fence: a worker that lost its claim must not write over what the one that has it fetched.
        key = keys.pending_fetched(item.job.namespace, item.job.id, kept.format, batch.claim.fence)
        worker.objects.put(key, came.data)
        kept = replace(kept, data=None, object_key=key)
    with worker.store.begin() as tx:
        held = inputs.keep(tx, batch.claim, item.job.id, kept, event=_event(came))
    if not held:
        if kept.object_key is not None:
            worker.objects.delete(kept.object_key)
        return False
    item.format, item.data, item.input_key = kept.format, came.data, kept.object_key
    item.sha256, item.origin, item.git_commit = kept.sha256, kept.origin, came.commit or item.git_commit
    return True


def _refuse_reserved(worker: Worker, item: Item) -> None:
    """A fetch shows its secret to a host that the job's author chose: an account's must not be shown so."""
    git = item.spec.circuit.git_ref
    reference = git.secret_ref if git is not None else None
    if reference is not None and worker.config.reserves(namespace=item.job.namespace, name=reference.name):
        raise Forbidden(
            f"The secret {item.job.namespace}/{reference.name} belongs to an account.",
            reason="SecretReserved",
            hint="Use a secret of your own for the circuit's source.",
        )


def _refuse_too_large(data: bytes, limit: int) -> None:
    if len(data) > limit:
        raise InvalidInput(
            f"The circuit has {len(data)} bytes; at most {limit} are taken.",
            reason="TooLarge",
            hint="Raise QTASKS_MAX_INPUT_BYTES, or keep the circuit as QPY.",
        )


def _as_input(item: Item, came: Fetched, fmt: str) -> FetchedInput:
    return FetchedInput(
        format=str(fmt),
        data=came.data,
        object_key=None,
        sha256=hashlib.sha256(came.data).hexdigest(),
        origin=came.origin,
        git_commit=came.commit,
    )


def _event(came: Fetched) -> Event:
    commit = f", commit {came.commit}" if came.commit else ""
    return Event("CircuitFetched", f"{len(came.data):,} bytes were fetched from {came.origin}{commit}.")
