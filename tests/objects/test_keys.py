"""Where each object lies."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtasks.errors import InvalidInput
from qtasks.objects import keys
from qtasks.objects.protocol import valid_key


def test_inputs_wait_under_pending_and_end_under_completed() -> None:
    assert keys.pending_input("default", "j1", "qpy") == "pending/default/j1/input.qpy"
    assert keys.completed_input("default", "j1", "openqasm3") == "completed/default/j1/input.qasm3"
    assert keys.completed_input("default", "j1", "openqasm2") == "completed/default/j1/input.qasm"
    assert keys.pending_circuit("default", "j1") == "pending/default/j1/circuit.qpy"
    assert keys.completed_circuit("default", "j1") == "completed/default/j1/circuit.qpy"
    assert keys.pending_input("default", "j1", "python") == "pending/default/j1/input.py"
    assert keys.pending_fetched("default", "j1", "qasm2", 7) == "pending/default/j1/fetched-7.qasm"
    assert keys.pending_fetched("default", "j1", "qasm2", 7).startswith(keys.pending("default", "j1"))


def test_results_lie_under_completed_one_per_claim_or_many_together() -> None:
    assert keys.result("default", "j1", 3) == "completed/default/j1/result-3.json"
    assert keys.result_batch("default", "b1") == "completed/default/batches/b1.jsonl"


@pytest.mark.parametrize("wrong", ["", "..", "a/b", "../other", "a b", ".hidden"])
def test_a_name_that_could_lead_elsewhere_is_refused(wrong: str) -> None:
    makers: tuple[Callable[[], str], ...] = (
        lambda: keys.result(wrong, "j", 1),
        lambda: keys.result("ns", wrong, 1),
        lambda: keys.result_batch(wrong, "b"),
        lambda: keys.pending_input("ns", wrong, "qpy"),
        lambda: keys.completed_input("ns", "j", f"{wrong}/x"),
        lambda: keys.pending_circuit("ns", wrong),
    )
    for make in makers:
        with pytest.raises(InvalidInput) as caught:
            make()
        assert caught.value.reason == "InvalidObjectKey"


@given(st.text("aZ9-_./ é\0\n", max_size=10), st.text("aZ9-_./ é\0\n", max_size=10))
def test_every_key_that_is_made_is_valid_and_in_its_own_folder(namespace: str, job_id: str) -> None:
    try:
        key = keys.result(namespace, job_id, 1)
    except InvalidInput:
        return
    assert valid_key(key).split("/") == ["completed", namespace, job_id, "result-1.json"]
