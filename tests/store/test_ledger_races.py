"""Whatever happens at once, in whatever order, and whoever crashes: no budget is ever passed, and nothing is left."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from qtasks.store import Store, budgets, ledger, thresholds
from qtasks.store.charging import Charge
from tests.store.charging import Charging, budget, charge
from tests.support.servers import Postgres, eventually

pytestmark = pytest.mark.system

_AT_ONCE = 8
_OVER = """
SELECT b.name, p.settled_micros, p.reserved_micros, b.limit_micros, p.settled_quantum, p.reserved_quantum,
    b.limit_quantum
FROM budget_periods p JOIN budgets b ON b.id = p.budget_id
WHERE p.settled_micros + p.reserved_micros > b.limit_micros OR p.settled_quantum + p.reserved_quantum > b.limit_quantum
    OR p.reserved_micros < 0 OR p.reserved_quantum < 0
"""
_WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
_EMPTY = "TRUNCATE jobs, labels, inputs, budgets, budget_periods, charges, ledger, budget_waits CASCADE"


@pytest.fixture(scope="module")
def store(postgres: Postgres) -> Iterator[Store]:
    opened = Store(postgres.migrated(), pool_size=_AT_ONCE + 4)
    yield opened
    opened.close()


class Crashed(Exception):
    """The process died with its transaction open."""


@dataclass
class Watch:
    """Looks at all budgets again and again while others are at work."""

    store: Store
    over: list[Any] = field(default_factory=list)
    looks: int = 0

    def during(self, work: Callable[[], None]) -> None:
        done = threading.Event()
        watcher = threading.Thread(target=self._look_until, args=(done,))
        watcher.start()
        try:
            work()
        finally:
            done.set()
            watcher.join()

    def _look_until(self, done: threading.Event) -> None:
        while not done.is_set():
            with self.store.read() as tx:
                self.over += [tuple(row) for row in tx.execute(text(_OVER))]
            self.looks += 1
            done.wait(0.005)


def together(work: Callable[[Any], None], items: list[Any]) -> None:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(work, items))


def fresh(store: Store) -> Charging:
    with store.begin() as tx:
        tx.execute(text(_EMPTY))
    return Charging(store)


def test_two_hundred_jobs_at_once_against_a_budget_for_fifty(store: Store) -> None:
    charging = fresh(store)
    charging.apply(budget(limit="$50"))
    jobs = charging.jobs(200)
    refused: list[str] = []

    def run(job_id: str) -> None:
        if charging.reserve(charge(job_id, 1)):
            refused.append(job_id)
        else:
            charging.settle(job_id, 1)

    watch = Watch(store)
    watch.during(lambda: together(run, jobs))
    assert watch.over == [] and watch.looks > 3
    assert len(refused) == 150 and charging.stands() == (50, 0)
    assert charging.outstanding() == 0 and charging.discrepancies() == []


@dataclass
class Life:
    """What becomes of one job, drawn by chance: its ways through reserving, crashing, retrying and ending."""

    charging: Charging
    job_id: str
    namespace: str
    chance: random.Random
    spent: list[int] = field(default_factory=list)
    """Micro-dollars that were settled."""

    def run(self) -> None:
        labels = {"project": "vqe"} if self.chance.random() < 0.5 else {}
        cost_center = self.chance.choice([None, "research"])
        for attempt in (1, 2, 3):
            dollars = self.chance.choice([0.01, 0.5, 1, 3])
            seconds = self.chance.choice([0.0, 1.0, 2.5])
            mine: dict[str, Any] = {"labels": labels, "cost_center": cost_center, "namespace": self.namespace}
            asked = charge(self.job_id, dollars, attempt=attempt, quantum_seconds=seconds, **mine)
            if self.reserved(asked) and self.ended(asked):
                return

    def reserved(self, asked: Charge) -> bool:
        """Reserve, after some crashes; sometimes twice, as after a takeover."""
        while self.chance.random() < 0.3:
            self.crash(lambda tx: ledger.reserve(tx, asked))
        answers = [self.charging.reserve(asked) for _ in range(self.chance.choice([1, 1, 2]))]
        return not answers[-1]

    def ended(self, asked: Charge) -> bool:
        """Settle below what was reserved, release, or give up and leave it to the reconciler; whether that is all."""
        how = self.chance.random()
        micros = round((asked.micros or 0) * self.chance.choice([0, 0.37, 1]))
        seconds = (asked.quantum_seconds or 0) * self.chance.choice([0, 0.5, 1])
        figures: dict[str, Any] = {"micros": micros, "quantum_seconds": seconds, "price": "actual", "reason": "done"}
        if how < 0.5:
            while self.chance.random() < 0.3:
                self.crash(lambda tx: ledger.settle(tx, asked.job_id, asked.attempt, **figures))
            for _ in range(self.chance.choice([1, 2])):
                with self.charging.store.begin() as tx:
                    ledger.settle(tx, asked.job_id, asked.attempt, **figures)
            self.spent.append(micros)
            return self.chance.random() < 0.7
        if how < 0.8:
            self.charging.release(asked.job_id, attempt=asked.attempt)
            return False
        self.charging.acting.cancel(asked.job_id)
        return True

    def crash(self, work: Callable[[Any], Any]) -> None:
        with pytest.raises(Crashed), self.charging.store.begin() as tx:
            work(tx)
            raise Crashed


def meddle(charging: Charging, chance: random.Random, done: threading.Event) -> None:
    """What goes on beside the jobs: the reconciler, alerts, and somebody who raises budgets and makes new ones."""
    limit = 20
    while not done.is_set():
        limit += 1
        charging.release_orphans()
        charging.wake()
        with charging.store.begin() as tx:
            thresholds.crossed(tx)
        charging.apply(budget("all", limit=f"${limit}", alertThresholds=[50, 80]))
        if limit == 21 or chance.random() < 0.6:
            charging.remove("late")
            charging.apply(budget("late", limit="$1000", period=chance.choice(["daily", "weekly", "total"])))
        done.wait(0.02)


@given(st.integers(0, 2**32), st.sampled_from([0.02, 3, 8]), st.sampled_from([0, 5, 20]))
@settings(
    max_examples=6,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_overlapping_budgets_hold_whatever_jobs_do_and_in_the_end_nothing_is_outstanding(
    store: Store, seed: int, dollars: float, seconds: float
) -> None:
    charging = fresh(store)
    charging.apply(budget("all", limit="$20"))
    charging.apply(budget("vqe", limit=f"${dollars:g}", period="daily", selector={"labels": {"project": "vqe"}}))
    charging.apply(budget("research", quantumSeconds=seconds, selector={"costCenters": ["research"]}))
    charging.apply(budget("org", namespace="ops", limit="$30", quantumSeconds=60, selector={"namespaces": ["*"]}))
    chance = random.Random(seed)
    lives = [
        Life(charging, charging.job(namespace=namespace), namespace, random.Random(chance.random()))
        for namespace in chance.choices(["default", "other"], k=40)
    ]
    watch, done = Watch(store), threading.Event()
    meddler = threading.Thread(target=meddle, args=(charging, chance, done))
    meddler.start()
    try:
        watch.during(lambda: together(Life.run, lives))
    finally:
        done.set()
        meddler.join()
    assert watch.over == []
    charging.acting.cancel(*(life.job_id for life in lives))
    charging.release_orphans()
    assert charging.outstanding() == 0
    assert charging.discrepancies() == []
    with store.read() as tx:
        names = [(kept.namespace, kept.name) for kept in budgets.walk(tx)]
        total = tx.execute(text("SELECT coalesce(sum(micros), 0) FROM charges WHERE state = 'settled'")).scalar_one()
    assert {name for _, name in names} >= {"all", "vqe", "research", "org"}
    for namespace, name in names:
        balance = charging.balance(name, namespace)
        assert (balance.reserved_micros, balance.reserved_quantum) == (0, 0)
    # A budget that was made in the middle of it all counts what one counts that was there from the beginning.
    assert ("default", "late") in names
    assert charging.balance("late").settled_micros == charging.balance("all").settled_micros
    assert total == sum(sum(life.spent) for life in lives)
    assert charging.balance("org", "ops").settled_micros == total


def test_a_budget_that_is_made_while_somebody_reserves_counts_that_too(store: Store) -> None:
    charging = fresh(store)
    job = charging.job()
    making = threading.Thread(target=charging.apply, args=(budget(limit="$10"),))

    def waits_or_is_done() -> bool:
        with store.read() as tx:
            return not making.is_alive() or bool(tx.execute(text(_WAITING)).scalar_one())

    with store.begin() as tx:
        assert ledger.reserve(tx, charge(job, 4)) is None
        making.start()
        eventually(waits_or_is_done)
    making.join(30)
    assert charging.stands() == (0, 4)
    charging.settle(job, 3)
    assert charging.stands() == (3, 0)


def test_batches_and_cancellations_that_meet_head_on_do_not_wait_for_each_other_for_ever(store: Store) -> None:
    charging = fresh(store)
    charging.apply(budget("a", limit="$1000", selector={"labels": {"kind": "a"}}))
    charging.apply(budget("b", limit="$1000", selector={"labels": {"kind": "b"}}))
    jobs = charging.jobs(60)
    kinds = [{"labels": {"kind": kind}} for kind in ("a", "b")]

    def act(number: int) -> None:
        mine = jobs[number % 6 :: 6]
        if number % 3 == 2:
            with store.begin() as tx:
                charging_jobs = list(reversed(mine))
                ledger.release(tx, charging_jobs, "cancelled")
            return
        order = mine if number % 2 else list(reversed(mine))
        charging.reserve(*(charge(job, 1, **kinds[(number + place) % 2]) for place, job in enumerate(order)))

    together(act, list(range(48)))
    charging.acting.cancel(*jobs)
    charging.release_orphans()
    assert charging.outstanding() == 0 and charging.discrepancies() == []
