"""The schema, a module for each family of tables."""

from qtasks.store.tables.access import audit, bindings, principals, submitters, tenants, tokens
from qtasks.store.tables.alerts import alert_deliveries, alerts
from qtasks.store.tables.base import metadata
from qtasks.store.tables.catalogue import backends, decisions, devices, fidelities
from qtasks.store.tables.jobs import (
    attempts,
    circuits,
    conditions,
    events,
    fences,
    inputs,
    jobs,
    labels,
    results,
    shares,
    signing_keys,
    workers,
)
from qtasks.store.tables.money import budget_periods, budget_waits, budgets, charges, ledger
from qtasks.store.tables.notices import notices
from qtasks.store.tables.outputs import outputs
from qtasks.store.tables.providers import accounts, provider_jobs, session_jobs, sessions
from qtasks.store.tables.retention import lifetimes, past_uses, retention

__all__ = [
    "accounts",
    "alert_deliveries",
    "alerts",
    "attempts",
    "audit",
    "backends",
    "bindings",
    "budget_periods",
    "budget_waits",
    "budgets",
    "charges",
    "circuits",
    "conditions",
    "decisions",
    "devices",
    "events",
    "fences",
    "fidelities",
    "inputs",
    "jobs",
    "labels",
    "ledger",
    "lifetimes",
    "metadata",
    "notices",
    "outputs",
    "past_uses",
    "principals",
    "provider_jobs",
    "results",
    "retention",
    "session_jobs",
    "sessions",
    "shares",
    "signing_keys",
    "submitters",
    "tenants",
    "tokens",
    "workers",
]
