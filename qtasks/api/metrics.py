"""`/metrics` of the API: what all of its processes have counted, and figures that are read from the database."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.datastructures import Headers

from qtasks.api.serving import serving
from qtasks.errors import Unavailable
from qtasks.lifecycle import Queue
from qtasks.queue import level_name
from qtasks.settings import Settings
from qtasks.store import Store, figures
from qtasks.store.balances import Balance
from qtasks.store.budgets import Budget
from qtasks.store.figures import AccountFigures, Group
from qtasks.telemetry import exposition, metrics
from qtasks.telemetry.exposition import Reading
from qtasks.telemetry.metric import OTHER, Metric
from qtasks.telemetry.serving import may_read

router = APIRouter(include_in_schema=False)

_KEPT_SECONDS = 10.0
"""How long figures are good for: several who scrape, or one who does so every second, ask the database once."""
_WAIT_SECONDS = 8.0
"""Prometheus itself waits for ten."""
_MOST_NAMESPACES = 100
_OWN_ACCOUNT = ("ibm-quantum.", "aws-braket.")

Series = dict[tuple[str, ...], float]


@router.get("/metrics")
async def scrape(request: Request) -> Response:
    """What Prometheus asks for; no principal's token is wanted, but QTASKS_METRICS_TOKEN where there is one."""
    here = serving(request)
    if not may_read(here.settings, request.headers.get("authorization", "")):
        return Response("QTASKS_METRICS_TOKEN is wanted as a bearer token.\n", 401, {"WWW-Authenticate": "Bearer"})
    kept: Figures = request.app.state.figures
    # In a thread of its own: those that serve may all be waiting for the very database that does not answer.
    reading = asyncio.to_thread(kept.read, here.installation.store)
    try:
        found = await asyncio.wait_for(reading, _WAIT_SECONDS)
    except TimeoutError:
        found = [_alone(metrics.DATABASE_UP, 0.0)]
    return Response(await asyncio.to_thread(exposition.text, found), media_type=exposition.CONTENT_TYPE)


class Figures:
    """The figures of one installation, read again when they are old; safe to share between threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._known: list[Reading] = []
        self._until = 0.0

    def read(self, store: Store) -> list[Reading]:
        """As gauges; without a database there is but one."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._known = self._fresh(store)
                self._until = time.monotonic() + _KEPT_SECONDS
            return self._known

    def _fresh(self, store: Store) -> list[Reading]:
        started = time.monotonic()
        try:
            with store.read() as tx:
                jobs = figures.groups(tx)
                accounts = figures.of_accounts(tx)
                budgets = figures.of_budgets(tx)
                workers = figures.workers_by_queue(tx, within_seconds=self._settings.lease_seconds)
        except Unavailable:
            return [_alone(metrics.DATABASE_UP, 0.0)]
        return [
            _alone(metrics.DATABASE_UP, 1.0),
            _alone(metrics.FIGURES_SECONDS, time.monotonic() - started),
            *of_jobs(jobs),
            *of_accounts(accounts),
            *_of_budgets(budgets),
            _gauge(metrics.WORKERS, {(queue.value,): float(workers[queue.value]) for queue in Queue}),
        ]


def of_jobs(found: Iterable[Group]) -> list[Reading]:
    """Jobs, what they cost, and the queues."""
    rows = list(found)
    shown = _largest(rows)
    jobs: Series = defaultdict(float)
    cost: Series = defaultdict(float)
    queues: Series = defaultdict(float)
    oldest: Series = defaultdict(float)
    for row in rows:
        namespace = row.namespace if row.namespace in shown else OTHER
        backend, level = row.backend or "unassigned", level_name(row.priority)
        jobs[row.phase, backend, level, namespace] += row.jobs
        if row.state == "ended":
            cost[backend, namespace] += row.cost_micros / 1e6
        elif row.queue is not None and row.state in ("queued", "running"):
            queues[row.queue, level, row.state] += row.jobs
            if row.state == "queued":
                oldest[row.queue, level] = max(oldest[row.queue, level], row.oldest_seconds)
    return [
        _gauge(metrics.JOBS, jobs),
        _gauge(metrics.COST, cost),
        _gauge(metrics.QUEUE_JOBS, queues),
        _gauge(metrics.QUEUE_OLDEST, oldest),
    ]


