"""Accounts: one visitor at a time, wakings that are not forgotten, and whose turn it is to be handed over."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, event, insert, update

from qtasks.lifecycle import ConditionStatus, ConditionType, Phase, Stage
from qtasks.scheduling.fairness import aged
from qtasks.store import accounts, moves, records, tables
from qtasks.store.accounts import Load, Visit
from qtasks.store.records import Event
from qtasks.store.types import moment
from tests.store.acting import Acting

pytestmark = pytest.mark.system

T = TypeVar("T")

AGEING = 600.0
OVER = -1.0
"""Seconds of a lease that has run out when it begins."""


@dataclass(frozen=True)
class Lab:
    """What pollers and workers do to the account `lab`, each in a transaction of its own."""

    acting: Acting

    def do(self, what: Callable[[Connection], T]) -> T:
        with self.acting.store.begin() as tx:
            return what(tx)

    def take(self, owner: str = "poller/1", *, lease: float = 30.0, only: str | None = None) -> Visit | None:
        return self.do(lambda tx: accounts.take_due(tx, owner=owner, lease_seconds=lease, only=only))

    def visit(self, owner: str = "poller/1", *, lease: float = 30.0) -> Visit:
        taken = self.take(owner, lease=lease)
        assert taken is not None
        return taken

    def leave(self, visit: Visit, due_seconds: float | None = 60.0) -> None:
        self.do(lambda tx: accounts.leave(tx, visit, due_seconds=due_seconds))

    def give_up(self, visit: Visit) -> None:
        self.do(
            lambda tx: accounts.leave_unanswered(tx, visit, due_seconds=60.0, reason="ProviderDown", message="No word.")
        )

    def renew(self, visit: Visit) -> bool:
        return self.do(lambda tx: accounts.renew(tx, visit, lease_seconds=30.0))

    def wake(self, in_seconds: float = 0.0) -> None:
        self.do(lambda tx: accounts.wake(tx, ["lab"], in_seconds=in_seconds))

    def pause(self, seconds: float, reason: str) -> None:
        self.do(lambda tx: accounts.pause(tx, "lab", seconds=seconds, reason=reason, message=f"{reason}."))

    @property
    def row(self) -> Any:
        row = self.do(lambda tx: accounts.get(tx, "lab"))
        assert row is not None
        return row

    @property
    def load(self) -> Load:
        return self.do(lambda tx: accounts.load(tx, "lab"))

    def due_in(self) -> float:
        """Seconds until the account is due."""
        row = self.row
        return float((row.due_at - row.now).total_seconds())

    def set_job(self, job_id: str, **values: Any) -> None:
        self.do(lambda tx: tx.execute(update(tables.jobs).where(tables.jobs.c.id == job_id).values(**values)))

    def parked(self, *, account: str = "lab", age: float = 0.0, **changes: Any) -> str:
        """A job that waits for its turn, submitted `age` seconds ago."""
        job_id = self.acting.waiting_at(Stage.SCHEDULING, **changes)
        claim = self.acting.claim(Stage.SCHEDULING)
        scheduled = Event("Scheduled", "…")
        self.do(
            lambda tx: moves.advance(
                tx, claim, [job_id], Phase.SCHEDULING, queue=None, event=scheduled, keep=False, account=account
            )
        )
        if age:
            self.set_job(job_id, created_at=moment(-age))
        return job_id

    def at_provider(self, job_id: str, *, attempt: int = 1, **changes: Any) -> None:
        """Write down a provider job of a job, or its intent."""
        values = {"account": "lab", "device": "ibm_fez", "tag": job_id, "state": "queued", "compiled": {}}
        times = {"intended_at": moment(), "tried_at": moment()}
        row = {"job_id": job_id, "attempt": attempt, **values, **times, **changes}
        self.do(lambda tx: tx.execute(insert(tables.provider_jobs).values(**row)))

    def unpark(self, limit: int = 100, *, account: str = "lab") -> list[str]:
        sent = self.do(lambda tx: accounts.unpark(tx, account, limit=limit, ageing_seconds=AGEING))
        return [row.id for row in sent]

    def explain(self, message: str) -> None:
        self.do(lambda tx: accounts.explain(tx, "lab", "WaitingForTurn", message))


@pytest.fixture
def lab(acting: Acting) -> Lab:
    found = Lab(acting)
    found.do(lambda tx: accounts.ensure(tx, "lab", "ibm_quantum"))
    return found


@pytest.fixture
def postgres_lab(postgres_acting: Acting) -> Lab:
    found = Lab(postgres_acting)
    found.do(lambda tx: accounts.ensure(tx, "lab", "ibm_quantum"))
    return found


def test_a_new_account_is_due_at_once_with_nothing_known_of_it(lab: Lab) -> None:
    before = lab.row
    assert (before.provider, before.owner, before.tokens, before.allowance) == ("ibm_quantum", None, None, None)
    assert (before.failures, before.reason, before.paused_until, before.polled_at) == (0, None, None, None)
    assert lab.due_in() <= 0
    lab.visit()
    lab.do(lambda tx: accounts.ensure(tx, "lab", "aws_braket"))
    assert (lab.row.provider, lab.row.owner) == ("ibm_quantum", "poller/1")
    lab.do(lambda tx: accounts.ensure(tx, "cloud", "aws_braket"))
    assert lab.do(accounts.names) == {"lab": "ibm_quantum", "cloud": "aws_braket"}
    assert set(lab.do(accounts.states)) == {"lab", "cloud"}
    assert lab.do(lambda tx: accounts.get(tx, "nobody")) is None


def test_an_account_that_is_due_is_given_to_one_of_racing_pollers(acting: Acting) -> None:
    lab = Lab(acting)
    names = [f"lab-{number}" for number in range(6)]
    for name in names:
        lab.do(lambda tx, name=name: accounts.ensure(tx, name, "ibm_quantum"))  # type: ignore[misc]
    together = threading.Barrier(8)

    def drain(number: int) -> list[Visit]:
        together.wait(30)
        visits = []
        for _ in names:
            if (visit := lab.take(f"poller/{number}")) is not None:
                visits.append(visit)
        return visits

    with ThreadPoolExecutor(8) as pool:
        visits = [visit for found in pool.map(drain, range(8)) for visit in found]
    assert sorted(visit.account for visit in visits) == names
    assert len({visit.fence for visit in visits}) == len(names)
    assert lab.take() is None


def test_the_account_that_has_been_due_for_longest_is_visited_first(lab: Lab) -> None:
    for name, due in (("b", -20.0), ("a", -10.0), ("c", 10.0)):
        lab.do(lambda tx, name=name: accounts.ensure(tx, name, "ibm_quantum"))  # type: ignore[misc]
        values = {"due_at": moment(due)}
        lab.do(
            lambda tx, name=name, values=values: tx.execute(  # type: ignore[misc]
                update(tables.accounts).where(tables.accounts.c.name == name).values(**values)
            )
        )
    assert lab.take(only="c") is None
    found = [lab.take(), lab.take(), lab.take(), lab.take()]
    assert [visit and visit.account for visit in found] == ["b", "a", "lab", None]


def test_an_account_that_is_visited_is_not_visited_by_others_even_when_it_is_woken(lab: Lab) -> None:
    lab.visit()
    assert 29 < lab.due_in() <= 30
    lab.wake()
    assert lab.take("poller/2") is None


def test_a_visit_whose_lease_ran_out_is_taken_over_and_the_old_visitor_changes_nothing(lab: Lab) -> None:
    old = lab.visit(lease=OVER)
    new = lab.visit("poller/2")
    assert new.fence > old.fence
    before = lab.row[:-1]
    assert not lab.renew(old)
    assert not lab.do(lambda tx: accounts.mine(tx, old))
    lab.leave(old)
    lab.give_up(old)
    assert lab.row[:-1] == before
    assert lab.do(lambda tx: accounts.mine(tx, new)) and lab.renew(new)


def test_the_same_poller_s_older_visit_counts_for_nothing(lab: Lab) -> None:
    old = lab.visit(lease=OVER)
    new = lab.visit(old.owner)
    assert not lab.renew(old) and lab.renew(new)
    lab.leave(new)
    assert not lab.renew(new)


def test_a_renewed_visit_is_not_taken_over(lab: Lab) -> None:
    visit = lab.visit(lease=OVER)
    assert lab.renew(visit)
    assert lab.take("poller/2") is None
    assert lab.do(lambda tx: accounts.mine(tx, visit))


@pytest.mark.parametrize(("due", "least", "most"), [(60.0, 59, 60), (0.0, -1, 0), (None, 86_399, 86_400)])
def test_an_account_that_is_left_is_free_and_due_again_in_time(
    lab: Lab, due: float | None, least: float, most: float
) -> None:
    lab.leave(lab.visit(), due)
    assert least <= lab.due_in() <= most
    row = lab.row
    assert (row.owner, row.lease_until, row.failures) == (None, None, 0)
    assert row.polled_at is not None


@pytest.mark.parametrize("renewed", [False, True])
def test_a_waking_during_a_visit_is_not_forgotten(lab: Lab, renewed: bool) -> None:
    visit = lab.visit()
    lab.wake()
    if renewed:
        assert lab.renew(visit)
    lab.leave(visit, None)
    assert lab.due_in() <= 0
    assert lab.take("poller/2") is not None


@pytest.mark.parametrize("renewed", [False, True])
def test_a_waking_for_later_during_a_visit_is_not_forgotten(lab: Lab, renewed: bool) -> None:
    visit = lab.visit()
    lab.wake(in_seconds=5.0)
    if renewed:
        assert lab.renew(visit)
    lab.leave(visit, None)
    assert 4 < lab.due_in() <= 5


def test_a_waking_for_later_puts_off_nothing(lab: Lab) -> None:
    lab.leave(lab.visit(), 60.0)
    lab.wake(in_seconds=90.0)
    assert 59 < lab.due_in() <= 60
    lab.wake(in_seconds=30.0)
    assert 29 < lab.due_in() <= 30
    lab.leave(lab.do(lambda tx: accounts.wake(tx, ["lab"])) or lab.visit(), 10.0)
    assert 9 < lab.due_in() <= 10


def test_visits_without_an_answer_are_counted_until_one_is_answered(lab: Lab) -> None:
    for failures in range(3):
        visit = lab.visit()
        assert visit.failures == failures
        lab.give_up(visit)
        assert 59 < lab.due_in() <= 60
        assert (lab.row.owner, lab.row.reason, lab.row.message) == (None, "ProviderDown", "No word.")
        lab.wake()
    visit = lab.visit()
    assert visit.failures == 3
    lab.leave(visit)
    assert (lab.row.failures, lab.row.reason, lab.row.message) == (0, None, None)


def test_a_pause_is_only_ever_lengthened(lab: Lab) -> None:
    lab.pause(60, "Throttled")
    first = lab.row
    lab.pause(10, "Shorter")
    assert lab.row[:-1] == first[:-1]
    lab.pause(600, "Refused")
    row = lab.row
    assert (row.reason, row.message) == ("Refused", "Refused.")
    assert timedelta(seconds=599) < row.paused_until - row.now <= timedelta(seconds=600)


def test_a_pause_that_is_over_is_no_pause(lab: Lab) -> None:
    lab.pause(OVER, "Over")
    lab.pause(10, "Again")
    assert lab.row.reason == "Again"


def test_why_an_account_is_paused_is_known_for_as_long_as_it_is(lab: Lab) -> None:
    visit = lab.visit()
    lab.pause(60, "Throttled")
    lab.leave(visit)
    assert (lab.row.reason, lab.row.message) == ("Throttled", "Throttled.")


def test_what_is_left_in_the_bucket_is_kept_with_the_time(lab: Lab) -> None:
    lab.do(lambda tx: accounts.spend(tx, "lab", tokens=2.5))
    row = lab.row
    assert row.tokens == 2.5
    assert timedelta(0) <= row.now - row.refilled_at < timedelta(seconds=60)


@pytest.mark.system
def test_jobs_are_handed_over_by_one_transaction_at_a_time(postgres_lab: Lab) -> None:
    lab = postgres_lab
    spent: list[float] = []

    def spend_one() -> None:
        with lab.acting.store.begin() as tx:
            row = accounts.get(tx, "lab", lock=True)
            assert row is not None
            spent.append(tokens := 10.0 if row.tokens is None else row.tokens)
            accounts.spend(tx, "lab", tokens=tokens - 1)

    threads = [threading.Thread(target=spend_one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(spent) == [5, 6, 7, 8, 9, 10]


def test_the_provider_s_word_on_an_allowance_is_kept(lab: Lab) -> None:
    said = {"remaining_seconds": 42.5, "until": "2026-12-01T00:00:00+00:00"}
    lab.do(lambda tx: accounts.keep_allowance(tx, "lab", said))
    assert lab.row.allowance == said and lab.row.allowance_at is not None
    lab.do(lambda tx: accounts.keep_allowance(tx, "lab", None))
    assert lab.row.allowance is None and lab.row.allowance_at is not None


def test_uses_are_those_of_settled_jobs_within_the_days(lab: Lab) -> None:
    day = 86_400.0

    def used(days_ago: float, seconds: float | None, *, settled: bool = True, account: str = "lab") -> None:
        finished = moment(-days_ago * day)
        job_id = lab.acting.submitted()
        lab.at_provider(job_id, finished_at=finished, quantum_seconds=seconds, settled=settled, account=account)

    used(27.9, 3.0)
    used(1, 2.5)
    used(5, 4.0)
    used(28.1, 100.0)
    used(2, 0.0)
    used(2, None)
    used(2, 100.0, settled=False)
    used(2, 100.0, account="other")
    uses = lab.do(lambda tx: accounts.uses(tx, "lab", days=28))
    assert [use.seconds for use in uses] == [3.0, 4.0, 2.5]
    assert [use.at for use in uses] == sorted(use.at for use in uses)
    assert [use.seconds for use in lab.do(lambda tx: accounts.uses(tx, "lab", days=4))] == [2.5]


def test_a_job_counts_as_parked_then_on_its_way_then_there_and_at_no_time_twice(lab: Lab) -> None:
    job_id = lab.parked()
    lab.parked(account="other")
    assert lab.load == Load(parked=1, open=0, reserved_seconds=0)
    lab.unpark()
    assert lab.load == Load(parked=0, open=1, reserved_seconds=0)
    claim = lab.acting.claim(Stage.EXECUTION)
    assert lab.load.open == 1
    lab.at_provider(job_id, state="intended", estimated_seconds=2.5)
    assert lab.load == Load(parked=0, open=1, reserved_seconds=2.5)
    known = tables.provider_jobs
    with lab.acting.store.begin() as tx:
        tx.execute(update(known).values(provider_job_id="p-1"))
        tx.execute(update(tables.jobs).where(tables.jobs.c.id == claim.ids[0]).values(stage=None, owner=None))
    assert lab.load == Load(parked=0, open=1, reserved_seconds=2.5)
    # It is there until the provider has said what came of it, whatever its user thinks of it.
    lab.acting.cancel(job_id)
    assert lab.load == Load(parked=0, open=1, reserved_seconds=2.5)
    lab.do(lambda tx: tx.execute(update(known).values(settled=True)))
    assert lab.load == Load(parked=0, open=0, reserved_seconds=0)


def test_a_parked_job_that_was_cancelled_waits_no_more(lab: Lab) -> None:
    job_id = lab.parked()
    lab.acting.cancel(job_id)
    assert lab.load.parked == 0
    assert lab.unpark() == []


def test_jobs_are_sent_on_most_urgent_first_then_the_namespaces_in_turn(lab: Lab) -> None:
    def parked(namespace: str, priority: int) -> str:
        return lab.parked(namespace=namespace, priority=priority)

    a1, a2, a3 = (parked("a", 6) for _ in range(3))
    low = parked("a", 9)
    b1 = parked("b", 6)
    urgent = parked("b", 0)
    b2 = parked("b", 6)
    high = parked("c", 3)
    assert lab.unpark(limit=3) == [urgent, high, a1]
    assert lab.load.parked == 5
    assert lab.unpark() == [a2, b1, a3, b2, low]
    assert lab.unpark() == []


def test_what_was_sent_on_waits_for_an_execution_worker(lab: Lab) -> None:
    job_id = lab.parked()
    lab.explain("Waiting.")
    assert lab.unpark() == [job_id]
    row = lab.acting.row(job_id)
    assert (row.phase, row.stage, row.reason, row.message) == ("Scheduling", "execution", None, None)
    assert lab.acting.claim(Stage.EXECUTION).ids == [job_id]
    assert lab.unpark() == []


def test_waiting_lifts_a_job_as_it_does_at_every_stage(lab: Lab) -> None:
    for number, (waited, fresh) in enumerate([(0.6, 6), (1.1, 6), (1.6, 3), (2.1, 3), (2.9, 0), (9.5, 0)]):
        account = f"lab-{number}"
        young = lab.parked(account=account, priority=fresh)
        old = lab.parked(account=account, priority=9, age=waited * AGEING)
        # At one level the older one is first.
        first = old if aged(9, waited * AGEING, AGEING) <= fresh else young
        assert lab.unpark(account=account) == [first, old if first is young else young], (waited, fresh)


@pytest.mark.system
def test_no_job_is_sent_on_twice_by_racing_transactions(postgres_lab: Lab) -> None:
    lab = postgres_lab
    ids = [lab.parked() for _ in range(12)]
    together = threading.Barrier(4)

    def drain(_: int) -> list[str]:
        together.wait(30)
        return [job_id for _ in ids for job_id in lab.unpark(limit=2)]

    with ThreadPoolExecutor(4) as pool:
        sent = Counter(job_id for found in pool.map(drain, range(4)) for job_id in found)
    assert sent == Counter(ids)


def test_parked_jobs_say_why_they_wait(lab: Lab) -> None:
    job_id, elsewhere = lab.parked(), lab.parked(account="other")
    lab.explain("Five a minute.")
    row = lab.acting.row(job_id)
    assert (row.reason, row.message) == ("WaitingForTurn", "Five a minute.")
    known = lab.do(lambda tx: records.conditions_of(tx, [job_id]))[job_id]
    (condition,) = [one.condition for one in known if one.condition.type is ConditionType.SCHEDULED]
    assert (condition.status, condition.message) == (ConditionStatus.FALSE, "Five a minute.")
    assert lab.acting.row(elsewhere).message is None


def test_only_jobs_that_do_not_say_so_already_are_written(lab: Lab) -> None:
    first = lab.parked()
    lab.explain("Five a minute.")
    second = lab.parked()
    written: list[int] = []

    @event.listens_for(lab.acting.store.engine, "after_cursor_execute")
    def count(_connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith(("UPDATE", "INSERT")):
            written.append(max(cursor.rowcount, 0))

    before = lab.acting.whole(first)
    lab.explain("Five a minute.")
    assert lab.acting.row(second).message == "Five a minute."
    assert lab.acting.whole(first) == before
    written.clear()
    lab.explain("Five a minute.")
    assert sum(written) == 0
    lab.explain("Exhausted.")
    assert {lab.acting.row(job_id).message for job_id in (first, second)} == {"Exhausted."}


def test_the_accounts_of_jobs_are_woken_where_they_may_be_at_the_provider(lab: Lab) -> None:
    lab.do(lambda tx: accounts.ensure(tx, "other", "ibm_quantum"))
    there, settled, nowhere = (lab.acting.submitted() for _ in range(3))
    lab.at_provider(there, state="intended")
    lab.at_provider(settled, account="other", settled=True)
    for _ in range(2):
        visit = lab.visit()
        lab.leave(visit, 600.0)
    wake = accounts.wake_of_jobs
    assert lab.do(lambda tx: wake(tx, [settled, nowhere])) == []
    assert lab.due_in() > 0
    assert lab.do(lambda tx: wake(tx, [there, settled])) == ["lab"]
    assert lab.due_in() <= 0
