"""The alert rules under Prometheus' own tester: each fires on what it is for, and is silent on what is usual."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.monitoring.alerts import ALERTS

pytestmark = pytest.mark.needs_packages

RULES = Path(__file__).parents[2] / "k8s" / "monitoring" / "rules.yaml"

USUAL = {
    "qtasks_database_up": "1+0x180",
    "qtasks_figures_seconds": "0.05+0x180",
    'qtasks_beat_tick_age_seconds{instance="beat"}': "3+0x180",
    'qtasks_heart_age_seconds{instance="w1"}': "1+0x180",
    'qtasks_lease_renewal_age_seconds{instance="w1"}': "5+0x180",
    'qtasks_pool_processes{instance="w1", state="wanted"}': "4+0x180",
    'qtasks_pool_processes{instance="w1", state="alive"}': "4+0x180",
    'qtasks_queue_oldest_seconds{queue="execution", priority="urgent"}': "20+0x180",
    'qtasks_queue_oldest_seconds{queue="execution", priority="low"}': "900+0x180",
    'qtasks_queue_jobs{queue="execution", priority="normal", state="queued", instance="api1"}': "7+0x180",
    'qtasks_queue_jobs{queue="execution", priority="normal", state="queued", instance="api2"}': "7+0x180",
    'qtasks_workers{queue="execution"}': "2+0x180",
    'qtasks_workers{queue="execution.huge"}': "0+0x180",
    'qtasks_jobs{phase="Completed", backend="aer", priority="normal", namespace="lab"}': "190+0x180",
    'qtasks_jobs{phase="Failed", backend="aer", priority="normal", namespace="lab"}': "10+0x180",
    'qtasks_leases_lost_total{cause="died"}': "1+0x180",
    'qtasks_leases_lost_total{cause="taken"}': "0+5x180",
    'qtasks_retries_total{reason="ProviderUnavailable"}': "0+0.1x180",
    'qtasks_sandbox_kills_total{layer="deadline"}': "0+0.1x180",
    'qtasks_sandbox_kills_total{layer="seccomp"}': "0+0x180",
    'qtasks_provider_requests_total{provider="ibm_quantum", outcome="2xx"}': "0+100x180",
    'qtasks_provider_requests_total{provider="ibm_quantum", outcome="5xx"}': "0+2x180",
    'qtasks_provider_requests_total{provider="ibm_quantum", outcome="429"}': "0+0.1x180",
    'qtasks_polling_lag_seconds{account="ibm"}': "4+0x180",
    'qtasks_polling_failures{account="ibm"}': "1+0x180",
    'qtasks_wait_error_seconds{account="ibm"}': "600+0x180",
    'qtasks_budget_dollars{namespace="lab", budget="monthly", state="reserved", instance="api1"}': "30+0x180",
    'qtasks_budget_dollars{namespace="lab", budget="monthly", state="settled", instance="api1"}': "50+0x180",
    'qtasks_budget_dollars{namespace="lab", budget="monthly", state="settled", instance="api2"}': "50+0x180",
    'qtasks_budget_dollars{namespace="lab", budget="monthly", state="limit", instance="api1"}': "100+0x180",
    'qtasks_budget_dollars{namespace="lab", budget="open", state="settled"}': "1000+0x180",
    'qtasks_deliveries_total{kind="output", outcome="delivered"}': "0+20x180",
    'qtasks_deliveries_total{kind="output", outcome="put_off"}': "0+0.1x180",
    'qtasks_rejections_total{reason="InvalidResource"}': "0+1x180",
    'qtasks_api_requests_total{route="/v1/jobs", method="POST", status="201"}': "0+100x180",
    'qtasks_api_requests_total{route="/v1/jobs", method="POST", status="500"}': "0+1x180",
    'qtasks_api_requests_total{route="/readyz", method="GET", status="503"}': "0+100x180",
    'qtasks_api_request_seconds_bucket{route="/v1/jobs", method="POST", le="0.1"}': "0+100x180",
    'qtasks_api_request_seconds_bucket{route="/v1/jobs", method="POST", le="10.0"}': "0+100x180",
    'qtasks_api_request_seconds_bucket{route="/v1/jobs", method="POST", le="+Inf"}': "0+100x180",
}
"""Series and their values, one a minute: a start, and what each adds."""

BREAKS: dict[str, dict[str, str | None]] = {
    "QtasksDatabaseAway": {"qtasks_database_up": "0+0x180"},
    "QtasksFiguresMissing": {"qtasks_database_up": None},
    "QtasksBeatStopped": {'qtasks_beat_tick_age_seconds{instance="beat"}': "0+60x180"},
    "QtasksWorkerStalled": {'qtasks_lease_renewal_age_seconds{instance="w1"}': "0+60x180"},
    "QtasksPoolIncomplete": {'qtasks_pool_processes{instance="w1", state="alive"}': "3+0x180"},
    "QtasksUrgentWaits": {'qtasks_queue_oldest_seconds{queue="execution", priority="urgent"}': "0+10x180"},
    "QtasksQueueOld": {'qtasks_queue_oldest_seconds{queue="execution", priority="low"}': "0+60x180"},
    "QtasksQueueWithoutWorkers": {'qtasks_workers{queue="execution"}': "0+0x180"},
    "QtasksJobsFailing": {'qtasks_jobs{phase="Failed", backend="aer", priority="normal", namespace="lab"}': "90+0x180"},
    "QtasksLeasesLost": {'qtasks_leases_lost_total{cause="died"}': "0+1x180"},
    "QtasksRetries": {'qtasks_retries_total{reason="ProviderUnavailable"}': "0+3x180"},
    "QtasksSandboxKills": {'qtasks_sandbox_kills_total{layer="deadline"}': "0+3x180"},
    "QtasksSandboxForbiddenCall": {'qtasks_sandbox_kills_total{layer="seccomp"}': "0x115 1x65"},
    "QtasksProviderErrors": {'qtasks_provider_requests_total{provider="ibm_quantum", outcome="5xx"}': "0+50x180"},
    "QtasksProviderThrottles": {'qtasks_provider_requests_total{provider="ibm_quantum", outcome="429"}': "0+2x180"},
    "QtasksPollingLate": {'qtasks_polling_lag_seconds{account="ibm"}': "0+60x180"},
    "QtasksAccountUnanswered": {'qtasks_polling_failures{account="ibm"}': "0+1x180"},
    "QtasksWaitEstimatesOff": {'qtasks_wait_error_seconds{account="ibm"}': "7200+0x180"},
    "QtasksBudgetNearlySpent": {
        'qtasks_budget_dollars{namespace="lab", budget="monthly", state="settled", instance="api1"}': "65+0x180"
    },
    "QtasksDeliveriesFailing": {'qtasks_deliveries_total{kind="output", outcome="put_off"}': "0+1x180"},
    "QtasksSubmissionsRejected": {'qtasks_rejections_total{reason="InvalidResource"}': "0+20x180"},
    "QtasksApiErrors": {'qtasks_api_requests_total{route="/v1/jobs", method="POST", status="500"}': "0+10x180"},
    "QtasksApiSlow": {'qtasks_api_request_seconds_bucket{route="/v1/jobs", method="POST", le="0.1"}': "0+80x180"},
    "QtasksFiguresSlow": {"qtasks_figures_seconds": "5+0x180"},
}
"""What is unlike the usual when an alert is to fire; None: the series is not there."""


def test_every_alert_is_tried() -> None:
    assert BREAKS.keys() == {alert.name for alert in ALERTS}


def test_each_alert_fires_alone_on_what_it_is_for_and_none_on_what_is_usual(tmp_path: Path) -> None:
    tests = [_case({}, [])] + [_case(changed, [name]) for name, changed in BREAKS.items()]
    file = tmp_path / "tests.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}))
    done = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_the_rules() -> None:
    done = subprocess.run(["promtool", "check", "rules", str(RULES)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(ALERTS)} rules found" in done.stdout


def _case(changed: dict[str, str | None], firing: list[str]) -> dict[str, Any]:
    series = {name: values for name, values in {**USUAL, **changed}.items() if values is not None}
    assert changed.keys() <= USUAL.keys(), "what is changed is there"
    samples = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in firing]
    expression = 'count by (alertname) (ALERTS{alertstate="firing"})'
    return {
        "name": firing[0] if firing else "usual",
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [{"expr": expression, "eval_time": "2h", "exp_samples": samples}],
    }
