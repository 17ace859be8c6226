"""Budgets and costs as their users see them."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from qtasks.client import Client
from qtasks.costs.budgets import sentence
from qtasks.errors import InvalidInput, NotFound
from qtasks.resources import Metadata
from qtasks.settings import Settings
from qtasks.store import Store
from tests.store.charging import Charging, charge
from tests.store.charging import budget as made


@pytest.fixture
def charging(store: Store) -> Charging:
    return Charging(store)


@pytest.fixture
def client(migrated_url: str, tmp_path: Path) -> Iterator[Client]:
    # A broker that is away: what is woken is found by the reconciler.
    with Client(Settings(home=tmp_path, database_url=migrated_url, broker_url="redis://127.0.0.1:1/0")) as opened:
        yield opened


def test_a_budget_shows_what_is_spent_reserved_and_left_in_its_period(client: Client, charging: Charging) -> None:
    spec = {"limit": "$10", "quantumSeconds": 600, "timeZone": "Europe/Berlin", "alertThresholds": [50]}
    assert client.apply_budget(made(**spec)) == "created"
    first, second = charging.jobs(2)
    charging.reserve(charge(first, 4, quantum_seconds=10), charge(second, 2.5))
    charging.settle(first, 3, seconds=7.5)
    (document,) = client.budgets()
    assert document["metadata"]["name"] == "team" and document["spec"] == {"period": "monthly", **spec}
    status = document["status"]
    period = status.pop("period")
    assert status == {
        "spent": "$3.00",
        "reserved": "$2.50",
        "remaining": "$4.50",
        "percent": 55.0,
        "thresholdsCrossed": [],
        "quantumSeconds": {"used": 7.5, "reserved": 0.0, "remaining": 592.5},
    }
    assert period["timeZone"] == "Europe/Berlin" and period["start"] < period["end"]
    assert period["start"][8:16] in ("31T22:00", "30T22:00", "31T23:00", "30T23:00", "28T23:00", "29T23:00")


def test_a_total_has_no_boundaries_and_an_unused_budget_all_its_money(client: Client) -> None:
    client.apply_budget(made(limit="$0.5", period="total"))
    status = client.budget("team")["status"]
    assert status["period"] == {"start": None, "end": None, "timeZone": "UTC"}
    assert (status["spent"], status["remaining"], status["waiting"]) == ("$0.00", "$0.50", [])


def test_raising_a_budget_lets_the_jobs_go_on_that_waited_for_it(client: Client, charging: Charging) -> None:
    client.apply_budget(made(limit="$1"))
    job = charging.job(name="dear")
    charging.refused(job, charging.reserve(charge(job, 2))[job])
    assert client.budget("team")["status"]["waiting"] == ["default/dear"]
    assert client.apply_budget(made(limit="$1")) == "unchanged"
    assert charging.acting.row(job).not_before is not None
    assert client.apply_budget(made(limit="$2")) == "configured"
    assert charging.acting.row(job).not_before is None


def test_deleting_a_budget_lets_its_jobs_go_on(client: Client, charging: Charging) -> None:
    client.apply_budget(made(limit="$1"))
    job = charging.job()
    charging.refused(job, charging.reserve(charge(job, 2))[job])
    assert client.delete_budget("team")["status"]["spent"] == "$0.00"
    assert charging.acting.row(job).not_before is None
    for question in (client.budget, client.delete_budget):
        with pytest.raises(NotFound) as caught:
            question("team")
        assert caught.value.reason == "BudgetNotFound"


def test_budgets_belong_to_their_namespace(client: Client) -> None:
    client.apply_budget(made(limit="$1"))
    client.apply_budget(made(limit="$2"), namespace="other")
    assert [one["metadata"]["namespace"] for one in client.budgets()] == ["default"]
    assert [one["spec"]["limit"] for one in client.budgets(namespace="other")] == ["$2"]
    assert len(client.budgets(all_namespaces=True)) == 2
    nameless = made().model_copy(update={"metadata": Metadata()})
    with pytest.raises(InvalidInput, match=r"metadata\.name"):
        client.apply_budget(nameless)


def test_costs_are_exact_and_those_of_the_namespace(client: Client, charging: Charging) -> None:
    first, second = charging.job(name="a"), charging.job(namespace="other")
    charging.reserve(charge(first, 0.1, labels={"team": "x"}), charge(second, 1, namespace="other"))
    charging.settle(first, 0.100001)
    row = {"spent": Decimal("0.100001"), "reserved": Decimal(0), "quantumSeconds": 0.0, "jobs": 1, "unpriced": 0}
    assert client.costs("label:team") == [{"team": "x", **row}]
    assert client.costs("job") == [{"job": first, "name": "default/a", **row}]
    assert [one["namespace"] for one in client.costs(all_namespaces=True)] == ["other", "default"]


def test_what_can_never_start_by_itself_is_said_to_need_somebody(charging: Charging) -> None:
    charging.apply(made(limit="$1"))
    first, second = charging.jobs(2)
    assert sentence(charging.reserve(charge(first, 2))[first]).endswith(
        "That is more than a whole period has: raise the budget, or use a cheaper backend."
    )
    charging.apply(made("org", namespace="ops", quantumSeconds=5, selector={"namespaces": ["*"]}))
    unknown = charging.reserve(charge(second, 1, quantum_seconds=None))[second]
    assert sentence(unknown) == (
        "Quantum time unknown: a budget over several namespaces limits quantum time, and nobody knows how much the job "
        "would use. Choose another backend."
    )