def _largest(rows: Iterable[Group]) -> set[str]:
    """The namespaces with most jobs, of which there may be any number."""
    sizes: dict[str, int] = defaultdict(int)
    for row in rows:
        sizes[row.namespace] += row.jobs
    return set(sorted(sizes, key=lambda name: (-sizes[name], name))[:_MOST_NAMESPACES])


def of_accounts(found: Iterable[AccountFigures]) -> list[Reading]:
    """How polling goes. An account that a job brought has its secret's name in its own: it counts with its namespace's
    others, of which the worst is shown."""
    worst: dict[Metric, Series] = {
        kind: {} for kind in (metrics.POLLING_LAG, metrics.POLLING_FAILURES, metrics.WAIT_ERROR, metrics.WAIT_BIAS)
    }
    for account in found:
        labels = (account_label(account.name),)
        values = (account.lag_seconds, float(account.failures), account.error_seconds, account.bias_seconds)
        for series, value in zip(worst.values(), values, strict=True):
            if value is not None:
                series[labels] = max(series.get(labels, value), value, key=abs)
    return [_gauge(kind, series) for kind, series in worst.items()]


def account_label(name: str) -> str:
    """What is shown of an account's name: neither the secret nor the instance of one that a job brought."""
    for prefix in _OWN_ACCOUNT:
        if name.startswith(prefix):
            return f"*.{name.removeprefix(prefix).partition('.')[0]}"
    return name.partition("@")[0]


def _of_budgets(found: Iterable[tuple[Budget, Balance]]) -> list[Reading]:
    dollars: Series = {}
    quantum: Series = {}
    for budget, balance in found:
        name = (budget.namespace, budget.name)
        dollars[*name, "reserved"] = balance.reserved_micros / 1e6
        dollars[*name, "settled"] = balance.settled_micros / 1e6
        if budget.limit_micros is not None:
            dollars[*name, "limit"] = budget.limit_micros / 1e6
        if budget.limit_quantum is not None:
            quantum[*name, "reserved"] = balance.reserved_quantum / 1e6
            quantum[*name, "settled"] = balance.settled_quantum / 1e6
            quantum[*name, "limit"] = budget.limit_quantum / 1e6
    return [_gauge(metrics.BUDGET_DOLLARS, dollars), _gauge(metrics.BUDGET_QUANTUM, quantum)]


def _alone(what: Metric, value: float) -> Reading:
    return what, [({}, value)]


def _gauge(what: Metric, values: Series) -> Reading:
    return what, [(dict(zip(what.labels, key, strict=True)), value) for key, value in values.items()]


def note_request(scope: Mapping[str, Any], given: Headers, status: int, seconds: float) -> None:
    """Count a request that was answered."""
    route = getattr(scope.get("route"), "path", "page" if "endpoint" in scope else "none")
    method = scope["method"] if scope["method"] in _METHODS else OTHER
    metrics.API_REQUESTS.count(route=route, method=method, status=str(status))
    if not _waits(scope, given):
        metrics.API_SECONDS.observe(seconds, route=route, method=method)


_SUBMITTING = "/v1/jobs"
_WAITING = frozenset({"/v1/jobs/phases"})
"""How long it waits is in the body."""
_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})


def note_rejection(scope: Mapping[str, Any], reason: str) -> None:
    """Count a refusal, if it is one of a submission."""
    if scope["path"] == _SUBMITTING and scope["method"] == "POST":
        metrics.REJECTIONS.count(reason=reason)


def _waits(scope: Mapping[str, Any], given: Headers) -> bool:
    """Whether the request may be answered when something happens, and not before."""
    if scope["path"] in _WAITING or "text/event-stream" in given.get("accept", ""):
        return True
    return b"wait=" in scope["query_string"]
