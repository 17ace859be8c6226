"""What IBM's answers and an account's settings mean, without a provider."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from qtasks.backends.ibm.addresses import addresses
from qtasks.backends.ibm.allowances import allowance_of
from qtasks.backends.ibm.instances import Instance, choose
from qtasks.backends.ibm.login import login
from qtasks.backends.ibm.states import heals, job_of
from qtasks.backends.ibm.submission import tags
from qtasks.backends.protocol import BackendError, ProviderState, ProviderUnavailable
from qtasks.config import Account

CRN = "crn:v1:bluemix:public:quantum-computing:eu-de:a/1:2::"
ONES = (Instance("crn:1", "one", "open"), Instance("crn:2", "two", "premium"), Instance("crn:3", "three", "premium"))


def job(status: str = "Queued", **more: Any) -> dict[str, Any]:
    return {"id": "d1", "backend": "ibm_fez", "state": {"status": status}, **more}


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("Queued", ProviderState.QUEUED),
        ("Pending", ProviderState.QUEUED),
        ("Running", ProviderState.RUNNING),
        ("Completed", ProviderState.DONE),
        ("Failed", ProviderState.FAILED),
        ("Cancelled", ProviderState.CANCELLED),
        ("Cancelled - Ran too long", ProviderState.FAILED),
    ],
)
def test_every_word_of_ibms_is_a_state(word: str, state: ProviderState) -> None:
    assert job_of(job(word)).state is state
    assert job_of(job(word.upper())).state is state


def test_a_waiting_job_tells_what_ibm_expects_and_a_final_one_what_it_used() -> None:
    expected = {
        "estimated_running_time_seconds": 3.5,
        "estimated_start_time": "2026-11-20T10:00:00Z",
        "position_in_queue": 4,
        "usage": {"quantum_seconds": 2.5},
        "created": "2026-11-20T09:00:00.123Z",
        "ended": "2026-11-20T10:30:00+00:00",
    }
    waiting, done = job_of(job(**expected)), job_of(job("Completed", **expected))
    assert waiting.quantum_seconds == 3.5
    assert waiting.starts_at == datetime(2026, 11, 20, 10, tzinfo=UTC)
    assert waiting.queue_position == 4
    assert waiting.finished_at is None
    assert done.quantum_seconds == 2.5
    assert done.finished_at == datetime(2026, 11, 20, 10, 30, tzinfo=UTC)
    assert done.queue_position is done.starts_at is None


@pytest.mark.parametrize("data", [{}, {"id": "x"}, job(created="yesterday"), job(usage=3, state={"status": "Failed"})])
def test_what_is_no_job_is_no_answer(data: dict[str, Any]) -> None:
    with pytest.raises(ProviderUnavailable, match="cannot be understood"):
        job_of(data)


@pytest.mark.parametrize(
    ("code", "message", "may"),
    [
        ("1010", "", True),
        ("", "Internal error", True),
        ("", "The backend timed out.", True),
        ("1305", "Job timed out", False),
        ("", "Circuit is not ISA", False),
    ],
)
def test_what_may_heal_is_told_from_what_cannot(code: str, message: str, may: bool) -> None:
    assert heals(code, message) is may


def test_labels_give_way_to_our_tags() -> None:
    labels = ["", "a:1", "a:1", "x" * 87, *(f"b:{number}" for number in range(9))]
    made = tags("job-1", labels)
    assert made[:3] == ["job-1", "qtasks", "a:1"]
    assert len(made) == 8
    assert "x" * 87 not in made


def test_an_instance_is_chosen_by_name_by_being_alone_or_by_its_plan() -> None:
    assert choose(ONES, "three", "open").crn == "crn:3"
    assert choose(ONES[1:2], None, "open").crn == "crn:2"
    assert choose(ONES, None, "open").crn == "crn:1"


@pytest.mark.parametrize(
    ("wanted", "plan", "reason"),
    [
        (None, "premium", "AmbiguousInstance"),
        (None, "flex", "AmbiguousInstance"),
        ("four", "open", "NoSuchInstance"),
    ],
)
def test_an_unclear_instance_is_refused_with_the_names(wanted: str | None, plan: str, reason: str) -> None:
    with pytest.raises(BackendError, match=r"one \(open\), two \(premium\), three \(premium\)") as refused:
        choose(ONES, wanted, plan)
    assert refused.value.reason == reason


def test_an_endpoint_of_ones_own_serves_everything() -> None:
    where = addresses("http://127.0.0.1:8000", {"IAM_URL": "http://elsewhere"})
    assert where.api(CRN) == "http://127.0.0.1:8000/api/v1"
    assert where.iam == where.search == "http://127.0.0.1:8000"
    assert where.catalogue == "http://127.0.0.1:8000/api/v1"
    assert addresses("https://gate/quantum/v1/", {}).api(CRN) == "https://gate/quantum/v1"


def test_a_private_endpoint_of_ibms_keeps_ibms_other_services() -> None:
    where = addresses("https://private.eu-de.quantum.cloud.ibm.com/api/v1", {})
    assert where.api(CRN) == "https://private.eu-de.quantum.cloud.ibm.com/api/v1"
    assert where.iam == "https://private.iam.cloud.ibm.com"
    assert where.search == "https://api.global-search-tagging.cloud.ibm.com"


def test_an_allowance_without_a_limit_leaves_nothing_to_tell() -> None:
    left = allowance_of({"usage_consumed_seconds": 12})
    assert (left.limit_seconds, left.used_seconds, left.remaining_seconds) == (None, 12.0, None)
    limited = allowance_of({"usage_consumed_seconds": 12, "usage_limit_seconds": 10, "usage_allocation_seconds": 99})
    assert (limited.limit_seconds, limited.remaining_seconds) == (10, 0)


def test_the_account_overrides_its_secret_and_the_key_is_not_shown() -> None:
    account = Account(name="lab", provider="ibm_quantum", instance=CRN, endpoint="http://127.0.0.1:1/x")
    who = login(account, {"token": "secret-key", "instance": "other", "url": "http://127.0.0.1:2"})
    assert who.instance == CRN
    assert who.addresses.api(CRN) == "http://127.0.0.1:1/x"
    assert "secret-key" not in repr(who)
    plain = login(Account(name="lab", provider="ibm_quantum"), {"token": "k", "instance": "o", "url": "http://h:2"})
    assert (plain.instance, plain.addresses.iam) == ("o", "http://h:2")


@pytest.mark.system
def test_without_an_endpoint_the_librarys_variables_and_regions_hold() -> None:
    given = {"IAM_URL": "http://iam/", "GLOBAL_SEARCH_URL": "http://search", "GLOBAL_CATALOG_URL": "http://catalogue"}
    where = addresses(None, given)
    assert (where.iam, where.search, where.catalogue) == ("http://iam", "http://search", "http://catalogue")
    assert where.api(CRN) == "https://eu-de.quantum.cloud.ibm.com/api/v1"
    assert addresses(None, {}, private=True).api(CRN) == "https://private.eu-de.quantum.cloud.ibm.com/api/v1"
    experimental = "http://127.0.0.1:1/experimental/api/v1"
    assert addresses(None, {"QISKIT_IBM_URL": experimental}).api(CRN) == experimental
