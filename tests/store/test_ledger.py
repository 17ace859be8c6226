"""The ledger: reserve, settle, release, each once, in every budget or in none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import func, select, update

from qtasks.costs.budgets import sentence
from qtasks.errors import InvalidInput
from qtasks.lifecycle import Phase
from qtasks.store import Store, costs, ledger, tables, thresholds
from qtasks.store.charging import Charge
from tests.store.charging import DOLLAR, Charging, budget, charge

pytestmark = pytest.mark.system


@pytest.fixture
def charging(store: Store) -> Iterator[Charging]:
    """Whatever a test does, the books agree in the end."""
    yield Charging(store)
    assert Charging(store).discrepancies() == []


def test_what_is_reserved_and_settled_counts_and_the_rest_comes_back(charging: Charging) -> None:
    charging.apply(budget(limit="$10"))
    job = charging.job()
    assert charging.reserve(charge(job, 4)) == {}
    assert charging.stands() == (0, 4) and charging.outstanding() == 4 * DOLLAR
    assert charging.settle(job, 2.5) == 0
    assert charging.stands() == (2.5, 0) and charging.outstanding() == 0
    assert charging.entries(job) == [("reserve", 4), ("release", 4), ("settle", 2.5)]


def test_the_last_cent_may_be_spent_and_no_more(charging: Charging) -> None:
    charging.apply(budget(limit="$10"))
    first, second, third = charging.jobs(3)
    assert charging.reserve(charge(first, 9.99)) == {}
    refusal = charging.reserve(charge(second, 0.010001))[second]
    assert (refusal.reason, refusal.limit, refusal.settled, refusal.reserved) == ("BudgetExceeded", 10**7, 0, 9_990_000)
    assert charging.reserve(charge(third, 0.01)) == {}
    assert charging.stands() == (0, 10)


def test_a_refusal_names_the_budget_its_state_the_price_and_when_the_period_turns(charging: Charging) -> None:
    charging.apply(budget(limit="$10", timeZone="Europe/Berlin"))
    first, second, third = charging.jobs(3)
    charging.reserve(charge(first, 6), charge(second, 3))
    charging.settle(first, 5)
    refusal = charging.reserve(charge(third, 4))[third]
    said = sentence(refusal)
    assert said.startswith(
        "Budget exceeded: team allows $10.00 a month; $5.00 is spent and $3.00 reserved, and the job would cost up to "
        "$4.00 ($1.60 a second (a list, 2026-11)). It starts by itself when the budget is raised"
    )
    assert said.endswith("-01 00:00 Europe/Berlin, when the period turns.")


def test_a_job_falls_under_several_budgets_and_all_must_hold(charging: Charging) -> None:
    charging.apply(budget("all", limit="$10"))
    charging.apply(budget("vqe", limit="$2", selector={"labels": {"project": "vqe"}}))
    charging.apply(budget("research", limit="$5", selector={"costCenters": ["research"]}))
    vqe = {"labels": {"project": "vqe"}, "cost_center": "research"}
    first, second, third = charging.jobs(3)
    assert charging.reserve(charge(first, 2, **vqe)) == {}
    assert [charging.stands(name) for name in ("all", "vqe", "research")] == [(0, 2)] * 3
    assert charging.reserve(charge(second, 1, **vqe))[second].budget == "vqe"
    assert [charging.stands(name) for name in ("all", "vqe", "research")] == [(0, 2)] * 3
    assert charging.reserve(charge(third, 8)) == {}
    assert charging.stands("all") == (0, 10) and charging.stands("vqe") == (0, 2)


def test_a_budget_over_several_namespaces_refuses_without_its_figures(charging: Charging) -> None:
    charging.apply(budget("org", namespace="ops", limit="$3", selector={"namespaces": ["*"]}))
    job = charging.job()
    refusal = charging.reserve(charge(job, 4))[job]
    said = sentence(refusal)
    assert "org" not in said.replace("organ", "") and "$3" not in said and "$4.00" in said
    assert said.startswith("Budget exceeded: a budget over several namespaces has too little left")


def test_a_budget_of_another_namespace_is_nobodys_business(charging: Charging) -> None:
    charging.apply(budget(namespace="other", limit="$0"))
    job = charging.job()
    assert charging.reserve(charge(job, 4)) == {}


def test_an_unknown_price_is_refused_under_a_budget_and_not_taken_as_free(charging: Charging) -> None:
    job, other = charging.jobs(2)
    assert charging.reserve(charge(job, None)) == {}
    charging.settle(job, None)
    charging.apply(budget(limit="$1000000"))
    refusal = charging.reserve(charge(other, None, price="no price is known for it"))[other]
    assert refusal.reason == "PriceUnknown"
    assert sentence(refusal) == (
        "Price unknown: budget team limits what the job may cost, and nobody knows what that would be (no price is "
        "known for it). Name a price in QTASKS_CONFIG (prices), or choose another backend."
    )


def test_quantum_time_is_an_allowance_of_its_own(charging: Charging) -> None:
    charging.apply(budget(quantumSeconds=600))
    first, second, third = charging.jobs(3)
    assert charging.reserve(charge(first, 0, quantum_seconds=400)) == {}
    refusal = charging.reserve(charge(second, 0, quantum_seconds=200.000001))[second]
    assert not refusal.in_money and "600 s of quantum time a month" in sentence(refusal)
    assert charging.reserve(charge(third, 5, quantum_seconds=None))[third].reason == "QuantumTimeUnknown"
    charging.settle(first, 0, seconds=12.5)
    assert charging.balance().settled_quantum == 12_500_000
    assert charging.reserve(charge(second, 5, quantum_seconds=587.5)) == {}


def test_a_jobs_own_limit_is_a_budget_of_one_over_all_its_attempts(charging: Charging) -> None:
    job = charging.job()
    capped: dict[str, Any] = {"max_cost_micros": 10 * DOLLAR}
    refusal = charging.reserve(charge(job, 10.000001, **capped))[job]
    assert refusal.final and refusal.reason == "BudgetExceeded"
    assert sentence(refusal).startswith("Budget exceeded: the job would cost up to $10.000001")
    assert "and its maxCost is $10.00. Use a cheaper backend" in sentence(refusal)
    assert charging.reserve(charge(job, 10, **capped)) == {}
    charging.settle(job, 7)
    again = charging.reserve(charge(job, 4, attempt=2, **capped))[job]
    assert "$10.00, of which former attempts took $7.00" in sentence(again)
    assert charging.reserve(charge(job, 3, attempt=2, **capped)) == {}
    assert charging.reserve(charge(charging.job(), None, **capped)).popitem()[1].reason == "PriceUnknown"


def test_a_free_job_writes_nothing(charging: Charging) -> None:
    charging.apply(budget(limit="$0"))
    job = charging.job()
    assert charging.reserve(charge(job, 0)) == {}
    charging.settle(job, 0, seconds=0)
    assert charging.entries(job) == []
    with charging.store.read() as tx:
        assert tx.execute(select(func.count()).select_from(tables.charges)).scalar() == 0


def test_reserving_again_replaces_what_was_reserved(charging: Charging) -> None:
    charging.apply(budget(limit="$10"))
    job = charging.job()
    for dollars in (6, 8, 8, 3):
        assert charging.reserve(charge(job, dollars)) == {}
        assert charging.stands() == (0, dollars)
    assert charging.reserve(charge(job, 11))[job].reserved == 0
    assert charging.stands() == (0, 0)
    charging.reserve(charge(job, 5))
    assert charging.reserve(charge(job, 0)) == {}
    assert charging.stands() == (0, 0)


def test_settling_and_releasing_twice_is_as_good_as_once(charging: Charging) -> None:
    charging.apply(budget(limit="$10"))
    first, second = charging.jobs(2)
    charging.reserve(charge(first, 4), charge(second, 4))
    for _ in range(2):
        charging.settle(first, 3)
        charging.release(second)
        charging.release(first)
    assert charging.stands() == (3, 0)
    assert charging.reserve(charge(first, 7)) == {} and charging.stands() == (3, 0)
    assert charging.entries(second) == [("reserve", 4), ("release", 4)]


def test_a_settlement_above_its_reservation_is_recorded_as_it_is(charging: Charging) -> None:
    charging.apply(budget(limit="$5"))
    job, other = charging.jobs(2)
    charging.reserve(charge(job, 4))
    assert charging.settle(job, 6) == 2 * DOLLAR
    assert charging.stands() == (6, 0)
    assert other in charging.reserve(charge(other, 0.01))
    with charging.store.read() as tx:
        assert [row.overrun for row in tx.execute(select(tables.ledger).where(tables.ledger.c.kind == "settle"))] == [
            True
        ]


def test_a_charge_without_a_reservation_counts_where_the_job_falls_under(charging: Charging) -> None:
    spec = {"execution": {"shots": 1}, "budget": {"costCenter": "research"}}
    job = charging.job(labels={"project": "vqe"}, resource={"spec": spec})
    selector = {"costCenters": ["research"], "labels": {"project": "vqe"}}
    charging.apply(budget(limit="$1", selector=selector))
    charging.apply(budget("others", selector={"costCenters": ["sales"]}))
    assert charging.settle(job, 3) == 0
    assert charging.stands() == (3, 0) and charging.stands("others") == (0, 0)
    assert charging.entries(job) == [("settle", 3)]


def test_an_actual_cost_that_nobody_knows_is_what_was_reserved(charging: Charging) -> None:
    charging.apply(budget(limit="$10"))
    job = charging.job()
    charging.reserve(charge(job, 4, quantum_seconds=3))
    charging.settle(job, None)
    assert charging.stands() == (4, 0) and charging.balance().settled_quantum == 3_000_000


def test_what_may_be_at_a_provider_stays_reserved_until_it_is_settled(charging: Charging) -> None:
    charging.apply(budget(limit="$10"))
    job, other = charging.jobs(2)
    charging.reserve(charge(job, 4), charge(other, 1))
    charging.at_provider(job, settled=False)
    charging.acting.cancel(job, other)
    assert charging.release(job, other) == [(other, 1)]
    assert charging.release_orphans() == [] and charging.stands() == (0, 4)
    charging.settle(job, 1.5)
    assert charging.stands() == (1.5, 0)


def test_orphans_are_released_and_nothing_else(charging: Charging) -> None:
    charging.apply(budget(limit="$10"))
    waiting, cancelled, retried, refused_there = charging.jobs(4)
    gone = charge("0199a0b0-0000-7000-8000-000000000000", 1)
    charging.reserve(gone, *(charge(job, 1) for job in (waiting, cancelled, retried, refused_there)))
    charging.acting.cancel(cancelled, refused_there)
    charging.at_provider(refused_there, settled=True)
    with charging.store.begin() as tx:
        tx.execute(update(tables.jobs).where(tables.jobs.c.id == retried).values(attempt=2))
    charging.reserve(charge(retried, 1, attempt=2))
    assert set(charging.release_orphans()) == {gone.job_id, cancelled, retried, refused_there}
    assert charging.release_orphans() == [] and charging.stands() == (0, 2)


def test_a_job_that_was_released_and_is_billed_all_the_same_is_charged(charging: Charging) -> None:
    charging.apply(budget(limit="$10"))
    job = charging.job()
    charging.reserve(charge(job, 4))
    charging.release(job)
    assert charging.settle(job, 1) == DOLLAR
    assert charging.stands() == (1, 0)


def test_a_job_is_charged_in_the_period_in_which_it_was_reserved(charging: Charging) -> None:
    charging.apply(budget(limit="$10", period="daily"))
    job, other = charging.jobs(2)
    charging.reserve(charge(job, 10))
    charging.in_the_past(days=1)
    assert charging.stands() == (0, 0)
    assert charging.reserve(charge(other, 10)) == {}
    charging.settle(job, 9)
    assert charging.stands() == (0, 10)
    with charging.store.read() as tx:
        rows = tx.execute(select(tables.budget_periods).order_by(tables.budget_periods.c.start)).all()
    assert [(row.settled_micros, row.reserved_micros) for row in rows] == [(9 * DOLLAR, 0), (0, 10 * DOLLAR)]


def test_a_transaction_that_fails_leaves_nothing(charging: Charging) -> None:
    charging.apply(budget(limit="$10"))
    job = charging.job()

    def crash() -> None:
        with charging.store.begin() as tx:
            assert ledger.reserve(tx, charge(job, 4)) is None
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crash()
    assert charging.stands() == (0, 0) and charging.entries(job) == []


def test_asking_reserves_nothing(charging: Charging) -> None:
    charging.apply(budget(limit="$10"))
    job = charging.job()

    def asked(one: Charge) -> str | None:
        with charging.store.read() as tx:
            refusal = ledger.check(tx, one)
            return None if refusal is None else refusal.reason

    assert [asked(charge(job, dollars)) for dollars in (0, 10, 11, None)] == [
        None,
        None,
        "BudgetExceeded",
        "PriceUnknown",
    ]
    assert charging.entries(job) == [] and charging.outstanding() == 0


def test_a_batch_is_served_in_its_order_and_each_job_for_itself(charging: Charging) -> None:
    charging.apply(budget(limit="$10"))
    jobs = charging.jobs(4)
    refused = charging.reserve(*(charge(job, dollars) for job, dollars in zip(jobs, (6, 5, 0, 4), strict=True)))
    assert set(refused) == {jobs[1]} and charging.stands() == (0, 10)


def refuse(charging: Charging, *wanted: Charge) -> None:
    for job_id, refusal in charging.reserve(*wanted).items():
        charging.refused(job_id, refusal)


def test_jobs_for_which_there_is_something_are_woken_and_no_others(charging: Charging) -> None:
    charging.apply(budget(limit="$10"))
    holder, small, large, urgent = charging.job(), charging.job(), charging.job(), charging.job(priority=0)
    charging.reserve(charge(holder, 10))
    refuse(charging, charge(small, 2), charge(large, 9), charge(urgent, 3))
    assert charging.wake() == []
    charging.settle(holder, 5)
    assert set(charging.wake()) == {urgent, small}
    assert charging.acting.row(urgent).not_before is None and charging.acting.row(large).not_before is not None
    charging.apply(budget(limit="$20"))
    assert charging.wake() == [large]
    assert charging.wake() == []


def test_jobs_are_woken_when_the_period_turns_or_the_budget_is_gone(charging: Charging) -> None:
    charging.apply(budget(limit="$10", period="daily"))
    charging.apply(budget("other", limit="$1", selector={"labels": {"a": "b"}}))
    holder, first, second = charging.jobs(3)
    charging.reserve(charge(holder, 10))
    refuse(charging, charge(first, 2), charge(second, 2, labels={"a": "b"}))
    charging.in_the_past(days=1)
    assert charging.wake() == [first]
    charging.remove("other")
    assert charging.wake() == [second]


def test_a_job_that_waits_for_something_else_is_let_be(charging: Charging) -> None:
    charging.apply(budget(limit="$1"))
    job = charging.job()
    refuse(charging, charge(job, 2))
    with charging.store.begin() as tx:
        tx.execute(update(tables.jobs).where(tables.jobs.c.id == job).values(reason="ProviderUnavailable"))
    charging.apply(budget(limit="$5"))
    assert charging.wake() == []
    with charging.store.read() as tx:
        assert tx.execute(select(func.count()).select_from(tables.budget_waits)).scalar() == 0


def test_a_threshold_is_told_once_in_a_period(charging: Charging) -> None:
    charging.apply(budget(limit="$10", alertThresholds=[50, 80, 95], period="daily"))
    job, other = charging.jobs(2)

    def told() -> list[tuple[float, float]]:
        with charging.store.begin() as tx:
            return [(one.threshold, one.percent) for one in thresholds.crossed(tx)]

    assert told() == []
    charging.reserve(charge(job, 8.5))
    assert told() == [(50, 85), (80, 85)] and told() == []
    charging.release(job)
    charging.reserve(charge(other, 10))
    assert told() == [(95, 100)]
    charging.apply(budget(limit="$20", alertThresholds=[50, 80, 95], period="daily"))
    assert told() == [] and charging.balance().crossed == [50]
    charging.settle(other, 19)
    assert told() == [(80, 95), (95, 95)]
    charging.in_the_past(days=1)
    charging.reserve(charge(job, 12))
    assert told() == [(50, 60)]


def test_a_crossing_whose_transaction_fails_is_told_again(charging: Charging) -> None:
    charging.apply(budget(limit="$10", alertThresholds=[50]))
    charging.reserve(charge(charging.job(), 6))
    for fails in (True, False):
        with charging.store.engine.connect() as tx, tx.begin() as transaction:
            (crossing,) = thresholds.crossed(tx)
            assert (crossing.budget.name, crossing.reserved_micros) == ("team", 6 * DOLLAR)
            if fails:
                transaction.rollback()
    assert charging.balance().crossed == [50]


def test_a_jobs_own_threshold_is_told_once(charging: Charging) -> None:
    job = charging.job()
    charging.reserve(charge(job, 10, alert_micros=8 * DOLLAR))

    def told(so_far: float = 0) -> int | None:
        with charging.store.begin() as tx:
            return thresholds.job_alert(tx, job, so_far_micros=round(so_far * DOLLAR))

    assert told() is None and told(7.99) is None
    assert told(8.2) == 8_200_000 and told(9) is None
    charging.settle(job, 9)
    charging.reserve(charge(job, 5, attempt=2, alert_micros=8 * DOLLAR))
    assert told() is None


def test_costs_are_added_up_to_the_cent_by_whatever_is_asked_for(charging: Charging) -> None:
    first, second, third = charging.jobs(3)
    other = charging.job(namespace="other", name="theirs")
    charging.reserve(
        charge(first, 4, cost_center="research", labels={"my.org/project": "vqe"}),
        charge(second, 2, backend="ibm_torino", labels={"my.org/project": "qaoa"}),
        charge(third, 1, cost_center="research"),
    )
    charging.reserve(charge(other, 10, namespace="other", quantum_seconds=2.5))
    charging.settle(first, 3.99)
    charging.settle(other, 9.5)
    charging.release(third)

    def spent(by: str, **which: Any) -> dict[str | None, tuple[float, float]]:
        with charging.store.read() as tx:
            found = costs.costs(tx, by, **which)
        return {one.key: (one.settled_micros / DOLLAR, one.reserved_micros / DOLLAR) for one in found}

    assert list(spent("namespace").items()) == [("other", (9.5, 0)), ("default", (3.99, 2))]
    assert spent("cost-center", namespace="default") == {"research": (3.99, 0), None: (0, 2)}
    assert spent("backend") == {"ibm_fez": (13.49, 0), "ibm_torino": (0, 2)}
    assert spent("account") == {"lab": (13.49, 2)}
    assert spent("label:my.org/project") == {"vqe": (3.99, 0), "qaoa": (0, 2), None: (9.5, 0)}
    assert spent("job") == {other: (9.5, 0), first: (3.99, 0), second: (0, 2)}
    now = charging.acting.row(first).created_at
    assert spent("month") == {f"{now:%Y-%m}": (13.49, 2)}
    assert spent("namespace", until=now) == {} and len(spent("namespace", since=now)) == 2
    with charging.store.read() as tx:
        (theirs,) = costs.costs(tx, "job", namespace="other")
    assert (theirs.name, theirs.jobs, theirs.quantum_micros, theirs.unpriced) == ("other/theirs", 1, 2_500_000, 0)
    with pytest.raises(InvalidInput, match='by "colour"'):
        spent("colour")


def test_what_a_deleted_job_cost_is_still_known(charging: Charging) -> None:
    job = charging.job()
    charging.reserve(charge(job, 4))
    charging.settle(job, 4)
    with charging.store.begin() as tx:
        tx.execute(tables.inputs.delete())
        tx.execute(tables.jobs.delete())
        (left,) = costs.costs(tx, "job")
    assert (left.key, left.name, left.settled_micros) == (job, None, 4 * DOLLAR)


def test_books_that_do_not_agree_are_found(store: Store) -> None:
    charging = Charging(store)
    charging.apply(budget(limit="$10"))
    job = charging.job()
    charging.reserve(charge(job, 4))
    with store.begin() as tx:
        tx.execute(update(tables.charges).values(micros=5 * DOLLAR))
    found = charging.discrepancies()
    assert len(found) == 2
    assert found[0] == f"Attempt 1 of job {job}: the ledger says (4000000, 0), charges (5000000, 0)."
    assert "reserved_micros is 4000000, its charges 5000000." in found[1]


def test_a_final_job_has_nothing_reserved_once_the_reconciler_was_there(charging: Charging) -> None:
    charging.apply(budget(limit="$10"))
    claim = charging.acting.running()
    charging.reserve(charge(claim.ids[0], 4))
    charging.acting.finish(claim, Phase.FAILED)
    assert charging.release_orphans() == claim.ids and charging.outstanding() == 0
