"""Budgets: kept, changed, made anew, and what counts in them."""

from __future__ import annotations

import pytest

from qtasks.store import Store, budgets
from tests.store.charging import Charging, budget, charge

pytestmark = pytest.mark.system


@pytest.fixture
def charging(store: Store) -> Charging:
    return Charging(store)


def test_a_budget_is_created_once_and_configured_when_it_says_something_else(charging: Charging) -> None:
    assert charging.apply(budget(limit="$10")) == "created"
    assert charging.apply(budget(limit="$10")) == "unchanged"
    assert charging.apply(budget(limit="$20")) == "configured"
    assert charging.apply(budget(limit="$20", period="daily")) == "configured"
    assert charging.apply(budget(limit="$20", namespace="other")) == "created"
    with charging.store.read() as tx:
        assert [(b.namespace, b.name, str(b.spec.limit)) for b in budgets.walk(tx)] == [
            ("default", "team", "$20.00"),
            ("other", "team", "$20.00"),
        ]


def test_raising_a_budget_keeps_what_was_spent(charging: Charging) -> None:
    charging.apply(budget(limit="$10"))
    first, second = charging.jobs(2)
    charging.reserve(charge(first, 6), charge(second, 2))
    charging.settle(first, 6)
    charging.apply(budget(limit="$20"))
    assert charging.stands() == (6, 2)


@pytest.mark.parametrize(
    "changed",
    [
        {"period": "yearly"},
        {"period": "total"},
        {"timeZone": "Pacific/Kiritimati"},
        {"selector": {"labels": {"project": "vqe"}}},
        {"selector": {"namespaces": ["default", "other"]}},
    ],
)
def test_a_budget_that_counts_something_else_counts_it_anew(charging: Charging, changed: dict[str, object]) -> None:
    charging.apply(budget(limit="$10", period="total"))
    first, second = charging.jobs(2)
    vqe = {"labels": {"project": "vqe"}}
    charging.reserve(charge(first, 6, **vqe), charge(second, 2, **vqe))
    charging.settle(first, 5)
    charging.apply(budget(limit="$10", **{"period": "total", **changed}))
    assert charging.stands() == (5, 2)
    charging.settle(second, 1)
    assert charging.stands() == (6, 0) and charging.discrepancies() == []


def test_a_budget_counts_only_the_jobs_that_it_selects(charging: Charging) -> None:
    first, second = charging.jobs(2)
    theirs = charging.job(namespace="other")
    charging.reserve(charge(first, 6, cost_center="research"), charge(second, 2), charge(theirs, 1, namespace="other"))
    charging.apply(budget("all"))
    charging.apply(budget("research", selector={"costCenters": ["research"]}))
    charging.apply(budget("both", selector={"namespaces": ["*"]}))
    assert [charging.stands(name) for name in ("all", "research", "both")] == [(0, 8), (0, 6), (0, 9)]
    charging.settle(theirs, 1)
    assert charging.stands("both") == (1, 8) and charging.discrepancies() == []


def test_deleting_a_budget_and_making_it_again_gives_no_new_money(charging: Charging) -> None:
    charging.apply(budget(limit="$10"))
    first, second, third = charging.jobs(3)
    charging.reserve(charge(first, 6), charge(second, 2))
    charging.settle(first, 6)
    assert charging.remove() and not charging.remove()
    charging.release(second)
    charging.reserve(charge(third, 3))
    charging.apply(budget(limit="$10"))
    assert charging.stands() == (6, 3)
    assert second in charging.reserve(charge(second, 1.01))
    assert charging.discrepancies() == []


def test_what_was_spent_before_the_period_does_not_count(charging: Charging) -> None:
    job = charging.job()
    charging.reserve(charge(job, 6))
    charging.in_the_past(days=1)
    charging.apply(budget(limit="$10", period="daily"))
    assert charging.stands() == (0, 0)
    charging.apply(budget("ever", limit="$10", period="total"))
    assert charging.stands("ever") == (0, 6)


def test_a_limit_below_what_is_spent_stops_new_jobs_and_changes_nothing_else(charging: Charging) -> None:
    charging.apply(budget(limit="$10"))
    first, second = charging.jobs(2)
    charging.reserve(charge(first, 8))
    charging.apply(budget(limit="$5"))
    assert charging.stands() == (0, 8)
    assert second in charging.reserve(charge(second, 0.01))
    assert charging.balance().percent(_kept(charging)) == 160


def _kept(charging: Charging) -> budgets.Budget:
    with charging.store.read() as tx:
        return budgets.walk(tx)[0]


def test_of_two_limits_the_nearer_one_makes_the_percentage(charging: Charging) -> None:
    charging.apply(budget(limit="$10", quantumSeconds=100))
    charging.reserve(charge(charging.job(), 2, quantum_seconds=90))
    assert charging.balance().percent(_kept(charging)) == 90
