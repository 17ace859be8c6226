"""What the page works out from documents."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from qtasks.api.page.views import choice, counts, jobs, money, queues, timeline, words
from qtasks.api.page.views.bars import WIDTH, bar
from qtasks.errors import InvalidInput
from qtasks.results import EstimatorPubResult, JobResult, Provenance, SamplerPubResult
from tests.page.documents import START, at, event, job

NOW = START + timedelta(seconds=10)


def test_a_moment_says_how_far_it_is() -> None:
    assert words.moment(at(-80), NOW) == words.Moment(at(-80), "2026-11-20 11:58:40 UTC", "90s ago", "90s")
    ahead = words.moment(at(195), NOW)
    assert ahead is not None
    assert ahead.distance == "in 3m5s"


def test_a_timeline_has_each_phase_with_its_length_and_fills_the_width() -> None:
    events = [
        event(0, "Submitted"),
        event(4, "Validating"),
        event(4.5, "CircuitValid"),
        event(4.5, "Scheduling"),
        event(5, "Running"),
        event(10, "Completed"),
    ]
    spans = timeline.spans(job(), events, NOW)
    assert [(span.phase, span.length) for span in spans] == [
        ("Pending", "4 s"),
        ("Validating", "500 ms"),
        ("Scheduling", "500 ms"),
        ("Running", "5 s"),
    ]
    assert spans[-1].x + spans[-1].width == pytest.approx(timeline.WIDTH, abs=0.1)
    assert all(after.x > before.x + before.width for before, after in pairwise(spans))


def test_what_is_short_in_a_timeline_can_still_be_seen() -> None:
    events = [event(0, "Submitted"), event(9.9999, "Validating"), event(9.99995, "Running")]
    assert min(span.width for span in timeline.spans(job(), events, NOW)) >= 10


def test_a_retry_is_a_phase_between_two_attempts() -> None:
    events = [
        event(0, "Submitted"),
        event(1, "Running"),
        event(2, "ProviderUnavailable", "It was away.", type="Warning"),
        event(5, "Scheduling", attempt=2),
        event(6, "Running", attempt=2),
    ]
    spans = timeline.spans(job("Running"), events, NOW)
    assert [(span.phase, span.attempt) for span in spans] == [
        ("Pending", 1),
        ("Running", 1),
        ("Retrying", 1),
        ("Scheduling", 2),
        ("Running", 2),
    ]
    assert spans[2].said == "It was away."
    assert spans[-1].open
    assert spans[-1].length == "4 s"


def test_a_job_that_waits_to_be_tried_again_shows_it() -> None:
    events = [event(0, "Submitted"), event(1, "Running"), event(2, "Boom", type="Warning")]
    assert [span.phase for span in timeline.spans(job("Retrying"), events, NOW)][-1] == "Retrying"


def test_bars_show_some_as_some_and_less_than_all_as_less() -> None:
    assert 0 < bar(0.001, 0, 1000).spent < 10
    assert bar(999.999, 0, 1000).used < WIDTH
    assert bar(1000, 0, 1000).used == WIDTH
    both = bar(30, 20, 100, (50, 100))
    assert (both.spent, both.reserved, both.marks) == (300, 200, (500, 1000))
    assert bar(0, 0, 0).used == WIDTH, "a limit of nothing is reached from the beginning"
    assert bar(5, 5, 1).used == WIDTH


def _result(*pubs: SamplerPubResult | EstimatorPubResult) -> JobResult:
    return JobResult(
        "job",
        "estimator" if isinstance(pubs[0], EstimatorPubResult) else "sampler",
        list(pubs),
        Provenance(circuit_hash="0" * 64, backend="local_simulator"),
    )


def test_a_histogram_has_every_outcome_with_its_share() -> None:
    pub = SamplerPubResult([("c", 2)], 2, 100, {"0x0": 75, "0x3": 25})
    (shown,) = counts.shown(_result(pub))
    assert [(one.key, one.count, one.share, one.width) for one in shown.outcomes] == [
        ("00", 75, "75.0%", 1000.0),
        ("11", 25, "25.0%", pytest.approx(333.33)),
    ]


def test_of_many_outcomes_the_most_frequent_are_shown() -> None:
    shown = counts.histogram({format(number, "08b"): number + 1 for number in range(200)})
    assert len(shown.outcomes) == counts.MOST
    assert shown.more == 200 - counts.MOST
    assert shown.outcomes[0].count == 200


def test_a_long_outcome_is_cut_in_its_middle_and_kept_whole_beside_it() -> None:
    key = "0" * 60 + "1" * 60
    (outcome,) = counts.histogram({key: 1}).outcomes
    assert outcome.whole == key
    assert len(outcome.key) < 50
    assert outcome.key.startswith("0") and outcome.key.endswith("1")


def test_each_pub_and_each_point_has_a_histogram_of_its_own() -> None:
    plain = SamplerPubResult([("c", 1)], 1, 4, {"0x1": 4})
    shaped = replace(plain, counts={}, shape=(2,), points=({"0x0": 4}, {"0x1": 4}))
    result = _result(plain, shaped)
    assert [one.title for one in counts.shown(result)] == ["PUB 0", "PUB 1, point [0]", "PUB 1, point [1]"]
    assert counts.total(result) == 3


def test_an_estimators_values_stand_with_their_errors() -> None:
    (shown,) = counts.shown(_result(EstimatorPubResult([[1.0, float("nan")]], [[0.25, 0.5]])))
    assert [(one.place, one.value, one.error) for one in shown.values] == [
        ("[0, 0]", "1", "0.25"),
        ("[0, 1]", "–", "0.5"),
    ]


def test_filters_make_a_query_and_a_link_to_go_on() -> None:
    filters = jobs.Filters.of({"phase": "Failed", "text": " bell ", "namespace": "", "unknown": "x"})
    query = filters.query(None, 10)
    assert (str(query.phase), query.namespace, query.limit) == ("Failed", None, 10)
    assert filters.link("abc") == "/?phase=Failed&text=bell&before=abc"
    with pytest.raises(InvalidInput, match="no phase Gone") as raised:
        jobs.Filters(phase="Gone").query(None, 10)
    assert raised.value.reason == "UnknownPhase"


def test_a_text_is_looked_for_in_names_labels_and_reasons() -> None:
    found = job("Failed", labels={"team": "Alpha"}, status={"reason": "SourceError"})
    assert all(jobs.has(text, found) for text in ("BEL", "team=alpha", "sourceerr", "lab", "01a1fa65"))
    assert not jobs.has("ghz", found)


def test_a_row_has_what_the_command_line_shows() -> None:
    row = jobs.row(job(status={"backend": "ibm_fez", "startTime": at(9)}), NOW)
    assert (row.backend, row.priority, row.shots, row.length) == ("ibm_fez", "high", "100", "1 s")


def test_a_budget_has_a_bar_for_each_of_its_limits() -> None:
    document = {
        "metadata": {"name": "team", "namespace": "lab"},
        "spec": {
            "limit": "$1,000.00".replace(",", ""),
            "quantumSeconds": 600,
            "period": "monthly",
            "alertThresholds": [50, 80],
            "selector": {"namespaces": ["*"], "costCenters": ["physics"]},
        },
        "status": {
            "period": {"start": at(0), "end": at(86_410), "timeZone": "Europe/Berlin"},
            "spent": "$600.00",
            "reserved": "$100.00",
            "remaining": "$300.00",
            "thresholdsCrossed": [50],
            "quantumSeconds": {"used": 30.0, "reserved": 0.0, "remaining": 570.0},
        },
    }
    shown = money.budget(document, NOW)
    dollars, quantum = shown.measures
    assert (dollars.share, dollars.left, dollars.bar.spent, dollars.bar.reserved) == ("70%", "$300.00", 600, 100)
    assert (quantum.limit, quantum.spent, quantum.left, quantum.share) == ("10m", "30s", "9m30s", "5%")
    assert (shown.selector, shown.period) == ("jobs of all namespaces, cost centre physics", "monthly (Europe/Berlin)")
    assert shown.crossed == ("50%",)


def test_an_account_says_what_is_left_and_when_something_frees() -> None:
    status = {
        "used": 600.0,
        "reserved": 0.0,
        "remaining": 0.0,
        "limit": 600.0,
        "days": 28,
        "freesAt": at(3610),
        "jobs": {"waiting": 3, "open": 1},
        "pausedUntil": None,
        "polledAt": at(5),
        "reason": None,
        "message": None,
    }
    document = {"name": "lab", "provider": "ibm_quantum", "plan": "open", "namespaces": ["lab"], "status": status}
    shown = money.account(document, NOW)
    assert (shown.left, shown.limit, shown.waiting) == ("0s", "10m in 28 days", 3)
    assert shown.frees is not None and shown.frees.distance == "in 60m"
    assert shown.bar is not None and shown.bar.used == WIDTH
    free = money.account({**document, "status": {**status, "limit": None, "remaining": None}}, NOW)
    assert free.bar is None


def test_queues_have_a_line_for_each_priority_the_most_urgent_first() -> None:
    shown = queues.queues([queues.Depth("execution", 3, waiting=10, running=2, later=1, oldest=START)], NOW)
    execution = next(queue for queue in shown if queue.id == "execution")
    assert [line.priority for line in execution.lines] == ["urgent", "high", "normal", "low"]
    high = execution.lines[1]
    assert (high.waiting, high.running, high.later, high.width) == (10, 2, 1, 1000)
    assert high.oldest is not None and high.oldest.age == "10s"
    assert (execution.waiting, execution.running) == (10, 2)


def test_the_chosen_candidate_is_marked_and_the_others_say_why_not() -> None:
    candidate = {
        "device": "ibm_fez",
        "account": "lab",
        "cost": "1.60",
        "waitSeconds": 90,
        "fidelity": 0.912,
        "fidelityBasis": "estimated",
        "notes": [],
        "whyNot": None,
        "scores": {"total": 0.8, "cost": 0.5, "queueTime": 1, "capability": 0.9, "availability": 1},
    }
    why = {"reason": "TooFewQubits", "message": "It has 5 qubits."}
    refused = {**candidate, "device": "ibm_old", "scores": None, "cost": None, "whyNot": why}
    selection = {"message": "ibm_fez scores best.", "reason": "BackendSelected", "chosen": {}, "omitted": 0}
    shown = choice.choice({"selection": {**selection, "candidates": [candidate, refused]}, "earlier": []})
    first, second = shown.candidates
    assert (first.chosen, first.price, first.wait, first.fidelity) == (True, "$1.60", "90s", "~0.912")
    assert (second.chosen, second.price, second.why_not) == (False, "unknown", "It has 5 qubits.")
