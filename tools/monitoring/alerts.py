"""The alerts: what is to be looked at by a person. Each has a section in docs/runbook.md.

Figures that the API reads from the database are the same on every API: they are taken by `max by`, then summed.
"""

from __future__ import annotations

from dataclasses import dataclass

_ENDED = 'sum(max by (phase, backend, priority, namespace) (qtasks_jobs{phase=~"Completed|Failed"}))'


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert, as Prometheus has it."""

    name: str
    expression: str
    lasts: str
    """How long it must be true."""
    severity: str
    """`critical`: jobs do not go on, or money is at stake; `warning`: somebody should look within the day; `info`."""
    summary: str

    @property
    def anchor(self) -> str:
        return self.name.lower()


ALERTS = (
    Alert(
        "QtasksDatabaseAway",
        "max(qtasks_database_up) < 1",
        "2m",
        "critical",
        "The API cannot read from the database.",
    ),
    Alert(
        "QtasksFiguresMissing",
        "absent(qtasks_database_up)",
        "5m",
        "critical",
        "No API answers /metrics: nobody knows how the queue stands.",
    ),
    Alert(
        "QtasksBeatStopped",
        "absent(qtasks_beat_tick_age_seconds) or min(qtasks_beat_tick_age_seconds) > 60",
        "5m",
        "critical",
        "Beat does not tick: dead workers' jobs are not freed, providers are not polled.",
    ),
    Alert(
        "QtasksWorkerStalled",
        "max by (instance) (qtasks_heart_age_seconds) > 60"
        " or max by (instance) (qtasks_lease_renewal_age_seconds) > 60",
        "2m",
        "warning",
        "The worker at {{ $labels.instance }} makes no progress, {{ $value | humanizeDuration }} by now.",
    ),
    Alert(
        "QtasksPoolIncomplete",
        'max by (instance) (qtasks_pool_processes{state="wanted"})'
        ' - max by (instance) (qtasks_pool_processes{state="alive"}) > 0',
        "5m",
        "warning",
        "The worker at {{ $labels.instance }} lacks {{ $value }} of its processes.",
    ),
    Alert(
        "QtasksUrgentWaits",
        'max by (queue, priority) (qtasks_queue_oldest_seconds{priority=~"urgent|high"}) > 300',
        "5m",
        "warning",
        "A job of priority {{ $labels.priority }} waits in {{ $labels.queue }} for {{ $value | humanizeDuration }}.",
    ),
    Alert(
        "QtasksQueueOld",
        "max by (queue, priority) (qtasks_queue_oldest_seconds) > 3600",
        "10m",
        "warning",
        "A job of priority {{ $labels.priority }} waits in {{ $labels.queue }} for {{ $value | humanizeDuration }}.",
    ),
    Alert(
        "QtasksQueueWithoutWorkers",
        '(sum by (queue) (max by (queue, priority) (qtasks_queue_jobs{state="queued"})) > 0)'
        " unless on (queue) (max by (queue) (qtasks_workers) > 0)",
        "10m",
        "critical",
        "{{ $value }} jobs wait in {{ $labels.queue }}, and no worker consumes it.",
    ),
    Alert(
        "QtasksJobsFailing",
        'sum(max by (phase, backend, priority, namespace) (qtasks_jobs{phase="Failed"}))'
        f" / {_ENDED} > 0.25 and {_ENDED} >= 20",
        "15m",
        "warning",
        "{{ $value | humanizePercentage }} of the jobs that ended within the hour failed.",
    ),
    Alert(
        "QtasksLeasesLost",
        'sum by (cause) (increase(qtasks_leases_lost_total{cause=~"died|expired|failed"}[15m])) > 5',
        "0m",
        "warning",
        "Workers lost {{ $value | humanize }} jobs in a quarter of an hour ({{ $labels.cause }}).",
    ),
    Alert(
        "QtasksRetries",
        "sum by (reason) (increase(qtasks_retries_total[15m])) > 20",
        "0m",
        "warning",
        "{{ $value | humanize }} attempts in a quarter of an hour are tried again: {{ $labels.reason }}.",
    ),
    Alert(
        "QtasksSandboxKills",
        "sum by (layer) (increase(qtasks_sandbox_kills_total[15m])) > 20",
        "0m",
        "warning",
        "The sandbox ended {{ $value | humanize }} children in a quarter of an hour ({{ $labels.layer }}).",
    ),
    Alert(
        "QtasksSandboxForbiddenCall",
        'sum(increase(qtasks_sandbox_kills_total{layer="seccomp"}[15m])) > 0',
        "0m",
        "warning",
        "A circuit source made a system call that no circuit needs.",
    ),
    Alert(
        "QtasksProviderErrors",
        'sum by (provider) (rate(qtasks_provider_requests_total{outcome=~"5xx|error"}[10m]))'
        " / sum by (provider) (rate(qtasks_provider_requests_total[10m])) > 0.2",
        "10m",
        "warning",
        "{{ $value | humanizePercentage }} of the requests to {{ $labels.provider }} fail.",
    ),
    Alert(
        "QtasksProviderThrottles",
        'sum by (provider) (increase(qtasks_provider_requests_total{outcome="429"}[15m])) > 10',
        "0m",
        "warning",
        "{{ $labels.provider }} refused {{ $value | humanize }} requests in a quarter of an hour: too many.",
    ),
    Alert(
        "QtasksPollingLate",
        "max by (account) (qtasks_polling_lag_seconds) > 300",
        "5m",
        "critical",
        "Nobody looks at the jobs of account {{ $labels.account }}, due for {{ $value | humanizeDuration }}.",
    ),
    Alert(
        "QtasksAccountUnanswered",
        "max by (account) (qtasks_polling_failures) >= 5",
        "5m",
        "warning",
        "The provider of account {{ $labels.account }} did not answer {{ $value }} visits in a row.",
    ),
    Alert(
        "QtasksWaitEstimatesOff",
        "max by (account) (qtasks_wait_error_seconds) > 3600",
        "1h",
        "info",
        "Jobs of account {{ $labels.account }} start {{ $value | humanizeDuration }} off what was estimated.",
    ),
    Alert(
        "QtasksBudgetNearlySpent",
        "sum by (namespace, budget)"
        ' (max by (namespace, budget, state) (qtasks_budget_dollars{state=~"reserved|settled"}))'
        ' / max by (namespace, budget) (qtasks_budget_dollars{state="limit"}) > 0.9',
        "0m",
        "warning",
        "Of budget {{ $labels.namespace }}/{{ $labels.budget }} {{ $value | humanizePercentage }} is used or reserved.",
    ),
    Alert(
        "QtasksDeliveriesFailing",
        'sum by (kind) (increase(qtasks_deliveries_total{outcome=~"put_off|given_up"}[30m])) > 10',
        "10m",
        "warning",
        "{{ $value | humanize }} tries to deliver failed in half an hour ({{ $labels.kind }}).",
    ),
    Alert(
        "QtasksSubmissionsRejected",
        "sum by (reason) (increase(qtasks_rejections_total[15m])) > 100",
        "0m",
        "info",
        "{{ $value | humanize }} submissions were refused in a quarter of an hour: {{ $labels.reason }}.",
    ),
    Alert(
        "QtasksApiErrors",
        'sum(rate(qtasks_api_requests_total{route!~"/healthz|/readyz|/metrics", status=~"5.."}[5m]))'
        ' / sum(rate(qtasks_api_requests_total{route!~"/healthz|/readyz|/metrics"}[5m])) > 0.05',
        "5m",
        "critical",
        "{{ $value | humanizePercentage }} of the requests to the API fail.",
    ),
    Alert(
        "QtasksApiSlow",
        'histogram_quantile(0.99, sum by (le) (rate(qtasks_api_request_seconds_bucket{route=~"/v1/.*"}[5m]))) > 2',
        "10m",
        "warning",
        "One request in a hundred to the API takes longer than {{ $value | humanizeDuration }}.",
    ),
    Alert(
        "QtasksFiguresSlow",
        "max(qtasks_figures_seconds) > 3",
        "10m",
        "warning",
        "The database takes {{ $value | humanizeDuration }} for the figures of /metrics.",
    ),
)
