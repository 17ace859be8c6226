"""The reconciler: every few seconds it puts right what messages and dead processes left wrong."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass

from qtasks.access import limits_of
from qtasks.errors import NotFound, QTasksError, Unavailable
from qtasks.lifecycle import Phase, Queue, Stage
from qtasks.queue import Hint
from qtasks.stages.aftercare import see_to
from qtasks.stages.alerts import see_to_alerts, see_to_notices
from qtasks.stages.delivery import deliver_due
from qtasks.stages.worker import Worker
from qtasks.store import claims, ledger, tenants, upkeep
from qtasks.store.claims import Head
from qtasks.store.tables import jobs
from qtasks.telemetry import metrics

log = logging.getLogger(__name__)

_RECONCILE = 1
"""The number of this periodic task's advisory lock."""
_AT_ONCE = 500
_HINTS_A_LEVEL = 16
_AFTERCARE_SECONDS = 20.0
_FORGET_WORKERS_SECONDS = 3600.0
_NO_LIMIT = 2**62
_CLAIMED = Queue.of(Stage.EXECUTION, Stage.SCHEDULING, Stage.VALIDATION)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What one look put right, in jobs and messages."""

    freed: int = 0
    ended: int = 0
    hints: int = 0
    tidied: int = 0


def reconcile(worker: Worker) -> Reconciled:
    """Free expired leases, end jobs whose time ran out, publish lost hints again, and finish what is left of final
    jobs. Safe to run from several places at once: one of them does it."""
    with worker.store.begin() as tx:
        if not upkeep.sole(tx, _RECONCILE):
            return Reconciled()
        freed = claims.expire(tx, limit=_AT_ONCE)
        overdue = upkeep.end_overdue(tx)
        hopeless = upkeep.end_hopeless(tx, max_takeovers=worker.settings.max_takeovers, where=jobs.c.id.in_(freed))
        upkeep.forget_workers(tx, older_than_seconds=_FORGET_WORKERS_SECONDS)
        ledger.release_orphans(tx)
    metrics.LEASES_LOST.count(len(freed), cause="expired")
    metrics.FAILURES.count(len(overdue), reason="TotalTimeout")
    metrics.FAILURES.count(len(hopeless), reason="WorkerLost")
    ended = {*overdue, *hopeless}
    worker.notifier.tell(dict.fromkeys(ended, Phase.FAILED))
    _wake_waiting(worker)
    _keep_tenants(worker)
    see_to_alerts(worker)
    see_to_notices(worker)
    deliver_due(worker)
    hints = 0
    with suppress(Unavailable):
        hints = _hint_again(worker)
    return Reconciled(len(freed), len(ended), hints, _tidy(worker))


def _wake_waiting(worker: Worker) -> None:
    """Let jobs go on for which there is room in their budgets again."""
    with worker.store.begin() as tx:
        woken = ledger.wake(tx)
    with suppress(Unavailable):
        worker.publisher.publish(*(Hint(Queue.SCHEDULING, row.id, row.name, row.priority) for row in woken))


def _keep_tenants(worker: Worker) -> None:
    """Let the limits of QTASKS_CONFIG hold."""
    if worker.settings.config_file is None:
        return
    try:
        limits = limits_of(worker.config)
    except QTasksError as error:
        log.error("the limits of namespaces stay as they were: %s", error)
        return
    with worker.store.begin() as tx:
        tenants.keep(tx, limits)


def _hint_again(worker: Worker) -> int:
    """Publish hints where work waits and none says so.

    A queue with any message at a level needs none: whoever takes it wakes the next process while work is left.
    """
    with worker.store.read() as tx:
        heads = claims.heads(tx, *_CLAIMED, memory=_NO_LIMIT, limits=True)
    by_level: dict[tuple[Queue, int], list[Head]] = {}
    for head in heads:
        by_level.setdefault((head.queue, head.priority), []).append(head)
    published = 0
    for (queue, priority), waiting in by_level.items():
        if worker.publisher.waiting(queue, priority) == 0:
            hints = [Hint(queue, head.job_id, head.name, priority) for head in waiting[:_HINTS_A_LEVEL]]
            worker.publisher.publish(*hints)
            published += len(hints)
    return published


def _tidy(worker: Worker) -> int:
    with worker.store.read() as tx:
        left = upkeep.loose_ends(tx, older_than_seconds=_AFTERCARE_SECONDS, limit=_AT_ONCE)
    tidied = 0
    for job_id in left:
        try:
            see_to(worker, job_id)
            tidied += 1
        except Unavailable as error:
            log.warning("what is left of job %s has to wait: %s", job_id, error)
            break
        except (NotFound, QTasksError) as error:
            log.error("what is left of job %s cannot be seen to: %s", job_id, error)
            with worker.store.begin() as tx:
                upkeep.tied_up(tx, [job_id])
    return tidied
