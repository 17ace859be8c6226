"""The most that a run can cost."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from qtasks.costs.bounds import braket_upper_bound, ibm_upper_bound
from qtasks.costs.provider import braket_cost, ibm_cost

GARNET = "arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet"
SV1 = "arn:aws:braket:::device/quantum-simulator/amazon/sv1"


def test_quantum_time_is_bounded_by_the_cap_of_the_job() -> None:
    bound = ibm_upper_bound(300, "pay-as-you-go")
    assert (bound.amount, bound.quantum_seconds) == (Decimal(480), 300)
    assert bound.price.endswith("for at most 300 s")
    assert ibm_upper_bound(300, "open").amount == 0


@given(st.floats(0, 300), st.sampled_from(["pay-as-you-go", "flex", "premium"]))
def test_no_job_within_its_cap_costs_more(seconds: float, plan: str) -> None:
    actual, bound = ibm_cost(seconds, plan).amount, ibm_upper_bound(300, plan).amount
    assert actual is not None and bound is not None and actual <= bound


def test_a_qpu_costs_what_it_costs_and_a_simulation_what_its_time_may_be() -> None:
    assert braket_upper_bound(GARNET, 100) == braket_cost(GARNET, 100)
    bound = braket_upper_bound(SV1, 100, most_seconds=600)
    assert bound.amount == Decimal("0.75") and bound.price.endswith("for at most 600 s")


def test_a_simulation_of_any_length_has_no_bound() -> None:
    assert braket_upper_bound(SV1, 100).amount is None
    assert braket_upper_bound(SV1, 100).price == f"nobody said how long a simulation may take on {SV1}"


def test_an_unknown_price_stays_unknown() -> None:
    assert ibm_upper_bound(300, "gold") == ibm_cost(300, "gold")
    for seconds in (None, 60.0):
        assert braket_upper_bound("arn:aws:braket:::device/qpu/d-wave/x", 1, most_seconds=seconds).amount is None
