"""Whatever several owners do, in whatever order, with claims they still have or have long lost: what always holds."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import event, func, select, text

from qtasks.lifecycle import ENTRY, FINAL, TRANSITIONS, Phase, Stage
from qtasks.store import Store, upkeep
from qtasks.store.claims import Claim
from qtasks.store.tables import jobs as jobs_table
from qtasks.store.tables import metadata, results
from tests.store.acting import Acting

MAX_RETRIES = 2
MAX_TAKEOVERS = 1
LEASES = st.sampled_from([30.0, -1.0])
_ALLOWED = {(t.source, t.target) for t in TRANSITIONS}


@dataclass
class Expected:
    """What a job must be, by what the operations answered."""

    phase: Phase = Phase.PENDING
    claim: Claim | None = None
    attempt: int = 1
    takeovers: int = 0
    fence: int = 0


class Owners(RuleBasedStateMachine):
    """Some workers, users and a reconciler over one store."""

    fresh: Any

    def __init__(self) -> None:
        super().__init__()
        self.acting = Acting(type(self).fresh())
        self.jobs: dict[str, Expected] = {}
        self.last_fence = 0

    claims = Bundle("claims")

    def teardown(self) -> None:
        try:
            for job_id, expected in self.jobs.items():
                self._check_path(self.acting.events(job_id), expected.phase)
        finally:
            self.acting.store.close()

    @staticmethod
    def _check_path(reasons: list[str], end: Phase) -> None:
        """The phases that the events tell of follow the table."""
        if reasons[-1] == "WorkerLost" and end is Phase.FAILED:
            reasons[-1] = end
        path = [Phase(reason) for reason in reasons if reason in set(Phase)]
        for source, target in zip([Phase.PENDING, *path], path, strict=False):
            assert (source, target) in _ALLOWED or (source == target and source not in FINAL), path
        assert [phase for phase in path if phase in FINAL] == ([end] if end in FINAL else [])

    @rule(batchable=st.booleans(), total=st.sampled_from([None, None, 3600.0]), priority=st.sampled_from([0, 6]))
    def submit(self, batchable: bool, total: float | None, priority: int) -> None:
        job_id = self.acting.submitted(batchable=batchable, total_seconds=total, priority=priority)
        self.jobs[job_id] = Expected()

    @rule(
        target=claims,
        owner=st.sampled_from(["worker/1", "worker/2", "worker/3"]),
        stage=st.sampled_from([Stage.VALIDATION, Stage.SCHEDULING, Stage.EXECUTION]),
        limit=st.sampled_from([1, 3]),
        lease=LEASES,
        begin=st.booleans(),
    )
    def claim(self, owner: str, stage: Stage, limit: int, lease: float, begin: bool) -> Claim:
        none = Claim(0, owner, stage, ())
        heads = self.acting.heads(stage)
        if not heads:
            return none
        claim = self.acting.take(heads[0], stage, owner=owner, limit=limit, lease_seconds=lease)
        assert claim is not None, "nobody else is at it"
        assert claim.fence > self.last_fence
        self.last_fence = claim.fence
        for job in claim.jobs:
            expected = self.jobs[job.id]
            assert expected.claim is None, "two owners"
            assert (job.attempt, job.takeovers) == (expected.attempt, expected.takeovers)
            expected.claim, expected.fence = claim, claim.fence
            expected.phase = ENTRY[stage]
        if begin and stage is Stage.EXECUTION:
            self.acting.begin_attempts(claim)
        return claim

    def _held(self, claim: Claim, *phases: Phase) -> set[str]:
        """Those jobs of a claim that are still its own and in one of `phases`."""
        return {
            job.id
            for job in claim.jobs
            if self.jobs[job.id].fence == claim.fence
            and self.jobs[job.id].claim is not None
            and self.jobs[job.id].phase in phases
        }

    def _expect(self, ids: Any, phase: Phase | None = None, *, held: bool = False) -> None:
        for job_id in ids:
            self.jobs[job_id].phase = phase or self.jobs[job_id].phase
            if not held:
                self.jobs[job_id].claim = None

    @rule(claim=claims, keep=st.booleans(), to=st.sampled_from([Stage.SCHEDULING, Stage.EXECUTION]))
    def advance(self, claim: Claim, keep: bool, to: Stage) -> None:
        held = self._held(claim, Phase.VALIDATING, Phase.SCHEDULING, Phase.PENDING, Phase.RETRYING)
        assert self.acting.advance(claim, Phase.SCHEDULING, stage=to, keep=keep) == held
        self._expect(held, Phase.SCHEDULING, held=keep)

    @rule(claim=claims)
    def carry_on_to_execution(self, claim: Claim) -> None:
        held = self._held(claim, Phase.SCHEDULING, Phase.RUNNING)
        assert self.acting.advance(claim, Phase.RUNNING, stage=Stage.EXECUTION) == held
        self._expect(held, Phase.RUNNING, held=True)

    @rule(claim=claims)
    def complete(self, claim: Claim) -> None:
        held = self._held(claim, Phase.RUNNING, Phase.SCHEDULING)
        assert self.acting.finish(claim) == held
        self._expect(held, Phase.COMPLETED)

    @rule(claim=claims)
    def fail(self, claim: Claim) -> None:
        held = self._held(claim, *(phase for phase in Phase if phase not in FINAL))
        assert self.acting.finish(claim, Phase.FAILED) == held
        self._expect(held, Phase.FAILED)

    @rule(claim=claims, at=st.sampled_from([Stage.VALIDATION, Stage.SCHEDULING]))
    def retry(self, claim: Claim, at: Stage) -> None:
        for job in claim.jobs:
            if job.attempt > MAX_RETRIES:
                continue
            alone = claim.only({job.id})
            held = self._held(alone, Phase.RUNNING, Phase.VALIDATING)
            assert self.acting.retry(alone, stage=at) == bool(held)
            self._expect(held, Phase.RETRYING)
            self.jobs[job.id].attempt += len(held)

    @rule(claim=claims)
    def postpone(self, claim: Claim) -> None:
        for job_id in claim.ids:
            alone = claim.only({job_id})
            held = self._held(alone, Phase.SCHEDULING)
            assert self.acting.postpone(alone) == bool(held)
            self._expect(held, Phase.PENDING)

    @rule(claim=claims)
    def give_back(self, claim: Claim) -> None:
        held = self._held(claim, *Phase)
        assert set(self.acting.give_back(claim)) == held
        self._expect(held)

    @rule(claim=claims)
    def die(self, claim: Claim) -> None:
        held = self._held(claim, *Phase)
        assert set(self.acting.lose(claim)) == held
        self._expect(held)
        if len(claim.jobs) == 1:
            for job_id in held:
                self.jobs[job_id].takeovers += 1

    @rule(claim=claims, lease=LEASES)
    def renew(self, claim: Claim, lease: float) -> None:
        held = self._held(claim, *Phase)
        assert self.acting.renew(claim, lease_seconds=lease) == {(job_id, claim.fence) for job_id in held}
        assert self.acting.still_held(claim) == held

    @rule()
    def reconcile(self) -> None:
        for job_id in self.acting.expire():
            expected = self.jobs[job_id]
            assert expected.claim is not None
            row = self.acting.row(job_id)
            assert row.takeovers - expected.takeovers in (0, 1)
            assert row.alone or row.takeovers > expected.takeovers, "counted only when alone"
            expected.takeovers, expected.claim = row.takeovers, None
        hopeless = {
            job_id
            for job_id, e in self.jobs.items()
            if e.claim is None and e.takeovers > MAX_TAKEOVERS and e.phase not in FINAL
        }
        with self.acting.store.begin() as tx:
            ended = upkeep.end_hopeless(tx, max_takeovers=MAX_TAKEOVERS, where=jobs_table.c.id.in_(list(self.jobs)))
        assert set(ended) == hopeless
        self._end(hopeless, Phase.FAILED)

    @rule(place=st.integers(0, 20))
    def cancel(self, place: int) -> None:
        chosen = [job_id for number, job_id in enumerate(self.jobs) if number % 5 == place % 5][:1]
        open_ones = [job_id for job_id in chosen if self.jobs[job_id].phase not in FINAL]
        assert self.acting.cancel(*chosen) == open_ones
        self._end(open_ones, Phase.CANCELLED)

    def _end(self, ids: Any, phase: Phase) -> None:
        self._expect(ids, phase)

    @invariant()
    def every_row_is_as_expected(self) -> None:
        with self.acting.store.read() as tx:
            rows = tx.execute(select(jobs_table)).all()
            stored = dict(tuple(row) for row in tx.execute(select(results.c.job_id, func.count()).group_by("job_id")))
        assert len(rows) == len(self.jobs)
        for row in rows:
            expected = self.jobs[row.id]
            holder = expected.claim
            assert (row.phase, row.attempt, row.takeovers) == (expected.phase, expected.attempt, expected.takeovers)
            assert (row.owner, row.fence) == (holder.owner if holder else None, expected.fence)
            assert (row.lease_until is None) == (holder is None)
            assert (row.stage is None) == (row.finished_at is not None) == (expected.phase in FINAL)
            assert row.attempt <= MAX_RETRIES + 1
            assert stored.get(row.id, 0) == (row.phase == Phase.COMPLETED)


@pytest.mark.system
def test_the_invariants_hold_on_sqlite(migrated_file: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:

        def fresh() -> Store:
            path = shutil.copy(migrated_file, tempfile.mkdtemp(dir=folder))
            store = Store(f"sqlite:///{path}")
            # A power cut is not among the things that happen here.
            event.listen(store.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
            return store

        _run(fresh, examples=25)


@pytest.mark.system
def test_the_invariants_hold_on_postgresql(postgres_acting: Acting) -> None:
    url = postgres_acting.store.url.render_as_string(hide_password=False)

    def fresh() -> Store:
        store = Store(url, pool_size=1)
        with store.begin() as tx:
            tx.execute(text("TRUNCATE " + ", ".join(table.name for table in metadata.sorted_tables)))
        return store

    _run(fresh, examples=12)


def _run(fresh: Any, *, examples: int) -> None:
    machine = type("Owners", (Owners,), {"fresh": staticmethod(fresh)})
    run_state_machine_as_test(machine, settings=settings(max_examples=examples, stateful_step_count=40))
