"""Delivering results where their users want a copy: what fails and may heal is tried again; no circuit runs for it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from qtasks.errors import Forbidden, QTasksError, Unavailable
from qtasks.lifecycle import ConditionStatus, ConditionType
from qtasks.resources import Output
from qtasks.results import JobResult, decode, timestamp
from qtasks.results.formats import render
from qtasks.results.outputs import Delivery, Means, deliver
from qtasks.results.outputs.owner import Owner
from qtasks.secrets import read_secret
from qtasks.stages.ailing import Ailing
from qtasks.stages.asking import asker
from qtasks.stages.batch import stored_spec
from qtasks.stages.worker import Worker
from qtasks.store import jobs, outputs
from qtasks.store.outputs import Try
from qtasks.store.records import Condition, Event, record, settle_condition
from qtasks.telemetry import metrics

log = logging.getLogger(__name__)

LEASE_SECONDS = 60.0
FIRST_SECONDS = 5.0
"""Of the try that the worker makes which completed the job: it has other work to do."""
SECONDS = 20.0
_LEAST_SECONDS, _MOST_SECONDS = 10.0, 600.0
_AT_ONCE = 3
_QPY = b"QISKIT"
_WAITING_SECONDS = 4.0

_slots = threading.BoundedSemaphore(_AT_ONCE)
_ailing = Ailing()


def deliver_due(worker: Worker) -> int:
    """Deliver what is due; returns how many were begun. Safe to run from several places at once.

    Takes about four seconds at most: what takes longer goes on in threads of this process, of which there are few, and
    ends within `SECONDS`. A process that dies over a delivery leaves it to be begun again.
    """
    begun: list[threading.Thread] = []
    ends = time.monotonic() + _WAITING_SECONDS
    while time.monotonic() < ends and _slots.acquire(timeout=max(ends - time.monotonic(), 0.0)):
        try:
            attempt = _take(worker)
        except QTasksError:
            _slots.release()
            raise
        if attempt is None:
            _slots.release()
            break
        begun.append(threading.Thread(target=_in_thread, args=(worker, attempt), name="delivery", daemon=True))
        begun[-1].start()
    for thread in begun:
        thread.join(max(ends - time.monotonic(), 0.0))
    return len(begun)


def _take(worker: Worker) -> Try | None:
    with worker.store.begin() as tx:
        return outputs.take(tx, lease_seconds=LEASE_SECONDS)


def _in_thread(worker: Worker, attempt: Try) -> None:
    try:
        deliver_once(worker, attempt, seconds=SECONDS)
    except Unavailable as error:
        log.warning("the output of job %s has to wait: %s", attempt.job_id, error)
    except Exception as error:
        # Its message may hold anything; the lease brings the delivery back.
        log.error("delivering the output of job %s failed with %s", attempt.job_id, type(error).__name__)
    finally:
        _slots.release()


def deliver_once(worker: Worker, attempt: Try, *, seconds: float, result: JobResult | None = None) -> None:
    """Try once, within `seconds`, and note what came of it. `result`: the job's, where the caller has it.

    Raises Unavailable when the database is away.
    """
    with worker.store.read() as tx:
        row = jobs.get(tx, attempt.job_id)
    output = stored_spec(row.resource["spec"]).output
    assert output is not None, "only what a job wants is delivered"
    try:
        where = _deliver(worker, row, output, seconds=seconds, result=result)
    except Unavailable as error:
        _may_heal(worker, attempt, error)
    except QTasksError as error:
        _end(worker, attempt, error, outputs.REFUSED)
    else:
        _delivered(worker, attempt, where)


def _deliver(worker: Worker, row: Any, output: Output, *, seconds: float, result: JobResult | None) -> str:
    ends = time.monotonic() + seconds
    secret_name = _secret_name(row, output)
    target = (output.type, row.namespace, output.location.partition("{")[0], secret_name)
    _ailing.refuse(target)
    secret = _secret(worker, row.namespace, secret_name) if output.type in ("s3", "gcs") else None
    settings = worker.settings
    means = Means(
        settings, secret, asker(settings, ends=ends), asker(settings, ends=ends, own=True), ends - time.monotonic()
    )
    found = result or decode(
        worker.objects.get(row.result_key, row.result_offset, row.result_length), sha256=row.result_sha256
    )
    circuit = _circuit(worker, row.id) if output.format == "qpy" else None
    rendered = render(found, output.format.value, circuit)
    day = f"{row.finished_at:%Y-%m-%d}"
    owner = Owner.of(row.resource)
    job = Delivery(row.namespace, row.id, output.location, output.path, row.name, output.format.value, day, owner)
    try:
        where = deliver(output.type.value, job, rendered, means)
    except QTasksError as error:
        hidden = _without(error, secret)
        if isinstance(hidden, Unavailable):
            _ailing.fell(target, hidden)
        raise hidden from None
    _ailing.rose(target)
    return where


def _secret_name(row: Any, output: Output) -> str | None:
    spec = stored_spec(row.resource["spec"])
    credentials = output.credentials or spec.credentials
    return None if credentials is None else credentials.secret_ref.name


def _secret(worker: Worker, namespace: str, name: str | None) -> Mapping[str, str] | None:
    """The values of a secret of the job's own namespace. An account's is none of a job's: what it may do is not for
    whoever may submit."""
    if name is None:
        return None
    try:
        reserved = worker.config.reserves(namespace=namespace, name=name)
    except QTasksError as error:
        # No reason to give an output up: the file may be right again in a minute.
        raise Unavailable("QTASKS_CONFIG cannot be used.", reason="OutputUnavailable", hint=str(error)) from None
    if reserved:
        raise Forbidden(
            f"The secret {namespace}/{name} belongs to an account.",
            reason="SecretReserved",
            hint="Name a secret of your own for the output in output.credentials.",
        )
    return read_secret(worker.settings, namespace=namespace, name=name).values


def _circuit(worker: Worker, job_id: str) -> bytes | None:
    """The job's checked circuit, where it is kept; None for a job of several, which are kept in another form."""
    with worker.store.read() as tx:
        payload = next(jobs.payload(tx, [job_id]))
    kept = payload.qpy
    if kept is None and payload.circuit_key is not None:
        kept = worker.objects.get(payload.circuit_key)
    return bytes(kept) if kept is not None and bytes(kept[: len(_QPY)]) == _QPY else None


