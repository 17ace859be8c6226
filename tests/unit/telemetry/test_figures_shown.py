"""What is shown of the database's figures: few series, and no tenant's secret."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from qtasks.api.metrics import account_label, of_accounts, of_jobs
from qtasks.store.figures import AccountFigures, Group
from qtasks.telemetry import metrics
from qtasks.telemetry.exposition import Reading
from qtasks.telemetry.metric import Metric


def _group(namespace: str = "lab", jobs: int = 1, **fields: object) -> Group:
    values = {
        "phase": "Running",
        "backend": "ibm_fez",
        "priority": 6,
        "queue": "execution",
        "state": "running",
        "oldest_seconds": 0.0,
        "cost_micros": 0,
    }
    return Group(**{**values, "namespace": namespace, "jobs": jobs, **fields})  # type: ignore[arg-type]


def _of(readings: Sequence[Reading], what: Metric) -> dict[tuple[str, ...], float]:
    values = next(values for metric, values in readings if metric is what)
    return {tuple(labels.values()): value for labels, value in values}


def test_namespaces_beyond_a_hundred_are_shown_together() -> None:
    found = of_jobs([_group(f"n{number}", jobs=200 - number) for number in range(150)])
    jobs = _of(found, metrics.JOBS)
    assert len(jobs) == 101
    assert jobs["Running", "ibm_fez", "normal", "n0"] == 200
    assert jobs["Running", "ibm_fez", "normal", "other"] == sum(200 - number for number in range(100, 150))


def test_only_what_may_start_or_is_worked_on_is_in_a_queue() -> None:
    found = of_jobs(
        [
            _group(state="queued", phase="Pending", oldest_seconds=40.0, backend=None, queue="validation"),
            _group("other", state="queued", phase="Pending", oldest_seconds=90.0, backend=None, queue="validation"),
            _group(state="later", phase="Retrying", oldest_seconds=500.0),
            _group(state="away", queue=None),
            _group(jobs=3),
            _group(state="ended", phase="Completed", queue=None, jobs=5, cost_micros=1_500_000),
        ]
    )
    assert _of(found, metrics.QUEUE_JOBS) == {
        ("validation", "normal", "queued"): 2,
        ("execution", "normal", "running"): 3,
    }
    assert _of(found, metrics.QUEUE_OLDEST) == {("validation", "normal"): 90.0}
    assert _of(found, metrics.COST) == {("ibm_fez", "lab"): 1.5}
    assert _of(found, metrics.JOBS)["Pending", "unassigned", "normal", "lab"] == 1


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("lab-ibm", "lab-ibm"),
        ("lab-ibm@crn:v1:bluemix:public", "lab-ibm"),
        ("ibm-quantum", "ibm-quantum"),
        ("ibm-quantum.physics.alices-token", "*.physics"),
        ("aws-braket.physics.alices-keys@x", "*.physics"),
    ],
)
def test_an_account_that_a_job_brought_is_shown_without_the_name_of_its_secret(name: str, shown: str) -> None:
    assert account_label(name) == shown


def test_of_accounts_that_share_a_label_the_worst_is_shown() -> None:
    found = of_accounts(
        [
            AccountFigures("ibm-quantum.physics.a", 10.0, 0, 30.0, -30.0),
            AccountFigures("ibm-quantum.physics.b", 400.0, 2, None, None),
            AccountFigures("ibm-quantum.physics.c", 0.0, 0, 5.0, 5.0),
        ]
    )
    assert _of(found, metrics.POLLING_LAG) == {("*.physics",): 400.0}
    assert _of(found, metrics.POLLING_FAILURES) == {("*.physics",): 2.0}
    assert _of(found, metrics.WAIT_ERROR) == {("*.physics",): 30.0}
    assert _of(found, metrics.WAIT_BIAS) == {("*.physics",): -30.0}
