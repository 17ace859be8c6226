"""Validation: the circuit goes through the sandbox, and what comes back is checked against where it is to run."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

from qtasks.backends.sizing import Size, size
from qtasks.circuits.analysis import Analysis
from qtasks.circuits.sandbox import Checked, Limits, Rejected, Source
from qtasks.errors import InvalidInput
from qtasks.lifecycle import ConditionStatus, ConditionType, Phase, Stage
from qtasks.objects import keys
from qtasks.resources import Quantity
from qtasks.stages.batch import Batch, Item, input_of
from qtasks.stages.endings import fail
from qtasks.stages.worker import Worker
from qtasks.store import moves
from qtasks.store.records import Condition, Event, record

_VALID = Condition(
    ConditionType.VALIDATED, ConditionStatus.TRUE, "CircuitValid", "The circuit is valid and its backend can run it."
)


def validate(worker: Worker, batch: Batch) -> Batch | None:
    """Check the circuits of `batch`; returns what to carry on with at the scheduling stage."""
    passed: dict[str, tuple[Checked, Size]] = {}
    failed: dict[str, InvalidInput] = {}
    answers = _check(worker, batch)
    for job_id, answer in answers.items():
        item = batch.items[job_id]
        try:
            if isinstance(answer, Rejected):
                raise _refusal(answer)
            passed[job_id] = (answer, _fit(item, answer.analysis))
        except InvalidInput as error:
            failed[job_id] = error
    for job_id, (checked, fit) in passed.items():
        item = batch.items[job_id]
        assert fit.memory is not None, "_fit refuses what cannot run"
        item.job = replace(item.job, memory=fit.memory)
        item.fingerprint, item.analysis, item.qpy = checked.fingerprint, checked.analysis.as_data(), checked.qpy
        if len(checked.qpy) > worker.settings.inline_input_bytes:
            item.circuit_key = keys.pending_circuit(item.job.namespace, job_id)
            worker.objects.put(item.circuit_key, checked.qpy)
    stay = bool(passed) and worker.may_carry_on(batch.claim, Stage.SCHEDULING)
    small = {job_id for job_id, (_, fit) in passed.items() if fit.small and not batch.items[job_id].job.alone}
    # What is large was only read together: each is a job of its own from here on, for whoever is free.
    carried = set(small or list(passed)[:1]) if stay else set()
    groups: dict[tuple[int, bool, bool], list[str]] = defaultdict(list)
    for job_id in passed:
        groups[batch.items[job_id].job.memory, job_id in small, job_id in carried].append(job_id)
    held: set[str] = set()
    with worker.store.begin() as tx:
        for (memory, batchable, keep), ids in groups.items():
            held |= moves.advance(
                tx,
                batch.claim,
                ids,
                Phase.SCHEDULING,
                stage=Stage.SCHEDULING,
                event=Event("CircuitValid", "The circuit is valid; waiting for a backend."),
                also=[Event(Phase.SCHEDULING, "Carried on to scheduling.")] if keep else [],
                conditions=[_VALID],
                keep=keep,
                memory=memory,
                batchable=batchable,
            )
        moves.keep_circuits(tx, [_row(batch.items[job_id]) for job_id in passed if job_id in held])
        for job_id, answer in answers.items():
            if answer.output:
                record(tx, [job_id], Event("Output", answer.output), source="the circuit's source")
        for job_id, refusal in failed.items():
            fail(tx, batch.claim, batch.items[job_id], refusal, condition=ConditionType.VALIDATED)
    worker.tell_progress(list(held), Phase.SCHEDULING)
    worker.notifier.tell(dict.fromkeys(failed, Phase.FAILED))
    if left := held - carried:
        worker.hand_over(batch.claim.only(left), Stage.SCHEDULING)
    rest = batch.only(held & carried)
    return rest.replace(rest.claim.at(Stage.SCHEDULING)) if rest.items else None


def _check(worker: Worker, batch: Batch) -> dict[str, Checked | Rejected]:
    """What the sandbox says of each circuit, those with the same time limit together."""
    assert worker.sandbox is not None, "a worker that consumes validation has a sandbox"
    by_limit: dict[float, list[Source]] = defaultdict(list)
    for job_id, item in batch.items.items():
        parameters = {name: float(value) for name, value in item.spec.execution.parameters.items()}
        source = Source(job_id, item.format, input_of(item, worker.objects), parameters or None)
        by_limit[item.spec.timeouts.validation.seconds].append(source)
    answers: dict[str, Checked | Rejected] = {}
    for seconds, sources in by_limit.items():
        limits = Limits(wall_seconds=seconds, memory_bytes=Quantity(worker.settings.sandbox_memory).bytes)
        answers |= {answer.id: answer for answer in worker.sandbox.check(sources, limits)}
    return answers


def _refusal(answer: Rejected) -> InvalidInput:
    place = f" (line {answer.line}" if answer.line else ""
    if place and answer.column is not None:
        place += f", column {answer.column}"
    where = f"{place})" if place else ""
    quoted = f": `{answer.text.strip()}`" if answer.text else "."
    return InvalidInput(f"{answer.message.rstrip('.')}{where}{quoted}", reason=answer.reason, hint=answer.hint)


def _fit(item: Item, analysis: Analysis) -> Size:
    """The size of a job; raises InvalidInput where no worker could ever run it as it asks."""
    execution = item.spec.execution
    fit = size(analysis, method=execution.method.value, shots=execution.shots)
    if fit.memory is None:
        raise InvalidInput(
            f"Aer's {fit.method} method cannot run this circuit.",
            reason="MethodCannotRun",
            hint="Use execution.method: automatic.",
        )
    layout = execution.initial_layout
    if layout is not None and len(layout) != analysis.qubits:
        raise InvalidInput(
            f"execution.initialLayout names {len(layout)} qubits, but the circuit has {analysis.qubits}.",
            reason="InvalidLayout",
            hint="Give one physical qubit for each qubit of the circuit, in order.",
        )
    limit = execution.memory_limit
    if limit is not None and fit.memory > limit.bytes:
        raise InvalidInput(
            f"Simulating {analysis.active_qubits} qubits with Aer's {fit.method} method takes about "
            f"{readable(fit.memory)}, more than execution.memoryLimit, {limit}.",
            reason="MemoryLimitExceeded",
            hint="Raise the limit, use fewer qubits, or try execution.method: matrix_product_state.",
        )
    return fit


def readable(count: int) -> str:
    """A number of bytes as people write it: `16.0 TiB`."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"):
        if value < 1024 or unit == "EiB":
            return f"{value:.0f} {unit}" if unit in ("B", "KiB", "MiB") else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError("unreachable: the last unit takes everything")


def _row(item: Item) -> dict[str, Any]:
    return {
        "job_id": item.job.id,
        "fingerprint": item.fingerprint,
        "analysis": item.analysis,
        "qpy": item.qpy if item.circuit_key is None else None,
        "object_key": item.circuit_key,
    }
