"""After every round: the results are really there. A benchmark that lost one is not a benchmark."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import func, select

from bench.circuits import SHOTS
from bench.system import Peer
from qtasks.client import Client
from qtasks.client.job import Job
from qtasks.lifecycle import Phase
from qtasks.store.tables import jobs, results

_SAMPLE = 20


def completed(client: Client, submitted: Sequence[Job]) -> None:
    """Every job is Completed with a result of its own, and a sample of them read back adds up to the shots."""
    ids = [job.job_id() for job in submitted]
    assert len(set(ids)) == len(ids)
    with client._direct("A check").store.read() as tx:
        query = select(func.count()).select_from(jobs.join(results))
        stored = tx.execute(query.where(jobs.c.id.in_(ids), jobs.c.phase == Phase.COMPLETED.value)).scalar_one()
    assert stored == len(ids), f"{stored} of {len(ids)} jobs have a result"
    for job in submitted[:: max(1, len(submitted) // _SAMPLE)]:
        assert sum(job.result(timeout=10).get_counts().values()) == SHOTS


def counted(peer: Peer, ids: Sequence[str]) -> None:
    """The same of the peer's."""
    stored = [json.loads(text) for text in peer.redis.hmget("counts", list(ids)) if text is not None]
    assert len(stored) == len(ids), f"{len(stored)} of {len(ids)} tasks have counts"
    assert all(sum(counts.values()) == SHOTS for counts in stored)
