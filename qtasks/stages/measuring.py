"""What workers count of the claims that they work on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from qtasks.lifecycle import Stage
from qtasks.queue import level_name
from qtasks.store.claims import Claim
from qtasks.telemetry import metric, metrics


def note_claim(claim: Claim) -> None:
    """Count jobs that were taken up: how long new ones have waited, and those that an earlier process had lost."""
    if metric.registry() is None:
        return
    lost = sum(bool(job.takeovers or job.alone) for job in claim.jobs)
    metrics.TAKEOVERS.count(lost, stage=claim.stage.value)
    if claim.stage is not Stage.VALIDATION:
        return
    now = claim.clock.now()
    for job in claim.jobs:
        if job.attempt == 1 and not job.takeovers and not job.alone:
            waited = max(0.0, (now - job.created_at).total_seconds())
            metrics.WAIT_SECONDS.observe(waited, priority=level_name(job.priority))


@contextmanager
def measured(claim: Claim) -> Iterator[None]:
    """Measure what is done to `claim` at its stage, whatever comes of it."""
    started = time.monotonic()
    try:
        yield
    finally:
        metrics.STAGE_SECONDS.observe(time.monotonic() - started, stage=claim.stage.value)
        metrics.STAGE_JOBS.count(len(claim.jobs), stage=claim.stage.value)
