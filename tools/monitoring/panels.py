"""The dashboard's panels, row by row, each with what it asks Prometheus for."""

from __future__ import annotations

from dataclasses import dataclass

Curves = tuple[tuple[str, str], ...]
"""What is asked, and the legend of what is answered."""


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel: its title, its unit as Grafana calls it, and its curves."""

    title: str
    unit: str
    curves: Curves
    kind: str = "timeseries"
    stacked: bool = False


def _same(metric: str, *labels: str, **matched: str) -> str:
    """A figure from the database, which every API says the same of."""
    matchers = ", ".join(f'{name}=~"{value}"' for name, value in matched.items())
    return f"max by ({', '.join(labels)}) ({metric}{f'{{{matchers}}}' if matched else ''})"


def _jobs(*by: str, phase: str = "") -> str:
    matched = {"namespace": "$namespace", **({"phase": phase} if phase else {})}
    every = _same("qtasks_jobs", "phase", "backend", "priority", "namespace", **matched)
    return f"sum by ({', '.join(by)}) ({every})" if by else f"sum({every}) or vector(0)"


def _rate(metric: str, *by: str, legend: str = "") -> tuple[str, str]:
    total = f"sum by ({', '.join(by)}) " if by else "sum"
    return f"{total}(rate({metric}[$__rate_interval]))", legend or " ".join(f"{{{{{label}}}}}" for label in by)


def _quantiles(metric: str, label: str) -> Curves:
    buckets = f"sum by (le, {label}) (rate({metric}_bucket[$__rate_interval]))"
    return tuple(
        (f"histogram_quantile({part}, {buckets})", f"{{{{{label}}}}} {word}")
        for part, word in (("0.5", "median"), ("0.95", "95 %"))
    )


def _each(*asked: str, legend: str) -> Curves:
    return tuple((one, legend) for one in asked)


_MISSING = (
    'max by (instance) (qtasks_pool_processes{state="wanted"})'
    ' - max by (instance) (qtasks_pool_processes{state="alive"})'
)
_COST = _same("qtasks_cost_dollars", "backend", "namespace", namespace="$namespace")
_BUDGET = ("namespace", "budget", "state")
_DOLLARS = _same("qtasks_budget_dollars", *_BUDGET, namespace="$namespace")
_QUANTUM = _same("qtasks_budget_quantum_seconds", *_BUDGET, namespace="$namespace")
_USED = _same("qtasks_budget_dollars", *_BUDGET, namespace="$namespace", state="reserved|settled")
_LIMIT = _same("qtasks_budget_dollars", "namespace", "budget", namespace="$namespace", state="limit")
_WAITING = _same("qtasks_queue_jobs", "queue", "priority", state="queued")
_RUNNING = _same("qtasks_queue_jobs", "queue", "priority", state="running")
_OLDEST = _same("qtasks_queue_oldest_seconds", "queue", "priority")

_NOW = (
    Panel("Database", "bool_on_off", _each("max(qtasks_database_up)", legend=""), "stat"),
    Panel(
        "Not final", "short", _each(_jobs(phase="Pending|Validating|Scheduling|Running|Retrying"), legend=""), "stat"
    ),
    Panel("Failed within the hour", "short", _each(_jobs(phase="Failed"), legend=""), "stat"),
    Panel("Cost within the hour", "currencyUSD", _each(f"sum({_COST}) or vector(0)", legend=""), "stat"),
    Panel("Workers", "short", _each(_same("qtasks_workers", "queue"), legend="{{queue}}"), "bargauge"),
)
_QUEUES = (
    Panel("Jobs by phase", "short", _each(_jobs("phase"), legend="{{phase}}"), stacked=True),
    Panel("Jobs by backend", "short", _each(_jobs("backend"), legend="{{backend}}"), stacked=True),
    Panel("Jobs by namespace", "short", _each(_jobs("namespace"), legend="{{namespace}}"), stacked=True),
    Panel("Waiting", "short", _each(_WAITING, legend="{{queue}} {{priority}}"), stacked=True),
    Panel("Running", "short", _each(f"sum by (queue) ({_RUNNING})", legend="{{queue}}"), stacked=True),
    Panel("Longest wait", "s", _each(_OLDEST, legend="{{queue}} {{priority}}")),
)
_WORK = (
    Panel("Jobs a second by stage", "ops", (_rate("qtasks_stage_jobs_total", "stage"),)),
    Panel("Time of a claim by stage", "s", _quantiles("qtasks_stage_seconds", "stage")),
    Panel("From submission to first work", "s", _quantiles("qtasks_wait_seconds", "priority")),
    Panel("Failures", "ops", (_rate("qtasks_failures_total", "reason"),)),
    Panel("Retries", "ops", (_rate("qtasks_retries_total", "reason"),)),
    Panel("Refused submissions", "ops", (_rate("qtasks_rejections_total", "reason"),)),
)
_WORKERS = (
    Panel("Held jobs", "short", _each("sum by (instance) (qtasks_held_jobs)", legend="{{instance}}"), stacked=True),
    Panel("Missing pool processes", "short", _each(_MISSING, legend="{{instance}}")),
    Panel(
        "Since the last sign of life",
        "s",
        (
            ("max(qtasks_heart_age_seconds)", "main processes"),
            ("max(qtasks_lease_renewal_age_seconds)", "leases"),
            ("min(qtasks_beat_tick_age_seconds)", "beat"),
        ),
    ),
    Panel("Lost leases", "ops", (_rate("qtasks_leases_lost_total", "cause"),)),
    Panel(
        "Takeovers and kills",
        "ops",
        (
            _rate("qtasks_takeovers_total", "stage", legend="taken over: {{stage}}"),
            _rate("qtasks_processes_killed_total", "cause", legend="killed: {{cause}}"),
        ),
    ),
    Panel(
        "Sandbox",
        "ops",
        (
            _rate("qtasks_sandbox_starts_total", legend="starts"),
            _rate("qtasks_sandbox_kills_total", "layer", legend="ended: {{layer}}"),
        ),
    ),
)
_PROVIDERS = (
    Panel("Requests", "reqps", (_rate("qtasks_provider_requests_total", "provider", "outcome"),)),
    Panel("Time of an answer", "s", _quantiles("qtasks_provider_request_seconds", "provider")),
    Panel("Polling is late by", "s", _each(_same("qtasks_polling_lag_seconds", "account"), legend="{{account}}")),
    Panel("Visits without answer", "short", _each(_same("qtasks_polling_failures", "account"), legend="{{account}}")),
    Panel("Start against estimate", "s", _each(_same("qtasks_wait_error_seconds", "account"), legend="{{account}}")),
    Panel("Starts later by", "s", _each(_same("qtasks_wait_bias_seconds", "account"), legend="{{account}}")),
)
_MONEY = (
    Panel(
        "Part of the limit that is spent or reserved",
        "percentunit",
        _each(f"sum by (namespace, budget) ({_USED}) / {_LIMIT}", legend="{{namespace}}/{{budget}}"),
    ),
    Panel("Budgets", "currencyUSD", _each(_DOLLARS, legend="{{namespace}}/{{budget}} {{state}}")),
    Panel("Budgets of quantum time", "s", _each(_QUANTUM, legend="{{namespace}}/{{budget}} {{state}}")),
    Panel("Cost within the hour", "currencyUSD", _each(_COST, legend="{{namespace}} {{backend}}"), stacked=True),
)
_SERVING = (
    Panel("Requests by status", "reqps", (_rate("qtasks_api_requests_total", "status"),), stacked=True),
    Panel("Requests by route", "reqps", (_rate("qtasks_api_requests_total", "method", "route"),)),
    Panel("Time of a request", "s", _quantiles("qtasks_api_request_seconds", "route")),
    Panel("Deliveries", "ops", (_rate("qtasks_deliveries_total", "kind", "outcome"),)),
    Panel("Periodic tasks", "ops", (_rate("qtasks_beat_sent_total", "task", "outcome"),)),
    Panel("Time of the figures", "s", _each("max(qtasks_figures_seconds)", legend="database")),
)
ROWS = (
    ("Now", _NOW),
    ("Jobs and queues", _QUEUES),
    ("Work", _WORK),
    ("Workers", _WORKERS),
    ("Providers", _PROVIDERS),
    ("Money", _MONEY),
    ("API and deliveries", _SERVING),
)
