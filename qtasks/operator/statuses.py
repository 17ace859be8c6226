"""From what qtasks knows to the `status` of a resource. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from qtasks.errors import QTasksError
from qtasks.lifecycle import ConditionStatus, ConditionType, Phase
from qtasks.resources import Execution, JobBackend, Money

ACCEPTED = "Accepted"
"""The condition of all four kinds: whether qtasks has taken the latest spec."""

Status = dict[str, Any]
Condition = Mapping[str, Any]

_FRACTION = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.\d+Z$")
_EXECUTION = Execution()


def job_status(document: Mapping[str, Any], *, generation: int, accepted: Condition) -> Status:
    """The status of a QiskitJob from its job's document. `generation`: that of the resource which `accepted`, the
    condition, is about."""
    metadata, spec, known = document["metadata"], document["spec"], document["status"]
    execution = spec.get("execution", {})
    asked = spec.get("backend", {}).get("type", JobBackend().type.value)
    found = {
        "observedGeneration": generation,
        "jobId": metadata["uid"],
        "jobName": metadata["name"],
        "backend": asked,
        "priority": execution.get("priority", _EXECUTION.priority.value),
        "shots": execution.get("shots", _EXECUTION.shots),
        **known,
        "conditions": [accepted, *known["conditions"]],
    }
    return _in_seconds(found)


def refused_job(error: QTasksError, *, generation: int, waits: bool = False) -> Status:
    """The status of a QiskitJob that was not taken; `waits`: it is tried again."""
    now = moment()
    found: Status = {
        "observedGeneration": generation,
        "phase": (Phase.PENDING if waits else Phase.FAILED).value,
        "reason": error.reason,
        "message": str(error),
        "conditions": [condition(ACCEPTED, False, error.reason, str(error), now)],
    }
    if not waits:
        invalid = condition(ConditionType.VALIDATED.value, False, error.reason, str(error), now)
        found |= {"conditions": [*found["conditions"], invalid], "cost": "$0.00", "completionTime": now}
    return found


def gone_job(status: Mapping[str, Any]) -> Status:
    """The status of a QiskitJob whose job qtasks has no more: it was deleted there, which cancels it first."""
    message = "qtasks does not keep the job any more."
    found = dict(status)
    if not is_final(status):
        found |= {"phase": Phase.CANCELLED.value, "reason": "JobNotFound", "message": message}
        found.setdefault("completionTime", moment())
    return found


def is_final(status: Mapping[str, Any]) -> bool:
    return status.get("phase") in (Phase.COMPLETED.value, Phase.FAILED.value, Phase.CANCELLED.value)


def is_settled(document: Mapping[str, Any]) -> bool:
    """Whether nothing more is to be heard soon of a job, or of a QiskitJob: it is final, its output is delivered or
    refused, and no provider has yet to say what it cost."""
    status = document.get("status") or {}
    if not is_final(status):
        return False
    if status["phase"] != Phase.COMPLETED:
        return "provider" not in status
    if document["spec"].get("output") is None:
        return True
    kind = ConditionType.OUTPUT_DELIVERED.value
    delivered = next((one for one in status.get("conditions") or () if one["type"] == kind), None)
    if delivered is None or delivered["status"] == ConditionStatus.UNKNOWN:
        return False
    return bool(delivered["status"] == ConditionStatus.TRUE or delivered["reason"] != "OutputRetrying")


def budget_status(document: Mapping[str, Any]) -> Status:
    """The status of a QiskitBudget, without its conditions."""
    spec, known = document["spec"], document["status"]
    shown = ("spent", "reserved", "remaining", "percent", "thresholdsCrossed", "quantumSeconds", "period")
    found = {name: known[name] for name in shown if known.get(name) is not None}
    found["period"] = {name: value for name, value in known["period"].items() if value is not None}
    if spec.get("limit") is not None:
        found["limit"] = str(Money(spec["limit"]))
    return _in_seconds(found)


def session_status(document: Mapping[str, Any]) -> Status:
    """The status of a QiskitSession, without its conditions."""
    return _in_seconds(dict(document["status"]))


def backend_status(devices: Sequence[Mapping[str, Any]]) -> Status:
    """The status of a QiskitBackend, without its conditions: of its devices, one for each account, the one in service
    with the shortest wait."""

    def rank(device: Mapping[str, Any]) -> tuple[bool, float]:
        wait = device["status"]["waitSeconds"]
        return not device["status"]["available"], float("inf") if wait is None else float(wait)

    best = min(devices, key=rank)
    known = {name: value for name, value in best["status"].items() if value is not None}
    state = {True: "up", False: "down"}.get(best["status"]["available"], "unknown")
    accounts = ",".join(sorted({device["account"] for device in devices if device["account"]}))
    found = {**known, "state": state, "device": best["name"], **({"account": accounts} if accounts else {})}
    return _in_seconds(found)


def condition(kind: str, holds: bool, reason: str, message: str, since: str) -> Condition:
    return {
        "type": kind,
        "status": (ConditionStatus.TRUE if holds else ConditionStatus.FALSE).value,
        "reason": reason,
        "message": message,
        "lastTransitionTime": since,
    }


def kept_since(new: Condition, old: Condition | None) -> Condition:
    """A condition with the time of its last transition, which is the old one's while its status is the same."""
    if old is None or old.get("status") != new["status"] or "lastTransitionTime" not in old:
        return new
    return {**new, "lastTransitionTime": old["lastTransitionTime"]}


def moment() -> str:
    """Now, as Kubernetes writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def merge_patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """What makes the old status the new one, as RFC 7386 has it: null takes a field out."""
    change: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        if key not in old:
            change[key] = value
        elif isinstance(value, Mapping) and isinstance(old[key], Mapping):
            inner = merge_patch(old[key], value)
            if inner:
                change[key] = inner
        elif value != old[key]:
            change[key] = value
    return change


def _in_seconds(found: Mapping[str, Any]) -> Status:
    """Times as Kubernetes writes them, in whole seconds; nothing else is changed."""
    return {key: _second(value) for key, value in found.items()}


def _second(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _in_seconds(value)
    if isinstance(value, (list, tuple)):
        return [_second(one) for one in value]
    return _FRACTION.sub(r"\1Z", value) if isinstance(value, str) else value
