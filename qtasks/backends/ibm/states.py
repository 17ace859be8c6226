"""What IBM's description of a job means. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from qtasks.backends.protocol import ProviderJob, ProviderState, ProviderUnavailable

RAN_TOO_LONG = "1305"
_STATES = {
    "queued": ProviderState.QUEUED,
    "running": ProviderState.RUNNING,
    "completed": ProviderState.DONE,
    "done": ProviderState.DONE,
    "failed": ProviderState.FAILED,
    "error": ProviderState.FAILED,
    "cancelled": ProviderState.CANCELLED,
}
# From IBM's registry of error codes: those whose remedy is to try again or to wait, and those whose remedy is another
# circuit, other options or another device.
_HEALING = frozenset(("1004", "1006", "1008", "1010", "1011", "9999"))
_LASTING = frozenset(("1002", "1003", "1005", "1007", "1009", RAN_TOO_LONG))
_HEALING_WORDS = re.compile(
    r"internal|offline|maintenance|unavailable|not available|infrastructure|system (?:error|failure|timeout)"
    r"|timed? ?out|retry|try again|temporar|recalibrat",
    re.IGNORECASE,
)


def job_of(data: Mapping[str, Any]) -> ProviderJob:
    """A job, as the API's list and its single answers describe it. Raises ProviderUnavailable when it is no job."""
    try:
        state = data["state"]
        word = str(state["status"])
        lower = word.lower()
        too_long = "too long" in lower
        known = ProviderState.FAILED if too_long else _STATES.get(lower.split(" ")[0], ProviderState.QUEUED)
        code = str(state.get("reason_code") or state.get("reasonCode") or (RAN_TOO_LONG if too_long else ""))
        if code == RAN_TOO_LONG and known is ProviderState.CANCELLED:
            known = ProviderState.FAILED
        message = str(state.get("reason") or "")
        if known is ProviderState.FAILED and not message:
            message = "The job ran longer than its maximum execution time." if too_long else "IBM gives no reason."
        created = _time(data.get("created"))
        final = known.final
        return ProviderJob(
            id=str(data["id"]),
            state=known,
            tags=tuple(str(tag) for tag in data.get("tags") or ()),
            device=data.get("backend"),
            created_at=created,
            finished_at=_time(data.get("ended")) if final else None,
            quantum_seconds=_seconds(data, final=final),
            queue_position=None if final else _whole(data.get("position_in_queue")),
            starts_at=None if final else _time(data.get("estimated_start_time")),
            code=code,
            message=message,
            heals=known is ProviderState.FAILED and heals(code, message),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ProviderUnavailable(
            f"IBM Quantum's description of a job cannot be understood ({type(error).__name__})."
        ) from None


def heals(code: str, message: str) -> bool:
    """Whether a job that failed like this may succeed when it is run again."""
    if code in _LASTING:
        return False
    return code in _HEALING or bool(_HEALING_WORDS.search(message))


def _seconds(data: Mapping[str, Any], *, final: bool) -> float | None:
    """What it used; before its end, what IBM expects it to use."""
    usage = data.get("usage") or {}
    used = usage.get("quantum_seconds", usage.get("seconds"))
    value = used if final else data.get("estimated_running_time_seconds")
    return None if value is None else float(value)


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)


def _time(text: Any) -> datetime | None:
    if not text:
        return None
    time = datetime.fromisoformat(str(text))
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
