"""One turn of a worker: claim the best work that waits, do it, and carry on with its next stages where that is due."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress

from qtasks.errors import QTasksError, Unavailable
from qtasks.lifecycle import Phase, Stage
from qtasks.stages.batch import Batch, load
from qtasks.stages.execute import execute, time_limit
from qtasks.stages.measuring import measured
from qtasks.stages.schedule import schedule
from qtasks.stages.telling import at_stage, of_claim
from qtasks.stages.validate import validate
from qtasks.stages.worker import Worker
from qtasks.store import claims, upkeep
from qtasks.store.claims import Claim
from qtasks.store.tables import jobs
from qtasks.telemetry import metrics

log = logging.getLogger(__name__)

_STAGES: dict[Stage, Callable[[Worker, Batch], Batch | None]] = {
    Stage.VALIDATION: validate,
    Stage.SCHEDULING: schedule,
    Stage.EXECUTION: execute,
}
_AT_A_STRETCH_SECONDS = 1.0
"""How long one message may keep a process at work on what waits."""
_UNAVAILABLE_SECONDS = 5.0
"""How long work waits that was given back because a service was away."""


def work(worker: Worker, stage: Stage) -> list[str]:
    """Do the best work that waits at `stage` (or, where it is more urgent, at another stage of this worker), and go on
    with what waits then for a little while: the way through the broker and back costs more than a small job.

    Returns the ids of the jobs that were worked on; none when there was nothing to claim, as when a hint comes twice.
    Raises Unavailable when the database is away: nothing was claimed then, or the reconciler frees it.
    """
    done: list[str] = []
    until = time.monotonic() + _AT_A_STRETCH_SECONDS
    while claim := worker.claim(stage):
        with worker.holding(claim), of_claim(worker, claim):
            _carry_out(worker, claim, hinted=not done)
        done += claim.ids
        if time.monotonic() > until:
            worker.wake_another(stage)
            break
    return done


def _carry_out(worker: Worker, claim: Claim, *, hinted: bool) -> None:
    """Take a claim as far as it goes. What no message of its own stands for is shown to whoever watches."""
    try:
        batch: Batch | None = load(worker.store, claim)
        while batch is not None:
            claim = batch.claim
            if claim.stage is Stage.EXECUTION:
                worker.leases.hold(claim, limit_seconds=time_limit(batch))
            shown = nullcontext() if hinted else worker.shown(claim.stage, claim)
            with at_stage(worker, claim), measured(claim), shown:
                batch = _STAGES[claim.stage](worker, batch)
            hinted = False
    except Unavailable as error:
        log.warning("%s gave back %d jobs: %s", worker.owner, len(claim.jobs), error)
        with suppress(Unavailable), worker.store.begin() as tx:
            claims.give_back(tx, claim, claim.ids, message=error.message, delay_seconds=_UNAVAILABLE_SECONDS)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        # A panic of Qiskit's Rust code is no Exception, and no reason for a worker to die.
        _surprised(worker, claim, error)


def _surprised(worker: Worker, claim: Claim, error: BaseException) -> None:
    """A worker never dies of a job: what nobody foresaw counts as if the process had died, and is tried again alone."""
    log.exception("%s failed at %s of %d jobs", worker.owner, claim.stage.value, len(claim.jobs))
    reason = error.reason if isinstance(error, QTasksError) else type(error).__name__
    message = f"The worker failed at {claim.stage.value} ({reason}); its log has the details."
    with suppress(Unavailable):
        with worker.store.begin() as tx:
            guard = claims.guard(claim, claim.ids)
            claims.lost(tx, guard, together=len(claim.jobs), message=message, owner=claim.owner)
            ended = upkeep.end_hopeless(tx, max_takeovers=worker.settings.max_takeovers, where=jobs.c.id.in_(claim.ids))
        metrics.LEASES_LOST.count(len(claim.jobs), cause="failed")
        metrics.FAILURES.count(len(ended), reason="WorkerLost")
        worker.notifier.tell(dict.fromkeys(ended, Phase.FAILED))
        worker.hint_of(claim.ids)
