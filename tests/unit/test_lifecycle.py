"""The one table of transitions, what follows from it, and the waiting time before a retry."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtasks.lifecycle import ENTRY, FINAL, TRANSITIONS, Phase, Stage, backoff_seconds, may, mermaid, sources


def test_nothing_leaves_a_final_phase() -> None:
    assert not [t for t in TRANSITIONS if t.source in FINAL]
    assert not [phase for phase in Phase for final in FINAL if may(final, phase)]


def test_the_final_phases_are_those_that_nothing_leaves() -> None:
    assert {phase for phase in Phase if phase.final} == FINAL == set(Phase) - {t.source for t in TRANSITIONS}


def test_every_phase_is_reached_from_pending() -> None:
    reached = {Phase.PENDING}
    for _ in Phase:
        reached |= {t.target for t in TRANSITIONS if t.source in reached}
    assert reached == set(Phase)


def test_from_every_phase_that_is_not_final_a_job_can_complete_fail_and_be_cancelled() -> None:
    ends = {phase: {phase} for phase in Phase}
    for _ in Phase:
        for t in TRANSITIONS:
            ends[t.source] |= ends[t.target]
    assert all(ends[phase] >= FINAL for phase in Phase if phase not in FINAL)


@pytest.mark.parametrize("end", [Phase.FAILED, Phase.CANCELLED])
def test_a_total_time_and_a_user_end_a_job_in_every_phase(end: Phase) -> None:
    assert all(may(phase, end) for phase in Phase if phase not in FINAL)


def test_a_job_completes_by_running_or_by_an_earlier_result() -> None:
    assert set(sources(Phase.COMPLETED)) == {Phase.RUNNING, Phase.SCHEDULING}


def test_a_job_is_retried_when_its_source_or_its_run_failed() -> None:
    assert set(sources(Phase.RETRYING)) == {Phase.VALIDATING, Phase.RUNNING, Phase.RETRYING}


def test_no_transition_stands_there_twice() -> None:
    assert len({(t.source, t.target) for t in TRANSITIONS}) == len(TRANSITIONS)
    assert all(t.source != t.target and t.cause for t in TRANSITIONS)


@pytest.mark.parametrize("target", Phase)
def test_the_sources_of_a_phase_are_all_from_which_it_may_be_written(target: Phase) -> None:
    listed = {t.source for t in TRANSITIONS if t.target == target}
    assert set(sources(target)) == (listed if target in FINAL else listed | {target})


@pytest.mark.parametrize("stage", ENTRY)
def test_a_takeover_stays_in_the_phase_of_its_stage(stage: Stage) -> None:
    assert may(ENTRY[stage], ENTRY[stage])


def test_a_postponed_or_retried_job_is_scheduled_again() -> None:
    assert set(sources(Phase.SCHEDULING)) >= {Phase.PENDING, Phase.RETRYING, Phase.VALIDATING}


def test_the_diagram_is_the_table() -> None:
    first, *lines = mermaid().splitlines()
    assert first == "stateDiagram-v2"
    known = re.compile(r" {4}(\[\*\]|[A-Z][a-z]+) --> (\[\*\]|[A-Z][a-z]+)(?:: ([^:;#]+))?")
    drawn = [known.fullmatch(line) for line in lines]
    assert all(drawn), [line for line, match in zip(lines, drawn, strict=True) if match is None]
    arrows = [match.groups() for match in drawn if match]
    assert arrows[0] == ("[*]", "Pending", "submitted")
    assert set(arrows[1:]) == {
        *((t.source.value, t.target.value, t.cause) for t in TRANSITIONS),
        *((phase.value, "[*]", None) for phase in FINAL),
    }
    assert mermaid().endswith("\n")


@given(
    retry=st.integers(1, 30),
    initial=st.floats(0.001, 1e4),
    maximum=st.floats(0.001, 1e5),
    multiplier=st.floats(1.0, 10.0),
)
def test_the_wait_before_a_retry_grows_by_the_multiplier_up_to_the_maximum(
    retry: int, initial: float, maximum: float, multiplier: float
) -> None:
    wait = backoff_seconds(retry, initial=initial, maximum=maximum, multiplier=multiplier)
    assert wait == pytest.approx(min(maximum, initial * multiplier ** (retry - 1)))
    assert wait <= maximum


@pytest.mark.parametrize(
    ("retry", "seconds"), [(1, 30.0), (2, 60.0), (3, 120.0), (4, 240.0), (5, 300.0), (10**6, 300.0)]
)
def test_the_policy_of_the_seed_doubles_from_half_a_minute_to_five(retry: int, seconds: float) -> None:
    assert backoff_seconds(retry, initial=30, maximum=300, multiplier=2) == seconds
