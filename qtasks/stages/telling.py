"""What the lines and the spans say that are written while jobs are worked on: which they are, where, and by whom."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from qtasks.backends.protocol import ProviderJob
from qtasks.lifecycle import Queue, Stage
from qtasks.stages.worker import Worker
from qtasks.store.claims import Claim, ClaimedJob
from qtasks.telemetry import logs, traces

log = logging.getLogger(__name__)


def of_claim(worker: Worker, claim: Claim) -> AbstractContextManager[None]:
    """Have every line of the block name the job of `claim`; of a batch the first, and how many `jobs` there are."""
    first, count = claim.jobs[0], len(claim.jobs)
    return logs.about(
        job_id=first.id,
        job=first.name,
        jobs=count if count > 1 else None,
        attempt=first.attempt,
        namespace=first.namespace,
        stage=claim.stage.value,
        queue=_queue(worker, claim.stage),
        worker=worker.owner,
        trace_id=traces.trace_id(first.id) if traces.on() else None,
    )


@contextmanager
def at_stage(worker: Worker, claim: Claim) -> Iterator[None]:
    """Time what is done to `claim` at its stage: a line at the end, and a span of each job."""
    stage, queue = claim.stage.value, _queue(worker, claim.stage)
    each = spanned(*claim.jobs) if traces.on() else {}
    batch = len(claim.jobs) if len(claim.jobs) > 1 else None
    began = time.monotonic()
    with (
        logs.about(stage=stage, queue=queue),
        traces.span(stage, each, kind="consumer", stage=stage, queue=queue, worker=worker.owner, batch=batch),
    ):
        yield
        log.info("%s took %.0f ms", stage, 1e3 * (time.monotonic() - began))


def of_row(row: Any, *, account: str | None = None) -> AbstractContextManager[None]:
    """Have every line of the block name the job of `row`, which stands at a provider."""
    return logs.about(job_id=row.job_id, attempt=row.attempt, account=account or row.account)


def polled(rows: Sequence[Any], standing: Mapping[str, ProviderJob], asked: int) -> None:
    """Write a span of each job at a provider that its answer says something new of: of every answer there would be
    thousands. `standing`: what was said by the provider's ids; `asked`: when, see `traces.now`."""
    if traces.on():
        news = {
            row.job_id: {"attempt": row.attempt, "account": row.account, "state": said.state.value}
            for row in rows
            if (said := standing[row.provider_job_id]).state.value != row.state
        }
        traces.noted("provider.poll", news, since=asked, kind="client", asked_of=len(rows))


def spanned(*jobs: ClaimedJob) -> Mapping[str, Mapping[str, Any]]:
    """What spans say of each of these jobs."""
    return {
        job.id: {
            "job": job.name,
            "namespace": job.namespace,
            "attempt": job.attempt,
            "priority": job.priority,
        }
        for job in jobs
    }


def _queue(worker: Worker, stage: Stage) -> str | None:
    """The queue of a stage that this worker is made for; None where it serves several, and the job says which."""
    served = [queue for queue in worker.identity.queues if queue.stage is stage] or [Queue(stage.value)]
    return served[0].value if len(served) == 1 else None
