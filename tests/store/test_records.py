"""Events pile up in order; conditions are replaced, and remember when their status changed."""

from __future__ import annotations

from qtasks.lifecycle import ConditionStatus, ConditionType
from qtasks.store import records
from qtasks.store.records import Condition, Event
from tests.store.acting import Acting

TRUE = Condition(ConditionType.VALIDATED, ConditionStatus.TRUE, "Valid", "The circuit is valid.")


def _settle(acting: Acting, condition: Condition, *ids: str) -> None:
    with acting.store.begin() as tx:
        records.settle_condition(tx, ids, condition)


def _known(acting: Acting, job_id: str) -> list[records.KnownCondition]:
    with acting.store.read() as tx:
        return records.conditions_of(tx, [job_id])[job_id]


def test_events_are_in_order_and_can_be_followed(acting: Acting) -> None:
    job_id, other = acting.submitted(), acting.submitted()
    for number in range(3):
        with acting.store.begin() as tx:
            records.record(tx, [other, job_id], Event(f"Step{number}", "…", warning=number == 1), source="worker/1")
    with acting.store.read() as tx:
        events = records.events_of(tx, job_id)
        assert [event.reason for _, event in events] == ["Submitted", "Step0", "Step1", "Step2"]
        assert [number for number, _ in events] == sorted(number for number, _ in events)
        assert [event.at for _, event in events] == sorted(event.at for _, event in events)
        assert records.events_of(tx, job_id, after=events[1][0]) == events[2:]
        assert records.events_of(tx, job_id, after=events[-1][0]) == []
    _, event = events[2]
    assert (event.message, event.warning, event.attempt, event.source) == ("…", True, 1, "worker/1")
    assert events[0][1].source == "client/1"


def test_an_event_bears_the_attempt_it_was_in(acting: Acting) -> None:
    claim = acting.running()
    acting.retry(claim)
    with acting.store.begin() as tx:
        records.record(tx, claim.ids, Event("Later", "…"), source=None)
    with acting.store.read() as tx:
        events = [event for _, event in records.events_of(tx, claim.ids[0])]
    assert (events[0].attempt, events[-1].attempt, events[-1].source) == (1, 2, None)


def test_an_event_for_no_jobs_is_none(acting: Acting) -> None:
    with acting.store.begin() as tx:
        records.record(tx, [], Event("Nothing", "…"))
        records.settle_condition(tx, [], TRUE)


def test_the_time_of_a_condition_changes_only_with_its_status(acting: Acting) -> None:
    job_id = acting.submitted()
    _settle(acting, TRUE, job_id)
    (first,) = _known(acting, job_id)
    assert first.condition == TRUE
    again = Condition(TRUE.type, TRUE.status, "StillValid", "It is valid still.")
    _settle(acting, again, job_id)
    (second,) = _known(acting, job_id)
    assert (second.condition, second.changed_at) == (again, first.changed_at)
    changed = Condition(TRUE.type, ConditionStatus.FALSE, "Invalid", "It is not.")
    # SQLite's clock ticks in milliseconds.
    while True:
        _settle(acting, changed, job_id)
        (third,) = _known(acting, job_id)
        if third.changed_at > first.changed_at:
            break
        _settle(acting, TRUE, job_id)
    assert third.condition == changed


def test_conditions_stand_in_the_order_in_which_a_job_acquires_them(acting: Acting) -> None:
    job_id, other, bare = (acting.submitted() for _ in range(3))
    for kind in reversed(ConditionType):
        _settle(acting, Condition(kind, ConditionStatus.TRUE, "Done", "…"), job_id, other)
    with acting.store.read() as tx:
        found = records.conditions_of(tx, [bare, other, job_id])
    assert list(found) == [bare, other, job_id]
    assert found[bare] == []
    assert [known.condition.type for known in found[job_id]] == list(ConditionType)
