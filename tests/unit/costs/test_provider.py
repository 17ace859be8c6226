"""What a run costs at a provider."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtasks.config import Plan
from qtasks.costs.prices import list_prices, read_prices
from qtasks.costs.provider import braket_cost, ibm_cost
from qtasks.costs.simulator import micros
from qtasks.errors import InvalidInput
from qtasks.resources.prices import Price, Unit

FORTE = "arn:aws:braket:us-east-1::device/qpu/ionq/Forte-1"
GARNET = "arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet"
SV1 = "arn:aws:braket:::device/quantum-simulator/amazon/sv1"
QPUS = {
    "us-east-1::device/qpu/ionq/Forte-1": "8.30",
    "us-east-1::device/qpu/ionq/Forte-Enterprise-1": "8.30",
    "us-east-1::device/qpu/ionq/Aria-1": "3.30",
    "us-east-1::device/qpu/quera/Aquila": "1.30",
    "eu-north-1::device/qpu/aqt/Ibex-Q1": "2.65",
    "eu-north-1::device/qpu/iqm/Garnet": "0.445",
    "eu-north-1::device/qpu/iqm/Emerald": "0.46",
    "us-west-1::device/qpu/rigetti/Ankaa-3": "0.39",
    "us-west-1::device/qpu/rigetti/Cepheus-1-108Q": "0.3425",
}
seconds = st.floats(0, 1e7)


@pytest.mark.parametrize(
    ("plan", "a_minute"), [("open", "0"), ("pay-as-you-go", "96"), ("flex", "72"), ("premium", "48")]
)
def test_a_minute_of_quantum_time(plan: str, a_minute: str) -> None:
    cost = ibm_cost(60, plan)
    assert cost.amount == Decimal(a_minute)
    assert cost.quantum_seconds == 60
    assert "ibm.com" in cost.price and "202" in cost.price


def test_every_plan_of_an_account_has_a_price() -> None:
    assert all(ibm_cost(1, plan).amount is not None for plan in Plan)


def test_an_unknown_price_is_never_zero() -> None:
    assert ibm_cost(1, "gold").amount is None
    for arn in ("arn:aws:braket:::device/qpu/d-wave/Advantage_system4", "arn:aws:braket:::device/x/amazon/new", ""):
        cost = braket_cost(arn, 1)
        assert cost.amount is None and cost.price == f"no price is known for {arn}"


@pytest.mark.parametrize("device", QPUS)
def test_a_hundred_shots_on_a_device(device: str) -> None:
    assert braket_cost(f"arn:aws:braket:{device}", 100).amount == Decimal(QPUS[device])


def test_a_cost_says_which_prices_it_was_worked_out_with() -> None:
    source = "https://aws.amazon.com/braket/pricing/"
    assert (
        braket_cost(GARNET, 1).price == f"$0.30 a task ({source}, 2026-08-21) + $0.00145 a shot ({source}, 2026-07-23)"
    )


def test_a_simulation_is_billed_for_three_seconds_at_least() -> None:
    assert braket_cost(SV1, 5).amount == Decimal("0.00375")
    assert braket_cost(SV1, 5).price.endswith(", at least three seconds")
    assert braket_cost(SV1, 5, duration_seconds=0.4).amount == Decimal("0.00375")
    assert braket_cost(SV1, 5, duration_seconds=600).amount == Decimal("0.75")


@given(seconds, seconds)
def test_more_time_never_costs_less_and_amounts_are_whole_micro_dollars(one: float, other: float) -> None:
    less, more = sorted((one, other))
    for plan in Plan:
        cheap, dear = ibm_cost(less, plan).amount, ibm_cost(more, plan).amount
        assert cheap is not None and dear is not None and 0 <= cheap <= dear
        assert Decimal(micros(dear)) / 10**6 == dear
    cheap, dear = (braket_cost(SV1, 1, duration_seconds=duration).amount for duration in (less, more))
    assert cheap is not None and dear is not None and Decimal("0.00375") <= cheap <= dear


@given(seconds)
def test_an_amount_is_never_below_the_price_and_at_most_a_micro_dollar_above_it(time: float) -> None:
    amount = ibm_cost(time, "pay-as-you-go").amount
    assert amount is not None
    assert 0 <= amount - Decimal(repr(time)) * Decimal("1.60") <= Decimal("0.000001")


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_two_tasks_cost_one_task_price_more_than_one_of_all_their_shots(some: int, others: int) -> None:
    apart = [braket_cost(FORTE, shots).amount for shots in (some, others)]
    together = braket_cost(FORTE, some + others).amount
    assert together is not None and sum(amount or 0 for amount in apart) - together == Decimal("0.30")


def test_a_price_of_ones_own_replaces_the_list_price_of_what_it_fits() -> None:
    own = Price(
        provider="aws_braket", item="*/ionq/*", unit=Unit.SHOT, amount="0.01", source="contract", date="2026-11-01"
    )
    prices = list_prices().replaced_by([own])
    assert braket_cost(FORTE, 100, prices=prices).amount == Decimal("1.30")
    assert "(contract, 2026-11-01)" in braket_cost(FORTE, 100, prices=prices).price
    assert braket_cost(GARNET, 100, prices=prices) == braket_cost(GARNET, 100)
    assert braket_cost(FORTE, 100).amount == Decimal("8.30")


def test_an_empty_price_list_knows_no_price() -> None:
    assert ibm_cost(1, "open", prices=read_prices("")).amount is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prices: [{provider: ibm_quantum, item: open, unit: second, amount: -1, source: x, date: 2026-01}]", "amount"),
        ("prices: [{provider: ibm_quantum, item: open, unit: hour, amount: 1, source: x, date: 2026-01}]", "unit"),
        ("prices: [{provider: ibm_quantum, item: open, unit: second, amount: 1, source: x}]", "date"),
        ("prices: [", "line 2"),
    ],
)
def test_a_wrong_price_list_is_refused_with_the_place(text: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said) as refused:
        read_prices(text)
    assert refused.value.reason == "InvalidPrices"


def test_every_price_has_a_source_and_a_date() -> None:
    for price in list_prices().prices:
        assert price.source.startswith("https://") and price.date.startswith("20")


def test_prices_need_no_sdk() -> None:
    code = (
        "import sys; from qtasks.costs.provider import ibm_cost; ibm_cost(1, 'open');"
        "sys.exit(bool({'qiskit', 'braket', 'boto3'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
