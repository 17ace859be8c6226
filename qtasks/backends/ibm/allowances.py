"""What IBM says of an instance's usage. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from qtasks.backends.protocol import Allowance, ProviderUnavailable


def allowance_of(usage: Mapping[str, Any]) -> Allowance:
    """The allowance in `GET /instances/usage`; without a limit, none remains to be told."""
    try:
        used = float(usage.get("usage_consumed_seconds") or 0.0)
        limit = usage.get("usage_limit_seconds") or usage.get("usage_allocation_seconds")
        remaining = usage.get("usage_remaining_seconds")
        if remaining is None and limit is not None:
            remaining = max(0.0, float(limit) - used)
        if usage.get("usage_limit_reached"):
            remaining = 0.0
        period = usage.get("usage_period") or {}
        return Allowance(
            limit_seconds=None if limit is None else float(limit),
            used_seconds=used,
            remaining_seconds=None if remaining is None else float(remaining),
            since=_time(period.get("start_time")),
            until=_time(period.get("end_time")),
        )
    except (TypeError, ValueError, AttributeError) as error:
        raise ProviderUnavailable(f"IBM Quantum's usage cannot be understood ({type(error).__name__}).") from None


def _time(text: Any) -> datetime | None:
    return datetime.fromisoformat(str(text)) if text else None
