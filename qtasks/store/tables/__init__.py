"""The schema, a module for each family of tables."""

from qtasks.store.tables.base import metadata
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
from qtasks.store.tables.providers import accounts, provider_jobs, session_jobs, sessions

__all__ = [
    "accounts",
    "attempts",
    "circuits",
    "conditions",
    "events",
    "fences",
    "inputs",
    "jobs",
    "labels",
    "metadata",
    "provider_jobs",
    "results",
    "session_jobs",
    "sessions",
    "shares",
    "signing_keys",
    "workers",
]
