"""What a document says of a job's provider: where it is there, how it stands, what it used. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from qtasks.lifecycle import Phase
from qtasks.results import timestamp


def provider(row: Any) -> dict[str, Any] | None:
    """`status.provider` of a job's row (see `store.jobs.get`), of its latest attempt; None for one that runs here.

    A job that waits for its turn has only type and account. Times are UTC, `quantumSeconds` what the provider counted,
    `estimatedQuantumSeconds` what was expected before, `cost` US dollars as "$1.60".
    """
    if row.account is None:
        return None
    known = {
        "type": row.resource["spec"].get("backend", {}).get("type"),
        "account": row.account,
        "device": row.provider_device,
        "jobId": row.provider_job_id,
        "state": row.provider_state,
        "tag": row.provider_tag,
        "queuePosition": queue_position(row),
        "estimatedStart": None if row.provider_running_at or row.provider_settled else _time(row.provider_starts_at),
        "session": row.provider_session,
        "quantumSeconds": row.provider_quantum_seconds,
        "estimatedQuantumSeconds": row.provider_estimated_seconds,
        "isaCircuit": row.provider_isa_key,
        "calibration": row.provider_calibration_key,
        "submittedAt": _time(row.provider_submitted_at),
        "runningAt": _time(row.provider_running_at),
        "finishedAt": _time(row.provider_finished_at),
        "cost": None if row.provider_cost_micros is None else dollars(row.provider_cost_micros),
        "price": row.provider_price,
    }
    return {name: value for name, value in known.items() if value is not None}


def queue_position(row: Any) -> int | None:
    """The job's place in its provider's queue, 1 for the next; None when it does not wait there, or nobody knows."""
    waits = row.phase == Phase.RUNNING and row.provider_state == "queued"
    return int(row.provider_queue_position) if waits and row.provider_queue_position is not None else None


def attempt_at_provider(row: Any) -> Mapping[str, Any]:
    """What an attempt's entry says of its provider job; values are None for an attempt without one."""
    return {
        "account": row.provider_account,
        "providerJobId": row.provider_job_id,
        "providerState": row.provider_state,
        "quantumSeconds": row.provider_quantum_seconds,
    }


def dollars(micros: int) -> str:
    """Micro-dollars as "$1.60", with more decimals where they are not whole cents."""
    amount = Decimal(micros) / 1_000_000
    return f"${amount:.2f}" if micros % 10_000 == 0 else f"${amount.normalize():f}"


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else timestamp(moment)
