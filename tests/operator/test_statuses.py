"""What qtasks knows, as Kubernetes has it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qtasks.errors import Forbidden, InvalidInput
from qtasks.operator import statuses
from tests.support.kubernetes.patches import MERGE, patched

ACCEPTED = statuses.condition("Accepted", True, "Submitted", "It is job 1.", "2026-01-01T00:00:00Z")


def document(**status: Any) -> dict[str, Any]:
    return {
        "metadata": {"uid": "0192", "name": "bell-1a2b", "namespace": "lab"},
        "spec": {"circuit": {"source": "inline"}, "output": {"location": "x"}},
        "status": {"phase": "Pending", "attempt": 1, "cost": "$0.00", "conditions": [], **status},
    }


def delivered(status: str, reason: str) -> dict[str, Any]:
    return {"phase": "Completed", "conditions": [{"type": "OutputDelivered", "status": status, "reason": reason}]}


def test_a_status_says_what_the_table_of_jobs_does() -> None:
    found = statuses.job_status(document(), generation=3, accepted=ACCEPTED)
    shown = {name: found[name] for name in ("jobId", "jobName", "phase", "backend", "priority", "shots", "cost")}
    assert shown == {
        "jobId": "0192",
        "jobName": "bell-1a2b",
        "phase": "Pending",
        "backend": "local_simulator",
        "priority": "normal",
        "shots": 1024,
        "cost": "$0.00",
    }
    assert (found["observedGeneration"], found["conditions"]) == (3, [ACCEPTED])


def test_times_are_in_whole_seconds_wherever_they_stand() -> None:
    attempts = [{"startTime": "2026-01-02T03:04:05.678901Z", "message": "at 2026-01-02T03:04:05.678901Z it began"}]
    found = statuses.job_status(document(attempts=attempts), generation=1, accepted=ACCEPTED)
    said = "at 2026-01-02T03:04:05.678901Z it began"
    assert found["attempts"] == [{"startTime": "2026-01-02T03:04:05Z", "message": said}]


def test_what_is_refused_has_failed_and_was_not_validated() -> None:
    error = InvalidInput("spec.circuit.code: required", reason="InvalidResource")
    found = statuses.refused_job(error, generation=2)
    assert (found["phase"], found["reason"], found["message"]) == ("Failed", "InvalidResource", str(error))
    assert {one["type"]: one["status"] for one in found["conditions"]} == {"Accepted": "False", "Validated": "False"}


def test_what_may_be_taken_later_waits() -> None:
    error = Forbidden("Too many.", reason="QuotaExceeded")
    found = statuses.refused_job(error, generation=2, waits=True)
    assert (found["phase"], found["reason"]) == ("Pending", "QuotaExceeded")
    assert [one["type"] for one in found["conditions"]] == ["Accepted"]


def test_a_job_that_is_gone_was_cancelled_unless_it_was_final() -> None:
    assert statuses.gone_job({"phase": "Running"})["phase"] == "Cancelled"
    assert statuses.gone_job({"phase": "Completed", "cost": "$1.00"}) == {"phase": "Completed", "cost": "$1.00"}


@pytest.mark.parametrize(
    ("status", "settled"),
    [
        ({"phase": "Running"}, False),
        ({"phase": "Failed"}, True),
        ({"phase": "Cancelled", "provider": {"state": "running"}}, False),
        ({"phase": "Completed"}, False),
        (delivered("True", "Delivered"), True),
        (delivered("False", "ConfigMapTooLarge"), True),
        (delivered("False", "OutputRetrying"), False),
        (delivered("Unknown", "OutputAsked"), False),
    ],
)
def test_a_job_is_settled_when_its_output_is(status: dict[str, Any], settled: bool) -> None:
    assert statuses.is_settled(document(**status)) is settled


def test_a_condition_that_stays_keeps_its_time() -> None:
    later = {**ACCEPTED, "message": "Another.", "lastTransitionTime": "2026-02-01T00:00:00Z"}
    assert statuses.kept_since(later, ACCEPTED)["lastTransitionTime"] == "2026-01-01T00:00:00Z"
    assert statuses.kept_since({**later, "status": "False"}, ACCEPTED)["lastTransitionTime"] == "2026-02-01T00:00:00Z"
    assert statuses.kept_since(later, None) == later


def test_the_device_in_service_with_the_shortest_wait_speaks_for_a_backend() -> None:
    def device(account: str, available: bool | None, wait: float | None) -> dict[str, Any]:
        status = {"available": available, "waitSeconds": wait, "qubits": 20, "queueAt": None}
        return {"name": "garnet", "account": account, "status": status}

    found = statuses.backend_status([device("a", False, 1.0), device("b", True, 9.0), device("c", True, 3.0)])
    assert (found["state"], found["waitSeconds"], found["account"]) == ("up", 3.0, "a,b,c")
    assert "queueAt" not in found
    assert statuses.backend_status([device("a", None, None)])["state"] == "unknown"


json_like = st.recursive(
    st.booleans() | st.integers(0, 3) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
statuses_like = st.dictionaries(st.sampled_from("abcd"), json_like, max_size=4)


@settings(max_examples=50)
@given(statuses_like, statuses_like)
def test_a_patch_makes_one_status_of_another(old: dict[str, Any], new: dict[str, Any]) -> None:
    change = statuses.merge_patch(old, new)
    assert patched({"status": old}, {"status": change}, MERGE)["status"] == new
    assert bool(change) is (old != new)
