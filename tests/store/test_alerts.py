"""Alerts in the database: written once with what finds them due, given to one process at a time, on both databases."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from qtasks.alerts import status
from qtasks.store import Store, alerts, deliveries, tables, thresholds
from qtasks.store.alerts import Alert, Channel, Standing
from qtasks.store.deliveries import Delivery
from tests.store.charging import DOLLAR, Charging, budget, charge

BOTH = {"notificationEmail": "team@example.org", "webhook": "https://hooks.example.org/T0/secret"}


@pytest.fixture
def charging(store: Store) -> Charging:
    return Charging(store)


def tell(charging: Charging) -> list[str]:
    with charging.store.begin() as tx:
        return alerts.tell(tx, thresholds.crossed(tx))


def take(charging: Charging) -> Delivery | None:
    with charging.store.begin() as tx:
        return deliveries.take(tx, lease_seconds=60)


def taken(charging: Charging) -> Delivery:
    found = take(charging)
    assert found is not None
    return found


def latest(charging: Charging, name: str = "team") -> list[tuple[Alert, list[Any]]]:
    with charging.store.read() as tx:
        return alerts.latest(tx, "default", name)


def later(charging: Charging, seconds: float) -> None:
    """Let all that is due be due so much earlier."""
    table = tables.alert_deliveries
    with charging.store.begin() as tx:
        for row in tx.execute(select(table)).all():
            mine = (table.c.alert_id == row.alert_id) & (table.c.channel == row.channel)
            tx.execute(update(table).where(mine).values(due_at=row.due_at - timedelta(seconds=seconds)))


def reached(charging: Charging, **spec: Any) -> None:
    """A budget of $10 whose threshold of 80 % is reached by $8.50, and an alert of that."""
    charging.apply(budget(limit="$10", alertThresholds=[80], **{**BOTH, **spec}))
    charging.reserve(charge(charging.job(), 8.5))
    assert len(tell(charging)) == 1


def test_an_alert_is_written_with_what_is_to_be_sent_of_it_and_shown_in_the_status(charging: Charging) -> None:
    reached(charging, timeZone="Europe/Berlin")
    ((alert, rows),) = latest(charging)
    assert (alert.namespace, alert.budget, alert.threshold, alert.percent) == ("default", "team", 80, 85)
    assert isinstance(alert.about, Standing)
    assert (alert.about.limit_micros, alert.about.reserved_micros) == (10 * DOLLAR, 8_500_000)
    assert (alert.about.period, alert.about.time_zone) == ("monthly", "Europe/Berlin")
    assert [(row.channel, row.state, row.tries) for row in rows] == [("email", "due", 0), ("webhook", "due", 0)]
    (shown,) = status(latest(charging))
    assert shown["message"] == "Budget default/team has reached 80 % of its limit: 85 % are used."
    assert "secret" not in str(shown) and "secret" not in repr(taken(charging))


def test_each_address_is_told_once_of_a_threshold_and_period(charging: Charging) -> None:
    reached(charging)
    found = [taken(charging), taken(charging)]
    assert {one.channel for one in found} == set(Channel) and take(charging) is None
    with charging.store.begin() as tx:
        assert all(deliveries.sent(tx, one) for one in found)
    later(charging, 3600)
    assert take(charging) is None and tell(charging) == []
    charging.in_the_past(days=40)
    charging.reserve(charge(charging.job(), 9))
    assert len(tell(charging)) == 1 and take(charging) is not None


def test_an_alert_of_a_transaction_that_fails_is_written_by_the_next_one(charging: Charging) -> None:
    charging.apply(budget(limit="$10", alertThresholds=[50], **BOTH))
    charging.reserve(charge(charging.job(), 6))
    with charging.store.engine.connect() as tx, tx.begin() as transaction:
        alerts.tell(tx, thresholds.crossed(tx))
        transaction.rollback()
    assert latest(charging) == [] and len(tell(charging)) == 1 and len(latest(charging)) == 1


def test_a_budget_without_addresses_has_the_event_only(charging: Charging) -> None:
    reached(charging, notificationEmail=None, webhook=None)
    ((_, rows),) = latest(charging)
    assert rows == [] and take(charging) is None


def test_what_a_dead_process_had_is_given_to_the_next_one_and_its_own_note_counts_no_more(charging: Charging) -> None:
    reached(charging, webhook=None)
    first = taken(charging)
    assert take(charging) is None
    later(charging, 61)
    second = taken(charging)
    assert (first.tries, second.tries) == (1, 2) and first.alert == second.alert
    with charging.store.begin() as tx:
        assert not deliveries.give_up(tx, first, "too late") and not deliveries.put_off(tx, first, "late", seconds=1)
        assert deliveries.sent(tx, second) and not deliveries.sent(tx, second)
    ((_, (row,)),) = latest(charging)
    assert (row.state, row.problem) == ("sent", None)


def test_what_was_put_off_comes_again_after_new_alerts(charging: Charging) -> None:
    reached(charging, webhook=None)
    delivery = taken(charging)
    with charging.store.begin() as tx:
        assert deliveries.put_off(tx, delivery, "The mail server does not answer.", seconds=30)
    assert take(charging) is None
    ((_, (row,)),) = latest(charging)
    assert (row.state, row.problem) == ("due", "The mail server does not answer.")
    later(charging, 31)
    charging.apply(budget("other", limit="$1", alertThresholds=[50], notificationEmail="other@example.org"))
    tell(charging)
    assert [taken(charging).alert.budget, taken(charging).alert.budget] == ["other", "team"]


def test_an_address_that_was_corrected_or_taken_back_meanwhile_counts(charging: Charging) -> None:
    reached(charging, notificationEmail="typo@example.org", webhook=None)
    charging.apply(budget(limit="$10", alertThresholds=[80], notificationEmail="right@example.org"))
    assert taken(charging).target == "right@example.org"
    charging.remove()
    later(charging, 61)
    assert taken(charging).target is None


def test_processes_that_look_at_once_share_what_is_due(charging: Charging) -> None:
    names = [f"b{number}" for number in range(8)]
    for name in names:
        charging.apply(budget(name, limit="$10", alertThresholds=[50], notificationEmail="team@example.org"))
    charging.reserve(charge(charging.job(), 6))
    told: list[str] = []
    found: list[str] = []
    together = threading.Barrier(4)

    def look() -> None:
        together.wait()
        told.extend(tell(charging))
        together.wait()
        while (delivery := take(charging)) is not None:
            found.append(delivery.alert.budget)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(told) == 8 and sorted(found) == names


def test_a_jobs_own_threshold_is_an_event_of_it_and_told_to_its_budgets_once(charging: Charging) -> None:
    mail, hook = {"notificationEmail": "a@example.org"}, {"webhook": "https://hooks.example.org/"}
    charging.apply(budget("a", **mail))
    charging.apply(budget("b", **mail, **hook))
    charging.apply(budget("silent"))
    charging.apply(budget("elsewhere", namespace="other", selector={"namespaces": ["*"]}, **mail))
    own = {"spec": {"budget": {"maxCost": "$10", "alertThreshold": 0.8}}}
    job = charging.job(name="bell", resource=own)
    charging.reserve(charge(job, 10, alert_micros=8 * DOLLAR))

    def told(so_far: float) -> bool:
        with charging.store.begin() as tx:
            return alerts.tell_job(tx, job, so_far_micros=round(so_far * DOLLAR))

    assert not told(7.9) and told(8.2) and not told(9)
    with charging.store.read() as tx:
        row = tx.execute(select(tables.events).where(tables.events.c.reason == "CostAlert")).one()
        counts = alerts.counts(tx)
    assert row.message == "The job has cost $8.20, 82 % of its maxCost of $10.00."
    ((alert, (first,)),) = latest(charging, "a")
    ((_, (second,)),) = latest(charging, "b")
    assert (first.channel, second.channel) == ("email", "webhook")
    assert (alert.threshold, alert.percent) == (80, 82)
    assert latest(charging, "silent") == [] and (counts.budgets, counts.jobs) == (0, 1)


def test_what_became_of_alerts_is_counted(charging: Charging) -> None:
    reached(charging)
    one, _ = taken(charging), taken(charging)
    with charging.store.begin() as tx:
        deliveries.give_up(tx, one, "550 no such user")
        counts = alerts.counts(tx)
    other = next(channel for channel in Channel if channel is not one.channel)
    assert (counts.budgets, counts.jobs) == (1, 0)
    assert counts.deliveries == {(one.channel.value, "given_up"): 1, (other.value, "due"): 1}