def _without(error: QTasksError, secret: Mapping[str, str] | None) -> QTasksError:
    """The error without any value of the secret, whoever brought it there."""
    message, hint = error.message, error.hint
    for value in (secret or {}).values():
        if len(value) > 3:
            message, hint = message.replace(value, "***"), hint.replace(value, "***")
    return type(error)(message, reason=error.reason, hint=hint)


def _delivered(worker: Worker, attempt: Try, where: str) -> None:
    message = f"The result was delivered to {where}."
    metrics.DELIVERIES.count(kind="output", outcome="delivered")
    with worker.store.begin() as tx:
        if outputs.delivered(tx, attempt):
            _note(tx, worker, attempt, ConditionStatus.TRUE, Event("OutputDelivered", message), reason="Delivered")


def _may_heal(worker: Worker, attempt: Try, error: QTasksError) -> None:
    longest = worker.settings.output_retry_seconds
    if attempt.age_seconds >= longest:
        _end(worker, attempt, error, outputs.GIVEN_UP)
        return
    metrics.DELIVERIES.count(kind="output", outcome="put_off")
    seconds = min(max(attempt.age_seconds, _LEAST_SECONDS), _MOST_SECONDS, max(longest - attempt.age_seconds, 1.0))
    when, until = (timestamp(attempt.now + timedelta(seconds=s)) for s in (seconds, longest - attempt.age_seconds))
    message = f"{error.message} It is tried again at {_second(when)}, until {_second(until)} if need be."
    with worker.store.begin() as tx:
        if outputs.put_off(tx, attempt, error.message, seconds=seconds):
            condition = Condition(ConditionType.OUTPUT_DELIVERED, ConditionStatus.FALSE, "OutputRetrying", message)
            settle_condition(tx, [attempt.job_id], condition)
            if error.message != attempt.problem:
                record(tx, [attempt.job_id], Event("OutputRetrying", message, warning=True), source=worker.owner)


def _end(worker: Worker, attempt: Try, error: QTasksError, state: str) -> None:
    reason, said = error.reason, str(error)
    if state == outputs.GIVEN_UP:
        reason, said = "OutputGivenUp", f"{said} It is not tried any more."
    message = f"{said} Once that is put right: qtasks redeliver {attempt.job_id}"
    log.warning("the output of job %s is %s: %s", attempt.job_id, state, reason)
    metrics.DELIVERIES.count(kind="output", outcome=state)
    with worker.store.begin() as tx:
        if outputs.end(tx, attempt, error.message, state=state):
            _note(tx, worker, attempt, ConditionStatus.FALSE, Event(reason, message, warning=True), reason=reason)


def _note(tx: Any, worker: Worker, attempt: Try, status: ConditionStatus, event: Event, *, reason: str) -> None:
    settle_condition(tx, [attempt.job_id], Condition(ConditionType.OUTPUT_DELIVERED, status, reason, event.message))
    record(tx, [attempt.job_id], event, source=worker.owner)


def _second(when: str) -> str:
    return when.partition(".")[0] + "Z"
