"""What `kubectl get` shows of each kind: the columns of `qtasks get`, those of `-o wide` with priority 1. Pure."""

from __future__ import annotations

from typing import Any

Column = dict[str, Any]


def _column(name: str, path: str, kind: str = "string", *, wide: bool = False, description: str = "") -> Column:
    column: Column = {"name": name, "type": kind, "jsonPath": path}
    if description:
        column["description"] = description
    if wide:
        column["priority"] = 1
    return column


_AGE = _column("Age", ".metadata.creationTimestamp", "date")
_ACCEPTED = _column(
    "Accepted",
    '.status.conditions[?(@.type=="Accepted")].status',
    description="Whether qtasks has taken the latest spec.",
)

JOB = [
    _column("Phase", ".status.phase", description="How far the job is."),
    _column("Backend", ".status.backend", description="Where it runs."),
    _column("Priority", ".status.priority"),
    _column("Shots", ".status.shots", "integer"),
    _column("Cost", ".status.cost", description="US dollars so far."),
    _AGE,
    _column("Position", ".status.queue.position", "integer", wide=True, description="Its place among those waiting."),
    _column("Account", ".status.provider.account", wide=True),
    _column("Device", ".status.provider.device", wide=True),
    _column("Provider-ID", ".status.provider.jobId", wide=True),
    _column("State", ".status.provider.state", wide=True, description="What the provider calls it."),
    _column("ID", ".status.jobId", wide=True, description="The job's id in qtasks."),
    _column("Attempt", ".status.attempt", "integer", wide=True),
    _column("Started", ".status.startTime", "date", wide=True),
    _column("Ended", ".status.completionTime", "date", wide=True),
    _column("Output", ".spec.output.location", wide=True, description="Where a copy of the result is written."),
    _column("Message", ".status.message", wide=True),
]

BUDGET = [
    _column("Limit", ".status.limit"),
    _column("Spent", ".status.spent"),
    _column("Reserved", ".status.reserved"),
    _column("Used", ".status.percent", "number", description="Per cent of the limit that is nearer."),
    _column("Period", ".spec.period"),
    _ACCEPTED,
    _AGE,
    _column("Remaining", ".status.remaining", wide=True),
    _column("Quantum-Used", ".status.quantumSeconds.used", "number", wide=True, description="Seconds."),
    _column("Resets", ".status.period.end", wide=True),
    _column("Thresholds", ".status.thresholdsCrossed", wide=True, description="Those that were crossed."),
]

SESSION = [
    _column("Phase", ".status.phase"),
    _column("Mode", ".status.mode"),
    _column("Account", ".status.account"),
    _column("Device", ".status.device"),
    _column("Open-Jobs", ".status.openJobs", "integer"),
    _column("Expires", ".status.expiresAt"),
    _AGE,
    _column("Jobs", ".status.jobs", "integer", wide=True),
    _column("Provider-Session", ".status.providerSessionId", wide=True),
    _column("Message", ".status.message", wide=True),
]

BACKEND = [
    _column("Type", ".spec.type"),
    _column("Account", ".status.account"),
    _column("Qubits", ".status.qubits", "integer"),
    _column("State", ".status.state"),
    _column("Pending", ".status.pendingJobs", "integer"),
    _column("Wait", ".status.waitSeconds", "number", description="Seconds."),
    _AGE,
    _column("Error", ".status.meanError", "number", wide=True, description="Mean two-qubit gate error."),
    _column("Device", ".status.device", wide=True),
    _column("Stale", ".status.stale", "boolean", wide=True, description="Whether the figures of its queue are old."),
    _column("Message", ".status.message", wide=True),
]
