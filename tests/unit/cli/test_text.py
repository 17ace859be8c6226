"""What is said of a job: its description, its progress, its result."""

from __future__ import annotations

import pytest

from qtasks.cli.ages import when
from qtasks.cli.description import description
from qtasks.cli.job_table import job_table
from qtasks.cli.outputs import listing, output
from qtasks.cli.report import progress_line, result_text, run_object, step, summary
from qtasks.errors import InvalidInput
from qtasks.lifecycle import Phase
from tests.unit.results.examples import BELL

from .documents import NOW, event, job

METRICS = {
    "queue_seconds": 0.5,
    "run_seconds": 0.00087,
    "total_seconds": 1.5,
    "method": "stabilizer",
    "seed_simulator": 7,
}
DELIVERED = {
    "type": "OutputDelivered",
    "status": "True",
    "reason": "Delivered",
    "message": "The result was delivered to ConfigMap default/my-results, key results.",
    "lastTransitionTime": "2026-11-20T11:58:33.000000Z",
}


def test_a_description_has_kubectls_layout() -> None:
    document = job(metrics=METRICS, counts={"00": 1000, "11": 1048}, conditions=[DELIVERED])
    text = description(document, [event("Submitted", "Waiting for validation.")], now=NOW, width=80).plain
    assert text.splitlines() == [
        "Name:         bell",
        "Namespace:    default",
        "ID:           01a1f878-10cd-7785-8324-209ffb2c2fc2",
        "Labels:       algorithm=bell",
        "Annotations:  <none>",
        "Phase:        Completed",
        "Message:      The result is stored.",
        "Backend:      local_simulator",
        "Priority:     high",
        "Shots:        2048",
        "Cost:         $0.00",
        "Circuit:",
        "  Source:  inline",
        "Times:",
        "  Submitted:  2026-11-20T11:58:30.000000Z (90s ago)",
        "  Started:    2026-11-20T11:58:31.000000Z (89s ago)",
        "  Finished:   2026-11-20T11:58:32.500000Z (87s ago)",
        "  Queued:     500 ms",
        "  Ran:        0.87 ms",
        "  Total:      1.5 s",
        "Transpiled:",
        "  Method:          stabilizer",
        "  Simulator seed:  7",
        "Conditions:",
        "  TYPE             STATUS  REASON     AGE  MESSAGE",
        "  OutputDelivered  True    Delivered  87s  The result was delivered to ConfigMap",
        "                                           default/my-results, key results.",
        "Counts:",
        "  00  ██████████████████████████████████████████████████████████▎    1000  48.8%",
        "  11  █████████████████████████████████████████████████████████████  1048  51.2%",
        "Events:",
        "  TYPE    REASON     AGE  MESSAGE",
        "  Normal  Submitted  88s  Waiting for validation.",
    ]


def test_a_failed_jobs_description_says_why() -> None:
    text = description(job(phase="Failed", reason="InvalidCircuit", message="No."), [], now=NOW).plain
    assert "Phase:        Failed\nReason:       InvalidCircuit\nMessage:      No.\n" in text


def test_progress_is_told_by_phase() -> None:
    since = when("2026-11-20T11:58:30.000000Z")
    waits = event("ResourceConstraints", "The simulation takes about 64.0 GiB; waiting.", warning=True)
    assert progress_line(waits, since).plain == "    1.25 s  Pending     The simulation takes about 64.0 GiB; waiting."
    fails = event("InvalidCircuit", "Line 4 is wrong.", warning=True)
    assert progress_line(fails, since, ended=Phase.FAILED).plain == "    1.25 s  Failed      InvalidCircuit"
    assert step(event("Submitted", "")) == "Pending"
    assert step(event("CircuitValid", "")) is None


def test_a_result_is_a_histogram_and_a_summary() -> None:
    assert result_text(BELL, 60).plain.count("█") > 20
    assert summary(job(metrics=METRICS), output="ConfigMap default/my-results").plain.splitlines() == [
        "Job:     bell (01a1f878-10cd-7785-8324-209ffb2c2fc2)",
        "Ran:     sampler on local_simulator, method stabilizer, seed 7",
        "Times:   queued 500 ms, ran 0.87 ms, in all 1.5 s",
        "Cost:    $0.00",
        "Output:  ConfigMap default/my-results",
    ]


def test_the_object_of_a_run() -> None:
    done = run_object(job(metrics=METRICS), BELL)
    assert list(done) == ["job_id", "name", "namespace", "phase", "counts", "shots", "metrics"]
    assert done["counts"] == BELL.get_counts()
    failed = run_object(job(phase="Failed", reason="InvalidCircuit", message="No."), None)
    assert (failed["counts"], failed["reason"], failed["message"]) == (None, "InvalidCircuit", "No.")


def test_outputs() -> None:
    document = job()
    assert output("name").text(listing([document, job("ghz")])) == "qiskitjob/bell\nqiskitjob/ghz\n"
    assert output("=jsonpath={.status.phase}").text(document) == "Completed"
    assert output("yaml").text(document).startswith("apiVersion: quantum.io/v1\nkind: QiskitJob\n")
    assert output(None).tabular
    with pytest.raises(InvalidInput, match='There is no output format "xml"'):
        output("xml")


def test_a_waiting_job_tells_its_place_its_start_and_its_budget() -> None:
    checked = {**DELIVERED, "type": "BudgetChecked", "status": "False", "message": "Budget exceeded: …"}
    queue = {"position": 3, "of": "account lab", "estimatedStart": "2026-11-20T12:10:00.000000Z"}
    budget = {"estimatedCost": "$0.32", "reserved": "$3.20", "price": "open: $0 a second"}
    waiting = job(phase="Scheduling", queue={**queue, "estimatedBy": "selection"}, budget=budget, conditions=[checked])
    waiting["spec"]["budget"] = {"maxCost": "$5.00", "costCenter": "physics"}
    lines = description(waiting, [], now=NOW, width=100).plain.splitlines()
    start = lines.index("Queue:")
    assert lines[start : start + 10] == [
        "Queue:",
        "  Position:           3 in the queue of account lab",
        "  Expected to start:  2026-11-20T12:10:00.000000Z (in 10m), as was thought when its device was",
        "                      chosen",
        "Budget:",
        "  Most it may cost:  $5.00",
        "  Cost centre:       physics",
        "  Estimated cost:    $0.32",
        "  Reserved:          $3.20",
        "  Price:             open: $0 a second",
    ]
    assert lines[start + 10] == "  Checked:           False: Budget exceeded: …"
    (line,) = job_table([waiting], now=NOW, wide=True).plain.splitlines()[1:]
    assert line.split()[6:9] == ["3", "in", "10m"]
    queue["estimatedStart"] = "2026-11-20T11:55:00.000000Z"
    late = job_table([job(phase="Scheduling", queue=queue)], now=NOW, wide=True).plain
    assert "5m late" in late
