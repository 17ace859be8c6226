"""Budgets, devices, costs and prices as tables and texts."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import Any

import pytest

from qtasks.cli.backend_table import backend_table, short_device
from qtasks.cli.budget_table import budget_table, spent_bar
from qtasks.cli.cost_table import cost_table, csv_text, document
from qtasks.cli.descriptions import backend_description, budget_description, past_estimates
from qtasks.cli.price_table import price_table
from qtasks.cli.prices import _document as price_document
from qtasks.costs.prices import list_prices

from .documents import NOW

GARNET = "arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet"


def budget(
    spent: str = "$42.10", reserved: str = "$3.00", percent: float = 45.1, *, used: float = 90.0, **spec: Any
) -> dict[str, Any]:
    known = {"limit": "$100.00", "period": "monthly", "timeZone": "Europe/Berlin", "alertThresholds": [50, 80]}
    return {
        "metadata": {"name": "research", "namespace": "lab", "creationTimestamp": "2026-11-01T00:00:00.000000Z"},
        "spec": {**known, **spec},
        "status": {
            "period": {
                "start": "2026-10-31T23:00:00.000000Z",
                "end": "2026-11-30T23:00:00.000000Z",
                "timeZone": "Europe/Berlin",
            },
            "spent": spent,
            "reserved": reserved,
            "remaining": "$54.90",
            "percent": percent,
            "thresholdsCrossed": [50],
            "quantumSeconds": {"used": used, "reserved": 0.0, "remaining": 510.0},
            "waiting": ["lab/vqe"],
        },
    }


def test_a_budget_is_one_line_with_a_bar_of_spent_reserved_and_left() -> None:
    title, line = budget_table([budget(timeZone="UTC")], now=NOW).plain.splitlines()
    assert title == "NAME       LIMIT     SPENT    RESERVED   REMAINING   USED             PERIOD    RESETS   CROSSED"
    assert line == "research   $100.00   $42.10   $3.00      $54.90      ████▒░░░░░ 45%   monthly   in 10d   50%"


def test_a_budgets_time_zone_is_said_where_it_is_not_utc() -> None:
    assert "monthly (Europe/Berlin)" in budget_table([budget()], now=NOW).plain


@pytest.mark.parametrize("namespaces", [False, True])
def test_a_budget_fits_into_80_columns_with_its_bar_and_period(namespaces: bool) -> None:
    lines = budget_table([budget(timeZone="UTC")], now=NOW, width=80, namespaces=namespaces).plain.splitlines()
    assert max(map(len, lines)) <= 80
    for figure in ("$100.00", "$42.10", "████▒░░░░░ 45%", "monthly", "in 10d"):
        assert figure in lines[1]


@pytest.mark.parametrize(
    ("spent", "reserved", "percent", "shown"),
    [
        ("$0.00", "$0.00", 0.0, "░░░░░░░░░░ 0%"),
        ("$0.01", "$0.00", 0.01, "█░░░░░░░░░ <1%"),
        ("$0.00", "$10.00", 10.0, "▒░░░░░░░░░ 10%"),
        ("$99.00", "$0.99", 99.99, "████████▒░ >99%"),
        ("$50.00", "$50.00", 100.0, "█████▒▒▒▒▒ 100%"),
        ("$120.00", "$0.00", 120.0, "██████████ 120%"),
    ],
)
def test_a_bar_tells_some_from_none_and_nearly_all_from_all(
    spent: str, reserved: str, percent: float, shown: str
) -> None:
    assert spent_bar(budget(spent, reserved, percent)) == shown


def test_a_budget_of_quantum_time_is_shown_in_time() -> None:
    of_time = budget(percent=15.0, limit=None, quantumSeconds=600)
    line = budget_table([of_time], now=NOW).plain.splitlines()[1]
    assert "10m" in line
    assert "90s" in line
    assert "$" not in line
    both = budget_table([budget(quantumSeconds=600)], now=NOW).plain
    assert "$100.00 + 10m" in both


def test_a_budgets_description_has_its_period_zone_thresholds_and_who_waits() -> None:
    text = budget_description(budget(), now=NOW, width=80).plain
    assert "Time zone:     Europe/Berlin" in text
    assert "Until:         2026-11-30T23:00:00.000000Z (in 10d)" in text
    assert "Thresholds:    50%,80%" in text
    assert "Crossed:       50%" in text
    assert "Waiting jobs:  lab/vqe" in text
    assert "For jobs of:   namespaces=lab" in text


def device(name: str = "ibm_fez", **status: Any) -> dict[str, Any]:
    known = {
        "qubits": 156,
        "simulator": False,
        "available": True,
        "pendingJobs": 12,
        "waitSeconds": 330.0,
        "waitIs": "as the provider says",
        "meanError": 0.0073,
        "calibration": "0123456789abcdef",
        "maxShots": 100000,
        "dynamicCircuits": True,
        "queueAt": "2026-11-20T11:58:00.000000Z",
        "refreshedAt": "2026-11-20T11:00:00.000000Z",
        "stale": False,
        "message": None,
    }
    return {
        "kind": "Backend",
        "name": name,
        "type": "aws_braket" if name.startswith("arn:") else "ibm_quantum",
        "account": "lab-open",
        "registeredAs": [],
        "status": {**known, **status},
    }


def test_a_device_is_one_line() -> None:
    assert backend_table([device()], now=NOW).plain.splitlines() == [
        "NAME      TYPE          ACCOUNT    QUBITS   STATE   PENDING   WAIT    ERROR   AGE",
        "ibm_fez   ibm_quantum   lab-open   156      up      12        5m30s   0.73%   2m",
    ]


def test_devices_fit_into_80_columns_and_arns_stay_apart() -> None:
    old = device(GARNET, queueAt="2026-11-20T09:00:00.000000Z", stale=True, available=False, meanError=None)
    lines = backend_table([device(), old], now=NOW, width=80).plain.splitlines()
    assert max(map(len, lines)) <= 80
    assert "iqm/Garnet" in lines[2]
    assert "down" in lines[2]
    assert lines[2].endswith("3h (stale)")


def test_an_arn_is_shortened_to_what_tells_it_from_others() -> None:
    assert short_device(GARNET) == "eu-north-1/iqm/Garnet"
    assert short_device("arn:aws:braket:::device/quantum-simulator/amazon/sv1") == "amazon/sv1"
    assert short_device("arn:aws:braket:*::device/qpu/*") == "qpu/*"
    assert short_device("ibm_fez") == "ibm_fez"


def test_a_devices_description_says_where_its_figures_are_from() -> None:
    estimates = {"jobs": 1, "medianErrorSeconds": 5.0, "medianBiasSeconds": -5.0}
    text = backend_description(device(stale=True, estimates=estimates), now=NOW).plain
    assert "Wait:               5m30s, as the provider says" in text
    assert "(2m ago) (stale: they are used, and said to be old)" in text
    assert "Past estimates:     of 1 job, half started within 5s of it; typically 5s earlier" in text
    assert past_estimates({"jobs": 0}).startswith("none to compare with")


def group(key: str | None, spent: str, reserved: str = "0", **more: Any) -> dict[str, Any]:
    money = {"spent": Decimal(spent), "reserved": Decimal(reserved)}
    return {"team": key, **money, "quantumSeconds": 2.0, "jobs": 3, "unpriced": 0, **more}


GROUPS = [group("vqe", "12.34", "1.5"), group(None, "3.000001"), group("qaoa", "0.1", unpriced=2)]


def test_costs_are_a_chart_whose_amounts_add_up_exactly() -> None:
    lines = cost_table("label:team", GROUPS, width=80).plain.splitlines()
    assert lines[0].split() == [
        "TEAM",
        "SPENT",
        "RESERVED",
        "QUANTUM",
        "JOBS",
        "UNPRICED",
        "SPENT",
        "█",
        "RESERVED",
        "▒",
    ]
    assert lines[1].split()[:5] == ["vqe", "$12.340000", "$1.50", "2.0s", "3"]
    assert lines[2].split()[:2] == ["<none>", "$3.000001"]
    assert lines[4].split() == ["<total>", "$15.440001", "$1.50", "6.0s", "9", "2"]
    assert max(map(len, lines)) <= 80
    longest = lines[1].split()[-1]
    assert set(longest) == {"█", "▒"}
    assert len(lines[2].split()[-1]) == round(len(longest) * 3.000001 / 13.84)
    assert lines[3].split()[-1] == "█"
    # The points of all amounts stand in one column.
    assert len({line.index(".") for line in lines[1:]}) == 1


def test_costs_of_nothing_have_no_bar() -> None:
    lines = cost_table("label:team", [group("vqe", "0")]).plain.splitlines()
    assert lines[1].split() == ["vqe", "$0.00", "$0.00", "2.0s", "3"]


def test_jobs_are_not_added_up_where_one_may_count_twice() -> None:
    by_month = [{"month": "2026-10", **group("x", "1")}, {"month": "2026-11", **group("x", "1")}]
    assert cost_table("month", by_month).plain.splitlines()[-1].split() == ["<total>", "$2.00", "$0.00", "4.0s"]


def test_costs_as_a_document_are_whole_micro_dollars() -> None:
    found = document("label:team", GROUPS, namespace="lab", since=None, until=None, discrepancies=["…"])
    assert [one["spentMicros"] for one in found["groups"]] == [12_340_000, 3_000_001, 100_000]
    assert found["groups"][0]["spent"] == "12.340000"
    assert found["total"]["spentMicros"] == sum(one["spentMicros"] for one in found["groups"]) == 15_440_001
    assert found["total"]["reserved"] == "1.500000"
    assert found["discrepancies"] == ["…"]


def test_costs_as_csv_can_be_added_up_by_a_spreadsheet() -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text("label:team", GROUPS))))
    assert list(rows[0]) == ["team", "spent_usd", "reserved_usd", "quantum_seconds", "jobs", "unpriced"]
    assert sum(Decimal(row["spent_usd"]) for row in rows) == Decimal("15.440001")
    jobs = [{"job": "1", "name": "lab/vqe", **group("x", "1")}]
    assert csv_text("job", jobs).splitlines()[1] == "1,lab/vqe,1.000000,0.000000,2.0,3,0"


@pytest.mark.parametrize("width", [80, 200])
def test_prices_are_shown_with_source_and_date(width: int) -> None:
    documents = [price_document(price) for price in list_prices().prices]
    lines = price_table(documents, width=width).plain.splitlines()
    assert max(map(len, lines)) <= width
    (flex,) = (line for line in lines if " flex " in line)
    assert "$72 a minute" in flex
    assert "2025-12" in flex
    assert ("https://www.ibm.com/quantum/products" in flex) == (width == 200)
