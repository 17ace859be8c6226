"""What a namespace may have waiting, and may ask for in a day. Pure."""

from __future__ import annotations

from qtasks.access.rules import ALLOWED, Decision
from qtasks.config import Config
from qtasks.store.tenants import Limits, Used


def limits_of(config: Config) -> list[Limits]:
    """The limits that QTASKS_CONFIG gives to namespaces, as the database keeps them."""
    return [
        Limits(tenant.namespace, float(tenant.weight), tenant.concurrency, tenant.waiting, tenant.shots_per_day)
        for tenant in config.tenants
    ]


def within(use: Used, *, jobs: int, shots: int) -> Decision:
    """Whether `jobs` new ones with so many `shots` together, which `use` has in it, are allowed. Reason:
    QuotaExceeded."""
    quota, namespace = use.limits, use.limits.namespace
    if quota.waiting is not None and use.waiting > quota.waiting:
        return _exceeded(
            f"Namespace {namespace} may have {quota.waiting} jobs waiting: with {_jobs(jobs)} it would have "
            f"{use.waiting}.",
            "Submit again when some of them have run",
        )
    if quota.shots_per_day is not None and use.shots_today > quota.shots_per_day:
        return _exceeded(
            f"Namespace {namespace} may ask for {quota.shots_per_day} shots a day: with {shots} more it would be "
            f"{use.shots_today}.",
            "Submit again after midnight UTC",
        )
    return ALLOWED


def _exceeded(message: str, remedy: str) -> Decision:
    hint = f"{remedy}, or ask whoever keeps QTASKS_CONFIG for more (`tenants`)."
    return Decision(False, "QuotaExceeded", message, hint)


def _jobs(number: int) -> str:
    return "this one" if number == 1 else f"these {number}"
