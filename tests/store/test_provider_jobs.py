"""Provider jobs: the intent first, one id that counts, and nobody's claim while a job is at its provider."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, update
from sqlalchemy.exc import IntegrityError

from qtasks.lifecycle import Phase, Stage
from qtasks.store import accounts, claims, provider_jobs, tables, upkeep
from qtasks.store.claims import Claim
from qtasks.store.ids import new_id
from qtasks.store.types import moment
from tests.store.acting import ROOMY, Acting, new_job

pytestmark = pytest.mark.system

T = TypeVar("T")

ABOUT = {"account": "lab", "device": "ibm_fez", "compiled": {"depth": 3}, "isa_key": "isa/1", "estimated_seconds": 2.5}
STAGES = (Stage.VALIDATION, Stage.SCHEDULING, Stage.EXECUTION)


@dataclass(frozen=True)
class Lab:
    """What is done about jobs of the account `lab`, each in a transaction of its own."""

    acting: Acting

    def do(self, what: Callable[[Connection], T]) -> T:
        with self.acting.store.begin() as tx:
            return what(tx)

    def at_once(self, number: int, what: Callable[[Connection, int], T]) -> list[T]:
        """Do it in so many threads at the same time."""
        together = threading.Barrier(number)

        def one(place: int) -> T:
            together.wait(30)
            return self.do(lambda tx: what(tx, place))

        with ThreadPoolExecutor(number) as pool:
            return list(pool.map(one, range(number)))

    def intend(self, claim: Claim, attempt: int = 1) -> bool:
        return self.do(lambda tx: provider_jobs.intend(tx, claim, claim.ids[0], attempt, ABOUT))

    def intended(self) -> Claim:
        """The claim of a job that is about to be submitted; no other job may wait."""
        claim = self.acting.running()
        self.acting.begin_attempts(claim)
        assert self.intend(claim)
        return claim

    def second(self, claim: Claim) -> Claim:
        """The claim of the next attempt, which is about to be submitted."""
        assert self.acting.retry(claim)
        scheduling = self.acting.claim(Stage.SCHEDULING)
        self.acting.advance(scheduling, Phase.SCHEDULING, stage=Stage.EXECUTION, keep=False)
        second = self.acting.claim(Stage.EXECUTION)
        self.acting.begin_attempts(second)
        assert self.intend(second, attempt=2)
        return second

    def submitted(self, job_id: str, number: str, attempt: int = 1) -> str:
        return self.do(lambda tx: provider_jobs.submitted(tx, job_id, attempt, number))

    def leave(self, claim: Claim) -> bool:
        return self.do(lambda tx: provider_jobs.leave_to_provider(tx, claim, claim.ids[0]))

    def there(self, **changes: Any) -> str:
        """A job that runs at its provider as `p-1`; no other job may wait."""
        claim = self.intended()
        (job_id,) = claim.ids
        assert self.submitted(job_id, "p-1") == "p-1"
        assert self.leave(claim)
        if changes:
            self.do(lambda tx: tx.execute(update(tables.jobs).where(tables.jobs.c.id == job_id).values(**changes)))
        return job_id

    def take(self, job_id: str, attempt: int = 1, owner: str = "poller/1") -> Claim | None:
        return self.do(lambda tx: provider_jobs.take(tx, job_id, attempt, owner=owner, lease_seconds=60))

    def settle(self, job_id: str, attempt: int = 1, **values: Any) -> None:
        self.do(lambda tx: provider_jobs.settle(tx, job_id, attempt, **{"state": "done", **values}))

    def row(self, job_id: str, attempt: int = 1) -> Any:
        return self.do(lambda tx: provider_jobs.of(tx, job_id, attempt))

    def open(self) -> list[Any]:
        return self.do(lambda tx: provider_jobs.open_at(tx, "lab"))


@pytest.fixture
def lab(acting: Acting) -> Lab:
    return Lab(acting)


def test_an_intent_says_what_is_about_to_be_submitted_and_under_which_tag(lab: Lab) -> None:
    claim = lab.intended()
    row = lab.row(claim.ids[0])
    assert (row.state, row.provider_job_id, row.settled, row.doubtful) == ("intended", None, False, False)
    assert (row.account, row.device, row.compiled, row.estimated_seconds) == ("lab", "ibm_fez", {"depth": 3}, 2.5)
    assert row.tag == f"qtasks-{claim.ids[0]}-1"
    assert row.intended_at == row.tried_at <= row.now
    job = lab.acting.row(claim.ids[0])
    assert (job.account, job.backend, job.owner) == ("lab", "ibm_fez", claim.owner)
    assert [attempt.backend for attempt in lab.acting.attempts(claim.ids[0])] == ["ibm_fez"]
    assert lab.row(claim.ids[0], attempt=2) is None


@pytest.mark.parametrize("attempt", [1, 10**6])
def test_a_tag_is_what_every_provider_takes(attempt: int) -> None:
    job_id = new_id()
    tag = provider_jobs.tag_of(job_id, attempt)
    assert re.fullmatch(r"[a-z0-9-]{1,64}", tag)
    assert job_id in tag and tag != provider_jobs.tag_of(job_id, attempt + 1)


@pytest.mark.parametrize("lost", ["given back", "taken over", "cancelled", "retried"])
def test_nothing_is_intended_under_a_claim_that_was_lost(lab: Lab, lost: str) -> None:
    claim = lab.acting.running()
    if lost == "cancelled":
        lab.acting.cancel(*claim.ids)
    elif lost == "retried":
        assert lab.acting.retry(claim)
    else:
        lab.acting.give_back(claim)
    if lost == "taken over":
        lab.acting.claim(Stage.EXECUTION, owner="worker/2")
    before = lab.acting.whole(claim.ids[0])
    assert not lab.intend(claim)
    assert lab.row(claim.ids[0]) is None
    assert lab.acting.whole(claim.ids[0]) == before
    assert not lab.leave(claim)
    assert lab.acting.whole(claim.ids[0]) == before


def test_an_attempt_is_intended_once(lab: Lab) -> None:
    claim = lab.intended()
    with pytest.raises(IntegrityError):
        lab.intend(claim)
    assert len(lab.open()) == 1


def test_whoever_takes_an_intent_over_finds_it_and_notes_the_doubt(lab: Lab) -> None:
    claim = lab.intended()
    (job_id,) = claim.ids
    tried = lab.row(job_id).tried_at
    lab.acting.give_back(claim)
    lab.acting.claim(Stage.EXECUTION, owner="worker/2")
    lab.do(lambda tx: provider_jobs.doubt(tx, job_id, 1))
    lab.do(lambda tx: provider_jobs.try_again(tx, job_id, 1))
    row = lab.row(job_id)
    assert row.doubtful and row.tried_at >= tried >= row.intended_at


def test_of_racing_submitters_the_first_counts_and_all_are_told_the_same(lab: Lab) -> None:
    (job_id,) = lab.intended().ids
    told = lab.at_once(8, lambda tx, place: provider_jobs.submitted(tx, job_id, 1, f"p-{place}"))
    assert len(set(told)) == 1
    row = lab.row(job_id)
    assert (row.provider_job_id, row.state) == (told[0], "queued")
    assert row.submitted_at is not None
    assert lab.submitted(job_id, "p-late") == told[0]
    assert lab.row(job_id)[:-1] == row[:-1]


def test_the_provider_s_id_is_noted_whoever_holds_the_job_by_now(lab: Lab) -> None:
    claim = lab.intended()
    lab.acting.cancel(*claim.ids)
    assert lab.submitted(claim.ids[0], "p-1") == "p-1"
    (row,) = lab.open()
    assert (row.phase, row.provider_job_id) == ("Cancelled", "p-1")


def test_a_submission_that_comes_after_it_was_given_up_is_not_forgotten(lab: Lab) -> None:
    claim = lab.intended()
    (job_id,) = claim.ids
    lab.acting.cancel(job_id)
    lab.settle(job_id, state=provider_jobs.ABANDONED)
    assert lab.open() == []
    assert lab.submitted(job_id, "p-1") == "p-1"
    (row,) = lab.open()
    assert (row.provider_job_id, row.settled, row.finished_at) == ("p-1", False, None)


def test_one_of_a_provider_s_jobs_belongs_to_one_job(lab: Lab) -> None:
    lab.there()
    other = lab.intended()
    with pytest.raises(IntegrityError):
        lab.submitted(other.ids[0], "p-1")
    row = lab.do(lambda tx: provider_jobs.by_provider_id(tx, "p-1"))
    assert row is not None and row.job_id != other.ids[0]
    assert lab.do(lambda tx: provider_jobs.by_provider_id(tx, "p-2")) is None
    assert lab.do(lambda tx: provider_jobs.known(tx, "lab", ["p-1", "p-2"])) == {"p-1"}
    assert lab.do(lambda tx: provider_jobs.known(tx, "other", ["p-1"])) == set()


def test_an_attempt_is_settled_once_and_billed_once(lab: Lab) -> None:
    job_id = lab.there()
    lab.settle(job_id, cost_micros=1_500_000, quantum_seconds=2.0, price="1.60 $/s")
    before = lab.row(job_id)
    assert (before.settled, before.cost_micros, before.state) == (True, 1_500_000, "done")
    assert before.finished_at is not None
    lab.settle(job_id, state="failed", cost_micros=9_000_000)
    lab.do(lambda tx: provider_jobs.progress(tx, job_id, 1, state="running"))
    assert lab.row(job_id)[:-1] == before[:-1]
    assert lab.acting.row(job_id).cost_micros == 1_500_000
    assert lab.open() == []


def test_an_attempt_that_several_settle_at_once_is_billed_once(lab: Lab) -> None:
    job_id = lab.there()
    lab.at_once(6, lambda tx, _: provider_jobs.settle(tx, job_id, 1, state="done", cost_micros=1000))
    assert lab.acting.row(job_id).cost_micros == 1000


def test_every_attempt_of_a_job_is_billed_also_when_it_is_cancelled(lab: Lab) -> None:
    claim = lab.intended()
    (job_id,) = claim.ids
    lab.second(claim)
    assert [row.attempt for row in lab.do(lambda tx: provider_jobs.all_of(tx, job_id))] == [1, 2]
    assert [(row.attempt, row.current_attempt) for row in lab.open()] == [(1, 2), (2, 2)]
    wanted = [lab.do(lambda tx, n=n: provider_jobs.wanted(tx, job_id, n)) for n in (1, 2)]  # type: ignore[misc]
    assert wanted == [False, True]
    lab.settle(job_id, 1, cost_micros=100)
    lab.acting.cancel(job_id)
    assert not lab.do(lambda tx: provider_jobs.wanted(tx, job_id, 2))
    lab.settle(job_id, 2, cost_micros=20)
    assert lab.acting.row(job_id).cost_micros == 120
    lab.settle(job_id, 2, cost_micros=20)
    assert lab.acting.row(job_id).cost_micros == 120


def test_a_provider_s_time_of_the_end_is_kept(lab: Lab) -> None:
    job_id = lab.there()
    when = lab.row(job_id).now - timedelta(hours=3)
    lab.settle(job_id, finished_at=when)
    assert abs(lab.row(job_id).finished_at - when) < timedelta(milliseconds=1)


def test_what_the_provider_says_is_noted_until_the_attempt_is_settled(lab: Lab) -> None:
    job_id = lab.there()
    lab.do(lambda tx: provider_jobs.progress(tx, job_id, 1, state="running", queue_position=None, running_at=moment()))
    (row,) = lab.open()
    assert (row.state, row.phase, row.owner, row.stage, row.attempt) == ("running", "Running", None, None, 1)
    assert row.running_at is not None and row.now >= row.running_at


def test_of_many_jobs_each_has_its_own_news_noted_but_of_those_that_are_settled(lab: Lab) -> None:
    ids = [lab.intended().ids[0] for _ in range(3)]
    lab.settle(ids[2])
    news: dict[tuple[str, int], dict[str, Any]] = {
        (job_id, 1): {"state": "queued", "queue_position": place} for place, job_id in enumerate(ids)
    }
    lab.do(lambda tx: provider_jobs.progress_of(tx, news))
    assert [lab.row(job_id).queue_position for job_id in ids] == [0, 1, None]
    assert [lab.row(job_id).state for job_id in ids] == ["queued", "queued", "done"]
    lab.do(lambda tx: provider_jobs.progress_of(tx, {}))


def test_how_long_jobs_wait_counts_from_what_happened_last(lab: Lab) -> None:
    intended, queued, running = (lab.intended().ids[0] for _ in range(3))
    settled = lab.intended().ids[0]

    def ago(job_id: str, **seconds: float) -> None:
        values = {name: moment(-value) for name, value in seconds.items()}
        lab.do(lambda tx: provider_jobs.progress(tx, job_id, 1, **values))

    ago(intended, intended_at=300)
    ago(queued, intended_at=300, submitted_at=200)
    ago(running, intended_at=300, submitted_at=200, running_at=100)
    lab.settle(settled)
    waits = sorted(lab.do(lambda tx: provider_jobs.waits(tx, "lab")), key=lambda wait: wait[1])
    assert [runs for runs, _ in waits] == [True, False, False]
    assert [seconds // 100 for _, seconds in waits] == [1, 2, 3]
    assert lab.do(lambda tx: provider_jobs.waits(tx, "other")) == []


def test_what_is_open_is_told_oldest_first_and_of_one_account(lab: Lab) -> None:
    ids = [lab.intended().ids[0] for _ in range(3)]
    lab.do(
        lambda tx: tx.execute(
            update(tables.provider_jobs)
            .where(tables.provider_jobs.c.job_id == ids[2])
            .values(intended_at=moment(-3600))
        )
    )
    assert [row.job_id for row in lab.open()] == [ids[2], *ids[:2]]
    assert lab.do(lambda tx: provider_jobs.open_at(tx, "other")) == []


def test_a_job_that_is_left_to_its_provider_is_nobody_s(lab: Lab) -> None:
    job_id = lab.there()
    row = lab.acting.row(job_id)
    assert (row.phase, row.stage, row.owner, row.lease_until) == ("Running", None, None, None)


def test_a_job_at_its_provider_is_given_to_one_of_those_that_would_end_it(lab: Lab) -> None:
    job_id = lab.there()

    def take(tx: Connection, place: int) -> Claim | None:
        return provider_jobs.take(tx, job_id, 1, owner=f"poller/{place}", lease_seconds=60)

    (claim,) = [claim for claim in lab.at_once(6, take) if claim is not None]
    assert (claim.ids, claim.stage) == ([job_id], Stage.POLLING)
    row = lab.acting.row(job_id)
    assert (row.owner, row.fence, row.phase) == (claim.owner, claim.fence, "Running")
    assert (claim.jobs[0].name, claim.jobs[0].attempt, claim.jobs[0].shots) == (row.name, 1, 1024)
    assert lab.take(job_id) is None
    assert lab.acting.finish(claim) == {job_id}
    assert lab.acting.phase(job_id) == "Completed"
    assert lab.take(job_id) is None


@pytest.mark.parametrize("still", ["held", "waiting", "cancelled", "another attempt"])
def test_a_job_that_is_not_at_its_provider_is_not_taken(lab: Lab, still: str) -> None:
    claim = lab.intended()
    (job_id,) = claim.ids
    lab.submitted(job_id, "p-1")
    if still == "waiting":
        lab.acting.give_back(claim)
    elif still == "cancelled":
        lab.leave(claim)
        lab.acting.cancel(job_id)
    elif still == "another attempt":
        lab.leave(claim)
    before = lab.acting.whole(job_id)
    assert lab.take(job_id, attempt=2 if still == "another attempt" else 1) is None
    assert lab.acting.whole(job_id) == before


def test_a_job_that_is_being_ended_when_it_is_cancelled_stays_cancelled(lab: Lab) -> None:
    job_id = lab.there()
    claim = lab.take(job_id)
    assert claim is not None
    lab.acting.cancel(job_id)
    assert lab.acting.finish(claim) == set()
    assert lab.acting.phase(job_id) == "Cancelled"


def test_a_job_at_its_provider_is_let_be_by_whoever_looks_for_work(lab: Lab) -> None:
    job_id = lab.there(lease_until=moment(-3600), created_at=moment(-86_400))
    before = lab.acting.whole(job_id)
    assert lab.acting.expire() == []
    with lab.acting.store.read() as tx:
        # What the reconciler publishes hints of, and what workers claim.
        assert claims.heads(tx, *STAGES, memory=ROOMY) == []
        assert claims.memory_in_use(tx, "worker") == 0
    assert lab.acting.whole(job_id) == before


def test_a_poller_that_died_while_it_ended_a_job_leaves_it_at_its_provider(lab: Lab) -> None:
    job_id = lab.there()
    lab.do(lambda tx: provider_jobs.take(tx, job_id, 1, owner="poller/1", lease_seconds=-1))
    assert lab.acting.expire() == [job_id]
    row = lab.acting.row(job_id)
    assert (row.phase, row.stage, row.owner) == ("Running", None, None)
    claim = lab.take(job_id)
    assert claim is not None and claim.jobs[0].id == job_id


def test_a_job_whose_total_time_ran_out_at_its_provider_fails_and_its_provider_job_stays_open(lab: Lab) -> None:
    job_id = lab.there(deadline=moment(-1))
    with lab.acting.store.begin() as tx:
        assert upkeep.end_overdue(tx) == [job_id]
    row = lab.acting.row(job_id)
    assert (row.phase, row.reason) == ("Failed", "TotalTimeout")
    (left,) = lab.open()
    assert (left.job_id, left.phase, left.settled) == (job_id, "Failed", False)
    assert lab.take(job_id) is None


def test_nothing_is_idle_while_a_job_is_at_its_provider(lab: Lab) -> None:
    def idle() -> bool:
        return lab.do(upkeep.open_jobs) == 0

    assert idle()
    job_id = lab.there()
    assert not idle()
    # Cancelled here, it has to be cancelled there too.
    lab.acting.cancel(job_id)
    assert not idle()
    lab.settle(job_id, state="cancelled")
    assert idle()


def test_a_provider_s_job_is_adopted_once(lab: Lab) -> None:
    first, second = new_job(), new_job()
    lab.acting.submit(first, second)

    def adopt(tx: Connection, job_id: str, account: str = "lab") -> bool:
        return provider_jobs.adopt(tx, job_id, account, "p-9", device="ibm_fez", tag=f"adopted-{job_id}")

    assert lab.do(lambda tx: adopt(tx, first.id))
    assert not lab.do(lambda tx: adopt(tx, second.id))
    row = lab.acting.row(first.id)
    assert (row.phase, row.stage, row.account, row.backend) == ("Running", None, "lab", "ibm_fez")
    assert row.started_at is not None
    assert (lab.acting.phase(second.id), lab.acting.attempts(second.id)) == ("Pending", [])
    (there,) = lab.open()
    assert (there.job_id, there.provider_job_id, there.state, there.compiled) == (first.id, "p-9", "queued", {})
    # Another account's jobs may be called the same.
    assert lab.do(lambda tx: adopt(tx, second.id, "other"))
    claim = lab.take(first.id)
    assert claim is not None and lab.acting.finish(claim) == {first.id}


def test_of_racing_adopters_one_succeeds(lab: Lab) -> None:
    new = [new_job() for _ in range(4)]
    lab.acting.submit(*new)
    together = threading.Barrier(4)

    def adopt(job_id: str) -> str:
        together.wait(30)
        try:
            done = lab.do(
                lambda tx: provider_jobs.adopt(tx, job_id, "lab", "p-9", device="ibm_fez", tag=f"adopted-{job_id}")
            )
        except IntegrityError:
            return "refused"
        return "adopted" if done else "known"

    with ThreadPoolExecutor(4) as pool:
        came = Counter(pool.map(adopt, [job.id for job in new]))
    assert came["adopted"] == 1
    assert len(lab.open()) == 1
    assert sorted(lab.acting.phase(job.id) for job in new) == ["Pending", "Pending", "Pending", "Running"]


def test_a_job_s_account_and_labels_are_found(lab: Lab) -> None:
    job_id = lab.acting.submitted(labels={"team": "chem", "run": ""})
    lab.do(lambda tx: accounts.ensure(tx, "lab", "ibm_quantum"))
    lab.do(lambda tx: tx.execute(update(tables.jobs).where(tables.jobs.c.id == job_id).values(account="lab")))
    assert lab.do(lambda tx: provider_jobs.account_of(tx, job_id)) == "lab"
    assert lab.do(lambda tx: provider_jobs.labels_of(tx, job_id)) == {"team": "chem", "run": ""}


def test_a_second_attempt_is_of_the_same_job_but_under_another_tag(lab: Lab) -> None:
    claim = lab.intended()
    (job_id,) = claim.ids
    lab.submitted(job_id, "p-1")
    second = lab.second(claim)
    assert lab.submitted(job_id, "p-2", attempt=2) == "p-2"
    assert lab.submitted(job_id, "p-3", attempt=1) == "p-1"
    tags = {row.tag for row in lab.open()}
    assert len(tags) == 2
    assert lab.leave(second) and lab.acting.phase(job_id) == Phase.RUNNING
    assert lab.take(job_id, attempt=1) is None
    assert lab.take(job_id, attempt=2) is not None
