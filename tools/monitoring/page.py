"""docs/metrics.md."""

from __future__ import annotations

from qtasks.telemetry import metrics
from qtasks.telemetry.metric import Metric, Shown

_ABOUT = """\
# Metrics and probes

Generated from `qtasks/telemetry/metrics.py`. Workers and beat answer `/metrics`, `/healthz` and `/readyz` on
`QTASKS_METRICS_HOST:QTASKS_METRICS_PORT`, the API on its own port. Where that port is 0, the default, workers and beat
count nothing.

| process | `/healthz` is 503 when | `/readyz` is 503 when |
|---|---|---|
"""
_PROBES = (
    (
        "`qtasks worker`",
        "the event loop of its main process does not turn; its pool lacks a process; leases are not renewed; something "
        "is held past its time limit",
        "the database, the broker or the sandbox does not answer, or the pool is not whole",
    ),
    ("`qtasks beat`", "it does not tick", "the broker does not answer"),
    ("`qtasks api`", "never: it answers while its event loop turns", "database, broker or object store do not answer"),
)
_MORE = """
503 comes after `QTASKS_PROBE_SECONDS` without progress, and says in JSON what is wrong. A database or a broker that is
away makes nobody unhealthy: starting every pod again would not bring it back; they are not ready meanwhile. A worker
whose lease keeper dies starts it again. One whose port is taken says so in its log, and works without.

`/metrics` asks for `QTASKS_METRICS_TOKEN` as a bearer token where that is set, and for no principal's. The names of
jobs and of secrets are not in it; those of namespaces, budgets and accounts are. The processes of a worker, and those
of an API, count in files that they share, so that one that is killed takes nothing along; with the worker it is gone.

**What comes from the database is on every API, and all of them say the same: take `max by`, then sum.** It is at most
ten seconds old. Final jobs are counted for an hour after their end: a sum over all that ever ended would be read from a
million rows, and fall when they are deleted. Series are bounded: a hundred namespaces, of the others there is `other`;
likewise of what a process counts beyond 200 combinations of one metric's labels.

`k8s/monitoring/` has alert rules for Prometheus (`rules.yaml`) and for its operator (`prometheusrule.yaml`), a
ServiceMonitor, a PodMonitor, and a dashboard for Grafana. [runbook.md](runbook.md) says what to do about each alert.
Where something else scrapes, `honor_labels: true` keeps the metrics' own `namespace`. With `QTASKS_METRICS_TOKEN`, the
monitors want `authorization: {credentials: {name: qtasks-metrics, key: token}}` at their endpoints.
"""
_TITLES = {Shown.WORKER: "Workers", Shown.API: "API", Shown.BEAT: "Beat"}


def metrics_page() -> str:
    """Every metric with its kind, unit, labels and meaning."""
    probes = "".join(f"| {' | '.join(row)} |\n" for row in _PROBES)
    parts = [f"{_ABOUT}{probes}{_MORE}"]
    for shown, title in _TITLES.items():
        rows = [_row(each) for each in metrics.ALL if shown in each.shown]
        parts.append(
            f"## {title}\n\n| metric | kind, unit | labels | meaning |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"
        )
    return "\n".join(parts)


def _row(each: Metric) -> str:
    labels = "<br>".join(f"`{name}`: {meaning}" for name, meaning in each.labels.items())
    return f"| `{each.name}` | {each.kind}, {each.unit} | {labels} | {each.meaning} |"
