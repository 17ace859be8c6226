"""Ending an attempt at a provider: its result is fetched, checked and stored, then the phase changes; or why there is
none is told apart."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from qtasks.backends.protocol import BackendError, Outcome, ProviderJob, ProviderState, RemoteBackend
from qtasks.costs.cost import Cost
from qtasks.costs.simulator import micros
from qtasks.lifecycle import ConditionStatus, ConditionType, Phase
from qtasks.objects import keys
from qtasks.results import encode
from qtasks.results.encoding import digest
from qtasks.stages.aftercare import see_to
from qtasks.stages.batch import Item, item_of
from qtasks.stages.endings import COMPLETED, EXECUTED, STORED, fail_or_retry
from qtasks.stages.remote.results import calibration_key, metrics_of, result_of, started
from qtasks.stages.worker import Worker
from qtasks.store import accounts, alerts, jobs, ledger, moves, provider_jobs
from qtasks.store.accounts import Visit
from qtasks.store.claims import Claim, claimed
from qtasks.store.records import Condition, Event
from qtasks.telemetry import traces

_ENDING_SECONDS = 60.0


def end(worker: Worker, visit: Visit, backend: RemoteBackend, row: Any, said: ProviderJob) -> None:
    """End the attempt of `row`, an open provider job that its provider calls final.

    Raises Unavailable when provider or services are away: nothing has changed then, and the next visit comes back.
    """
    if row.doubtful:
        _cancel_extras(backend, row)
    wanted = not Phase(row.phase).final and row.current_attempt == row.attempt
    if wanted and said.state is ProviderState.DONE:
        _complete(worker, visit, backend, row, said)
    elif wanted and said.state is ProviderState.CANCELLED:
        _end(worker, visit, backend, row, said, _cancelled)
    elif wanted:
        _end(worker, visit, backend, row, said, _failed)
    else:
        with worker.store.begin() as tx:
            if accounts.mine(tx, visit):
                _settle(tx, row, said, _cost(worker, backend, row, said))


def _cancel_extras(backend: RemoteBackend, row: Any) -> None:
    for found in backend.find(row.tag, since=row.intended_at - provider_jobs.CLOCKS_APART):
        if found.id != row.provider_job_id and not found.state.final:
            backend.cancel(found.id)


def _complete(worker: Worker, visit: Visit, backend: RemoteBackend, row: Any, said: ProviderJob) -> None:
    with worker.store.read() as tx:
        full = jobs.get(tx, row.job_id)
        payload = next(jobs.payload(tx, [row.job_id]))
    item = item_of(claimed(full), payload)
    try:
        with traces.span("provider.result", [row.job_id], kind="client", account=row.account):
            outcome = backend.result(row.provider_job_id)
        _check(outcome, item)
    except BackendError as error:
        failed = BackendError(error.message, reason=error.reason, hint=error.hint, heals=error.heals)
        _end(worker, visit, backend, row, said, lambda tx, claim, item, _: fail_or_retry(tx, claim, item, failed))
        return
    said = replace(said, running_at=said.running_at or started(outcome) or row.running_at)
    calibration = calibration_key(worker, backend, row, said)
    cost = _cost(worker, backend, row, said)
    result = result_of(worker, item, row, said, outcome, cost, calibration)
    data = encode(result)
    # One key per visit: a poller that lost the account must not write over the result of the one that has it.
    key = keys.result(item.job.namespace, row.job_id, visit.fence)
    with traces.span("result.store", [row.job_id], bytes=len(data)):
        worker.objects.put(key, data)
    counts = result.summary()
    provenance = result.provenance
    entry = {
        "job_id": row.job_id,
        "attempt": row.attempt,
        "object_key": key,
        "offset": 0,
        "length": len(data),
        "sha256": digest(data),
        "counts": counts if len(json.dumps(counts)) <= worker.settings.counts_summary_bytes else None,
        "metrics": metrics_of(provenance),
    }

    def commit(tx: Any) -> set[str]:
        if not accounts.mine(tx, visit):
            return set()
        claim = _taken(tx, worker, row)
        if claim is None and provider_jobs.wanted(tx, row.job_id, row.attempt):
            return set()
        _settle(tx, row, said, cost, calibration_key=calibration)
        if claim is None:
            return set()
        held = moves.finish(
            tx,
            claim,
            claim.ids,
            Phase.COMPLETED,
            event=COMPLETED,
            conditions=[EXECUTED, STORED],
            aftercare=item.loose_ends,
            started_at=said.running_at or full.started_at,
        )
        moves.keep_results(tx, [entry])
        return held

    held = worker.store.insist(commit, seconds=300)
    worker.notifier.tell(dict.fromkeys(held, Phase.COMPLETED))
    if held and item.loose_ends:
        see_to(worker, row.job_id, result=result)


def _taken(tx: Any, worker: Worker, row: Any) -> Claim | None:
    """The job, to be ended; None when it was cancelled meanwhile, or whoever submitted it has not let go of it."""
    return provider_jobs.take(tx, row.job_id, row.attempt, owner=worker.owner, lease_seconds=_ENDING_SECONDS)


def _check(outcome: Outcome, item: Item) -> None:
    """Raises BackendError for a result that cannot be: what is stored is kept for good."""
    found = outcome.each()
    if len(found) != item.extent.runs:
        message = f"The provider's result is of {len(found)} circuits; {item.extent.runs} were run."
        raise BackendError(message, reason="ResultInvalid", heals=True)
    for each in found:
        if sum(each.counts.values()) != each.shots or (item.several and each.shots != item.extent.most_shots):
            raise BackendError(
                f"The provider's result has {sum(each.counts.values())} counts of {each.shots} shots.",
                reason="ResultInvalid",
                heals=True,
            )


def _end(
    worker: Worker,
    visit: Visit,
    backend: RemoteBackend,
    row: Any,
    said: ProviderJob,
    ending: Callable[[Any, Claim, Item, ProviderJob], Phase | None],
) -> None:
    """End an attempt that gave nothing."""
    with worker.store.read() as tx:
        payload = next(jobs.payload(tx, [row.job_id]))
    cost = _cost(worker, backend, row, said)

    def commit(tx: Any) -> Phase | None:
        if not accounts.mine(tx, visit):
            return None
        claim = _taken(tx, worker, row)
        if claim is None and provider_jobs.wanted(tx, row.job_id, row.attempt):
            return None
        _settle(tx, row, said, cost)
        return None if claim is None else ending(tx, claim, item_of(claim.jobs[0], payload), said)

    phase = worker.store.insist(commit, seconds=300)
    if phase is not None:
        worker.notifier.tell({row.job_id: phase})


def _failed(tx: Any, claim: Claim, item: Item, said: ProviderJob) -> Phase | None:
    """Why the provider has no result, in its own words; tried again where that may help and the policy allows it."""
    if said.state is ProviderState.LOST:
        error = BackendError("The provider does not know the job any more.", reason="ProviderJobLost", heals=True)
    else:
        code = f" (code {said.code})" if said.code else ""
        words = said.message.strip().rstrip(".") or "no reason was given"
        message = f"The provider could not run the job{code}: {words}."
        error = BackendError(message, reason="ProviderJobFailed", heals=said.heals)
    return fail_or_retry(tx, claim, item, error)


def _cancelled(tx: Any, claim: Claim, item: Item, said: ProviderJob) -> Phase | None:
    words = f": {said.message.strip().rstrip('.')}" if said.message.strip() else ""
    message = f"The job was cancelled at the provider, and not by qtasks{words}."
    held = moves.finish(
        tx,
        claim,
        claim.ids,
        Phase.CANCELLED,
        event=Event("CancelledAtProvider", message, warning=True),
        conditions=[Condition(ConditionType.EXECUTED, ConditionStatus.FALSE, "CancelledAtProvider", message)],
        aftercare=item.input_key is not None or item.circuit_key is not None,
    )
    return Phase.CANCELLED if held else None


def _cost(worker: Worker, backend: RemoteBackend, row: Any, said: ProviderJob) -> Cost:
    with worker.store.read() as tx:
        shots = jobs.get(tx, row.job_id).shots
    return backend.actual_cost(said, shots)


def _settle(tx: Any, row: Any, said: ProviderJob, cost: Cost, **values: Any) -> None:
    spent = None if cost.amount is None else micros(cost.amount)
    provider_jobs.settle(
        tx,
        row.job_id,
        row.attempt,
        state=said.state.value,
        quantum_seconds=said.quantum_seconds,
        running_at=said.running_at,
        finished_at=said.finished_at,
        message=said.message or None,
        cost_micros=spent,
        price=cost.price or None,
        **values,
    )
    ledger.settle(
        tx,
        row.job_id,
        row.attempt,
        micros=spent,
        quantum_seconds=said.quantum_seconds,
        price=cost.price,
        reason=said.state.value,
    )
    alerts.tell_job(tx, row.job_id)
