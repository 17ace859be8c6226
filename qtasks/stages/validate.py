"""Validation: the circuit is fetched where it lies elsewhere, goes through the sandbox, and what comes back is checked
against where it is to run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Connection

from qtasks.backends.sizing import Size
from qtasks.circuits.sandbox import Checked
from qtasks.errors import InvalidInput
from qtasks.lifecycle import ConditionStatus, ConditionType, Phase, Queue, Stage
from qtasks.objects import keys
from qtasks.stages.batch import RUNS, Batch, Item
from qtasks.stages.check import Verdict, check
from qtasks.stages.endings import fail
from qtasks.stages.fetch import fetched
from qtasks.stages.fit import fit, fit_all
from qtasks.stages.worker import Worker
from qtasks.store import moves
from qtasks.store.records import Condition, Event, record

_NOT_RUN = ", from the cache: its source was not run again"


def validate(worker: Worker, batch: Batch) -> Batch | None:
    """Check the circuits of `batch`; returns what to carry on with at the scheduling stage."""
    batch = fetched(worker, batch)
    if not batch.items:
        return None
    verdicts = check(worker, batch)
    passed: dict[str, Size] = {}
    failed: dict[str, InvalidInput] = {}
    for job_id, verdict in verdicts.items():
        item = batch.items[job_id]
        try:
            checked = verdict.checked
            prepared = verdict.prepared
            passed[job_id] = fit(item, checked.analysis) if prepared is None else fit_all(item, prepared)
        except InvalidInput as error:
            failed[job_id] = error
        else:
            _take_up(worker, item, checked, passed[job_id])
            if prepared is not None:
                item.prepared, item.analysis = prepared, {**(item.analysis or {}), RUNS: asdict(prepared.extent())}
    stay = bool(passed) and worker.may_carry_on(batch.claim, Queue.SCHEDULING)
    small = {job_id for job_id, size in passed.items() if size.small and not batch.items[job_id].job.alone}
    # What is large was only read together: each is a job of its own from here on, for whoever is free.
    carried = set(small or list(passed)[:1]) if stay else set()
    groups: dict[tuple[int, bool, bool, bool], list[str]] = defaultdict(list)
    for job_id in passed:
        memory = batch.items[job_id].job.memory
        groups[memory, job_id in small, job_id in carried, verdicts[job_id].not_run].append(job_id)
    held: set[str] = set()
    with worker.store.begin() as tx:
        for (memory, batchable, keep, not_run), ids in groups.items():
            event, condition = _valid(not_run=not_run)
            held |= moves.advance(
                tx,
                batch.claim,
                ids,
                Phase.SCHEDULING,
                queue=Queue.SCHEDULING,
                event=event,
                also=[Event(Phase.SCHEDULING, "Carried on to scheduling.")] if keep else [],
                conditions=[condition],
                keep=keep,
                memory=memory,
                batchable=batchable,
            )
        moves.keep_circuits(tx, [_row(batch.items[job_id]) for job_id in passed if job_id in held])
        _pass_on_words(tx, verdicts)
        for job_id, refusal in failed.items():
            fail(tx, batch.claim, batch.items[job_id], refusal, condition=ConditionType.VALIDATED)
    worker.tell_progress(list(held), Phase.SCHEDULING)
    worker.notifier.tell(dict.fromkeys(failed, Phase.FAILED))
    if left := held - carried:
        worker.hand_over(batch.claim.only(left), Queue.SCHEDULING)
    rest = batch.only(held & carried)
    return rest.replace(rest.claim.at(Stage.SCHEDULING)) if rest.items else None


def _take_up(worker: Worker, item: Item, checked: Checked, size: Size) -> None:
    """Let the item go on with the checked circuit, which is put into the object store when it is large."""
    assert size.memory is not None, "fit() refuses what cannot run"
    item.job = replace(item.job, memory=size.memory)
    item.fingerprint, item.analysis, item.qpy = checked.fingerprint, checked.analysis.as_data(), checked.qpy
    if len(checked.qpy) > worker.settings.inline_input_bytes:
        item.circuit_key = keys.pending_circuit(item.job.namespace, item.job.id)
        worker.objects.put(item.circuit_key, checked.qpy)


def _valid(*, not_run: bool) -> tuple[Event, Condition]:
    known = _NOT_RUN if not_run else ""
    condition = f"The circuit is valid and its backend can run it{known}."
    return (
        Event("CircuitValid", f"The circuit is valid{known}; waiting for a backend."),
        Condition(ConditionType.VALIDATED, ConditionStatus.TRUE, "CircuitValid", condition),
    )


def _pass_on_words(tx: Connection, verdicts: Mapping[str, Verdict]) -> None:
    """Write down what the sandbox noticed, and what a source printed."""
    for job_id, verdict in verdicts.items():
        for note in verdict.answer.notes:
            record(tx, [job_id], Event("Note", note), source="the circuit's source")
        if verdict.answer.output:
            record(tx, [job_id], Event("Output", verdict.answer.output), source="the circuit's source")


def _row(item: Item) -> dict[str, Any]:
    return {
        "job_id": item.job.id,
        "fingerprint": item.fingerprint,
        "analysis": item.analysis,
        "qpy": item.qpy if item.circuit_key is None else None,
        "object_key": item.circuit_key,
    }
