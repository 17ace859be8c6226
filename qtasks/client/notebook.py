"""A job as a fragment of HTML, for notebooks. Pure; colours are the surroundings' own, all text is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from qtasks.results.html import counts_html, table

_COLOURS = {"Completed": "#2e9e4f", "Failed": "#d64545", "Cancelled": "#8a8a8a", "Running": "#3b7dd8"}
_WAITING = "#b98900"


def job_html(document: Mapping[str, Any]) -> str:
    """The job of a document (`Job.to_dict()`): what it is, where it stands, why, and its counts where they are few."""
    metadata, spec, status = document["metadata"], document["spec"], document["status"]
    rows = [[name, text] for name, text in _facts(metadata, spec, status) if text]
    parts = [_heading(metadata, status["phase"]), table(["", ""], rows), _conditions(status.get("conditions", ()))]
    counts = status.get("counts")
    if counts and all(isinstance(count, int) for count in counts.values()):
        parts.insert(2, counts_html(counts))
    return f'<div class="qtasks-job">{"".join(parts)}</div>'


def pill(phase: str) -> str:
    """A phase in its colour, which is never all that tells it."""
    colour = _COLOURS.get(phase, _WAITING)
    return (
        f'<span style="border:1px solid {colour};border-radius:9px;padding:0 8px;color:{colour}">{escape(phase)}</span>'
    )


def _heading(metadata: Mapping[str, Any], phase: str) -> str:
    name = escape(f"{metadata.get('namespace', 'default')}/{metadata['name']}")
    return f"<p style='margin:4px 0'><strong>{name}</strong> {pill(phase)}</p>"


def _facts(metadata: Mapping[str, Any], spec: Mapping[str, Any], status: Mapping[str, Any]) -> list[tuple[str, str]]:
    wanted = spec.get("backend", {})
    where = status.get("backend") or wanted.get("name") or wanted.get("type", "local_simulator")
    provider = status.get("provider") or {}
    reason = status.get("reason") if status.get("reason") != status["phase"] else None
    said = ": ".join(text for text in (reason, status.get("message")) if text)
    execution = spec.get("execution", {})
    facts = [
        ("id", metadata.get("uid")),
        ("program", spec.get("program", "sampler")),
        ("backend", where),
        ("provider's job", provider.get("jobId")),
        ("shots", execution.get("shots")),
        ("priority", execution.get("priority")),
        ("submitted", metadata.get("creationTimestamp")),
        ("started", status.get("startTime")),
        ("ended", status.get("completionTime")),
        ("cost", status.get("cost")),
        ("attempt", status.get("attempt") if (status.get("attempt") or 0) > 1 else None),
        ("why", said),
    ]
    return [(name, "" if value is None else escape(str(value))) for name, value in facts]


def _conditions(conditions: Any) -> str:
    if not conditions:
        return ""
    rows = [
        [escape(str(one.get(name, ""))) for name in ("type", "status", "reason", "message", "lastTransitionTime")]
        for one in conditions
    ]
    heads = ["type", "status", "reason", "message", "since"]
    return f"<details><summary>conditions</summary>{table(heads, rows)}</details>"
