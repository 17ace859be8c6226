"""A job's rows as a document in the form of a Kubernetes resource: `{apiVersion, kind, metadata, spec, status}`."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from qtasks.client.provider import attempt_at_provider, dollars, provider
from qtasks.lifecycle import Phase
from qtasks.results import timestamp
from qtasks.store.records import KnownCondition, PastEvent


def document(
    row: Any, conditions: Sequence[KnownCondition], *, code: bytes | None = None, attempts: Sequence[Any] = ()
) -> dict[str, Any]:
    """The job of `row` (see `store.jobs.get`) as plain JSON data; with `code`, its circuit is complete."""
    resource = row.resource
    spec = resource["spec"]
    if code is not None and spec["circuit"]["source"] == "inline":
        spec = {**spec, "circuit": {**spec["circuit"], **_written(row.format, code)}}
    metadata = {
        **resource.get("metadata", {}),
        "name": row.name,
        "namespace": row.namespace,
        "uid": row.id,
        "creationTimestamp": timestamp(row.created_at),
    }
    return {
        "apiVersion": resource["apiVersion"],
        "kind": resource["kind"],
        "metadata": metadata,
        "spec": spec,
        "status": _status(row, conditions, attempts),
    }


def _status(row: Any, conditions: Sequence[KnownCondition], attempts: Sequence[Any]) -> dict[str, Any]:
    status: dict[str, Any] = {
        "phase": row.phase,
        "attempt": row.attempt,
        "cost": dollars(row.cost_micros),
        "conditions": [
            {
                "type": known.condition.type.value,
                "status": known.condition.status.value,
                "reason": known.condition.reason,
                "message": known.condition.message,
                "lastTransitionTime": timestamp(known.changed_at),
            }
            for known in conditions
        ],
    }
    optional = {
        "reason": row.reason,
        "message": row.message,
        "backend": row.backend,
        "provider": provider(row),
        "startTime": _time(row.started_at),
        "completionTime": _time(row.finished_at),
        "source": _source(row),
        "circuit": _circuit(row),
        "metrics": row.metrics,
        "counts": row.counts,
        "results": _result(row),
        "retry": {"notBefore": _time(row.not_before)} if row.phase == Phase.RETRYING else None,
        "attempts": [_attempt(attempt) for attempt in attempts] or None,
    }
    return status | {name: value for name, value in optional.items() if value is not None}


def _source(row: Any) -> dict[str, Any] | None:
    """What was fetched; None for an inline circuit, and until it is."""
    if row.origin is None:
        return None
    # For any other source the commit is that of the folder it was submitted from.
    commit = row.git_commit if row.resource["spec"]["circuit"]["source"] == "git" else None
    known = {"origin": row.origin, "commit": commit, "sha256": row.input_sha256, "format": row.format}
    return {name: value for name, value in known.items() if value is not None}


def _circuit(row: Any) -> dict[str, Any] | None:
    if row.analysis is None:
        return None
    shown = ("qubits", "clbits", "depth", "size", "two_qubit_gates", "measurements")
    return {"format": row.format, "hash": row.fingerprint, **{_camel(name): row.analysis[name] for name in shown}}


def _result(row: Any) -> dict[str, Any] | None:
    if row.result_key is None or row.result_expired_at is not None:
        return None
    return {
        "objectKey": row.result_key,
        "offset": row.result_offset,
        "length": row.result_length,
        "sha256": row.result_sha256,
    }


def _attempt(row: Any) -> dict[str, Any]:
    known = {
        "attempt": row.attempt,
        "backend": row.backend,
        "worker": row.worker,
        "startTime": _time(row.started_at),
        "completionTime": _time(row.finished_at),
        "outcome": row.outcome,
        "reason": row.reason,
        "message": row.message,
        **attempt_at_provider(row),
    }
    return {name: value for name, value in known.items() if value is not None}


def event(past: PastEvent) -> dict[str, Any]:
    """An event as plain JSON data."""
    return {
        "time": timestamp(past.at),
        "type": "Warning" if past.warning else "Normal",
        "reason": past.reason,
        "message": past.message,
        "attempt": past.attempt,
        "source": past.source,
    }


def _written(fmt: str, code: bytes) -> dict[str, str]:
    if fmt == "qpy":
        return {"format": "qpy", "code": base64.b64encode(code).decode()}
    return {"code": code.decode(errors="replace")}


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else timestamp(moment)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
