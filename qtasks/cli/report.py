"""What `qtasks run` and `qtasks results` show of a job and its result. Pure: documents and results in, text out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rich.text import Text

from qtasks.cli import ages
from qtasks.cli.charts import charts
from qtasks.cli.table import STYLES, lines_of
from qtasks.lifecycle import Phase
from qtasks.results import JobResult

Document = Mapping[str, Any]

_ROWS = 16
# The events that bring a phase whose name they do not have.
_PHASES = {"Submitted": Phase.PENDING, "ResourceConstraints": Phase.PENDING, "GivenBack": Phase.PENDING}
_TOLD = frozenset(phase.value for phase in Phase) | frozenset(_PHASES)


def step(event: Mapping[str, Any]) -> str | None:
    """The phase that an event brought, or the reason of a warning; None for an event that is neither."""
    reason = str(event["reason"])
    if reason in _TOLD or event["type"] == "Warning":
        return str(_PHASES.get(reason, reason))
    return None


def progress_line(event: Mapping[str, Any], since: datetime, *, ended: Phase | None = None) -> Text:
    """An event as a line: the seconds since `since`, its step, its message.

    Of a warning that `ended` the job only the reason is told: the message is the error's, which follows.
    """
    word = ended.value if ended else step(event) or event["reason"]
    seconds = max(0.0, (ages.when(event["time"]) - since).total_seconds())
    style = STYLES.get(word, STYLES["Warning"] if event["type"] == "Warning" else "")
    return Text.assemble(f"{seconds:8.2f} s  ", (f"{word:<10}", style), f"  {event['reason' if ended else 'message']}")


def log_line(event: Mapping[str, Any], *, timestamps: bool = True) -> str:
    """An event as a line of a log."""
    level = "WARNING" if event["type"] == "Warning" else "DEBUG" if event["reason"] == "Debug" else "INFO"
    time = f"{event['time']} " if timestamps else ""
    return f"{time}{level:<7} {event['reason']}: {event['message']}\n"


def result_text(result: JobResult, width: int) -> Text:
    """Each PUB's counts as a histogram, or the expectation values of an estimator."""
    return charts([("", result)], width=width, rows=_ROWS)


def summary(document: Document, *, width: int | None = None, output: str | None = None) -> Text:
    """Whose result it is, how it was run and how long it took, and where `output` says that a copy is."""
    metadata, status = document["metadata"], document["status"]
    metrics = status.get("metrics", {})
    ran = f"{document['spec'].get('program', 'sampler')} on {status.get('backend', '?')}"
    details = [("method", "method"), ("seed", "seed_simulator"), ("depth", "transpiled_depth")]
    ran += "".join(f", {label} {metrics[key]}" for label, key in details if metrics.get(key) is not None)
    times = [("queued", "queue_seconds"), ("transpiled", "transpile_seconds"), ("ran", "run_seconds")]
    times.append(("in all", "total_seconds"))
    pairs = [
        ("Job", f"{metadata['name']} ({metadata['uid']})"),
        ("Ran", ran),
        ("Times", ", ".join(f"{label} {ages.precise(metrics[key])}" for label, key in times if key in metrics)),
        ("Cost", status["cost"]),
        *([("Output", output)] if output else []),
    ]
    return lines_of(pairs, width=width)


def run_object(document: Document, result: JobResult | None) -> dict[str, Any]:
    """What `qtasks run -o json` prints; without a result, the reason and the message say why."""
    metadata, status = document["metadata"], document["status"]
    plain: dict[str, Any] = {
        "job_id": metadata["uid"],
        "name": metadata["name"],
        "namespace": metadata["namespace"],
        "phase": status["phase"],
        "counts": None,
        "shots": None,
        "metrics": status.get("metrics", {}),
    }
    if result is None:
        return {**plain, "reason": status.get("reason"), "message": status.get("message")}
    from qtasks.results.formats import values

    pubs = [values(pub) for pub in result.pubs]
    return plain | (pubs[0] if len(pubs) == 1 else {"pubs": pubs})
