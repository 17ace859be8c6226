"""What may be written in a QiskitBudget, and which jobs it is for."""

from __future__ import annotations

from typing import Any

import pytest

from qtasks.errors import InvalidInput
from qtasks.resources import BudgetSpec, QiskitBudget, dump, parse


def budget(**spec: Any) -> QiskitBudget:
    document = {"apiVersion": "quantum.io/v1", "kind": "QiskitBudget", "metadata": {"name": "b", "namespace": "team"}}
    found = parse({**document, "spec": {"period": "monthly", **spec}})
    assert isinstance(found, QiskitBudget)
    return found


FULL = {
    "limit": "$1000.00",
    "quantumSeconds": 600,
    "period": "weekly",
    "timeZone": "Europe/Berlin",
    "selector": {"namespaces": ["team", "other"], "costCenters": ["research"], "labels": {"project": "vqe"}},
    "alertThresholds": [50, 80, 95],
    "notificationEmail": "team@example.com",
    "webhook": "https://hooks.example/budget",
}


def test_all_that_may_be_written_is_kept_as_written() -> None:
    assert dump(budget(**FULL))["spec"] == FULL


def test_a_budget_is_for_its_own_namespace_in_utc_unless_it_says_otherwise() -> None:
    plain = budget(limit="$5")
    assert plain.spec.time_zone == "UTC" and not plain.spans_namespaces()
    assert covers(plain.spec) and not covers(plain.spec, namespace="other")


def covers(spec: BudgetSpec, **job: Any) -> bool:
    values = {"namespace": "team", "cost_center": None, "labels": {}, **job}
    return spec.selector.covers("team", **values)


def test_a_job_falls_under_a_budget_when_all_that_is_selected_fits() -> None:
    spec = budget(**FULL).spec
    fitting = {"namespace": "other", "cost_center": "research", "labels": {"project": "vqe", "more": "x"}}
    assert covers(spec, **fitting)
    for wrong in ({"namespace": "third"}, {"cost_center": None}, {"cost_center": "sales"}, {"labels": {}}):
        assert not covers(spec, **{**fitting, **wrong})
    assert not covers(spec, **{**fitting, "labels": {"project": "qaoa"}})


def test_a_star_selects_every_namespace() -> None:
    everywhere = budget(limit="$5", selector={"namespaces": ["*"]})
    assert everywhere.spans_namespaces() and covers(everywhere.spec, namespace="anybody")


@pytest.mark.parametrize(
    ("namespaces", "where", "spans"),
    [(["team"], None, False), (["team"], "other", True), (["team", "other"], None, True), (None, "other", False)],
)
def test_it_is_told_when_a_budget_reaches_into_other_namespaces(
    namespaces: list[str] | None, where: str | None, spans: bool
) -> None:
    selector = {} if namespaces is None else {"namespaces": namespaces}
    assert budget(limit="$5", selector=selector).spans_namespaces(where) is spans


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({}, "spec.limit: required: limit, quantumSeconds, or both"),
        ({"limit": "$1", "timeZone": "Europe/Berlim"}, 'did you mean "Europe/Berlin"?'),
        ({"limit": "$1", "timeZone": "../etc/passwd"}, "is not the IANA name of a time zone"),
        ({"limit": "$1", "timeZone": "Europe"}, "is not the IANA name of a time zone"),
        ({"limit": "-$1"}, "not less than zero"),
        ({"quantumSeconds": -1}, "0 to 1000000000000"),
        ({"limit": "$1", "selector": {"namespaces": []}}, "an empty list selects no job"),
        ({"limit": "$1", "selector": {"namespaces": ["A b"]}}, 'the name of a namespace, or "*"'),
        ({"limit": "$1", "webhook": "ftp://x"}, "an https:// address"),
    ],
)
def test_what_is_wrong_is_said(spec: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        budget(**spec)
    assert said in caught.value.message
