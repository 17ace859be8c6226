"""What a document says of a job's provider."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from qtasks.client.provider import dollars, provider, queue_position
from qtasks.client.recovery import moment
from qtasks.errors import InvalidInput

from .rows import CREATED, ENDED, row

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def test_a_simulation_has_no_provider_and_a_waiting_job_only_an_account() -> None:
    assert provider(row(account=None)) is None
    assert provider(row("Scheduling")) == {"type": "ibm_quantum", "account": "lab-open"}


def test_a_queued_job_tells_its_place_and_when_it_may_start() -> None:
    queued = row(provider_state="queued", provider_job_id="d541c5", provider_queue_position=3, provider_starts_at=ENDED)
    found = provider(queued)
    assert found is not None
    assert (found["jobId"], found["queuePosition"]) == ("d541c5", 3)
    assert found["estimatedStart"] == "2026-11-20T12:00:00.000000Z"


def test_a_job_that_runs_or_has_ended_is_in_no_queue() -> None:
    running = row(provider_state="running", provider_queue_position=1, provider_running_at=CREATED)
    ended = row("Completed", provider_state="queued", provider_queue_position=1, provider_cost_micros=819_532)
    assert (queue_position(running), queue_position(ended)) == (None, None)
    found = provider(ended)
    assert found is not None
    assert found["cost"] == "$0.819532"


def test_money_has_cents_and_more_only_where_it_must() -> None:
    assert [dollars(micros) for micros in (0, 1_600_000, 70_000, 819_532)] == ["$0.00", "$1.60", "$0.07", "$0.819532"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2026-11-19", "2026-11-19T00:00:00+00:00"),
        ("2026-11-20T09:00", "2026-11-20T09:00:00+00:00"),
        ("2026-11-20T09:00+02:00", "2026-11-20T07:00:00+00:00"),
        ("7d", "2026-11-13T12:00:00+00:00"),
        ("1h30m", "2026-11-20T10:30:00+00:00"),
    ],
)
def test_a_time_is_a_date_or_an_age(text: str, found: str) -> None:
    assert moment(text, now=NOW).isoformat() == found


@pytest.mark.parametrize("text", ["", "yesterday", "7", "7x", "-7d"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="is no time"):
        moment(text, now=NOW)
