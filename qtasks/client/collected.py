"""What a job says in the fourth seed's words: its state in a word, its line, its entry in the results. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qtasks.client.jobs_file import FIELDS, Entry, Status
from qtasks.client.provider import dollars
from qtasks.lifecycle import Phase
from qtasks.results import JobResult, timestamp

_STATUSES = {Phase.COMPLETED: Status.COMPLETED, Phase.FAILED: Status.FAILED, Phase.CANCELLED: Status.CANCELLED}
_WORDS = {
    Status.COMPLETED: "DONE",
    Status.FAILED: "ERROR",
    Status.CANCELLED: "CANCELLED",
    Status.ERROR: "ERROR",
    Status.SUBMITTED: "QUEUED",
}
_OWN = ("qtasks_job_id", "name", "namespace", "account")
# What is known of a job when it is collected is newer than its line; these were the submitter's words.
_KEPT = ("experiment_type", "logical_state", "submission_time", "shots", "git_commit")


def status_of(row: Any) -> Status:
    return _STATUSES.get(Phase(row.phase), Status.SUBMITTED)


@dataclass(frozen=True, slots=True)
class Collected:
    """A job when it was looked at, as plain JSON data."""

    id: str
    name: str
    namespace: str
    at_provider: bool
    """Whether its provider has it and it is not final."""
    running: bool
    """Whether it runs, there or here; what waits, or for a retry, does not."""
    line: Entry
    quantum_seconds: float | None
    cost: str
    """In US dollars, as "$1.60"."""


def collected_of(row: Any, accounts: Sequence[str]) -> Collected:
    """The job of a row (see `store.jobs.get_all`). `accounts`: the names in the order of QTASKS_CONFIG."""
    return Collected(
        id=row.id,
        name=row.name,
        namespace=row.namespace,
        at_provider=not Phase(row.phase).final and row.account is not None and row.provider_job_id is not None,
        running=row.phase == Phase.RUNNING and (row.account is None or row.provider_state == "running"),
        line=line_of(row, accounts),
        quantum_seconds=row.provider_quantum_seconds,
        cost=dollars(row.cost_micros),
    )


def word(status: Status, *, running: bool = False) -> str:
    """How IBM would call it: QUEUED, RUNNING, DONE, ERROR or CANCELLED."""
    return "RUNNING" if running and not status.final else _WORDS[status]


def line_of(row: Any, accounts: Sequence[str]) -> Entry:
    """The line of a job; what is not known yet is null. `accounts`: the names in the order of QTASKS_CONFIG.

    `job_id` is the provider's id, and until there is one that of qtasks, which `qtasks_job_id` always has.
    """
    resource = row.resource
    asked = resource["spec"].get("backend", {})
    account = row.account or asked.get("account")
    depth, gates = _transpiled(row)
    known = {
        "job_id": row.provider_job_id or row.id,
        "experiment_type": _said(resource, "experiment-type"),
        "backend": row.provider_device or asked.get("name") or row.backend or asked.get("type", "local_simulator"),
        "logical_state": _said(resource, "logical-state"),
        "shots": row.shots,
        "circuit_hash": row.fingerprint,
        "transpiled_depth": depth,
        "transpiled_gates": gates,
        "submission_time": timestamp(row.created_at),
        "api_key_index": accounts.index(account) if account in accounts else None,
        "git_commit": row.git_commit,
        "status": status_of(row).value,
    }
    own = {"qtasks_job_id": row.id, "name": row.name, "namespace": row.namespace, "account": account}
    return {**known, **own, **_ended(row)}


def _ended(row: Any) -> Entry:
    """When it ended, at its provider where it was there; and, in the provider's words, why it has no result."""
    status = status_of(row)
    if not status.final or row.finished_at is None:
        return {}
    ended: Entry = {"completion_time": timestamp(row.provider_finished_at or row.finished_at)}
    return ended if status is Status.COMPLETED else {"error": row.message, **ended}


def _said(resource: Mapping[str, Any], key: str) -> str | None:
    """A label or an annotation: a state such as "+" cannot be a label's value."""
    metadata = resource.get("metadata", {})
    found = metadata.get("labels", {}).get(key, metadata.get("annotations", {}).get(key))
    return None if found is None else str(found)


def _transpiled(row: Any) -> tuple[int | None, int | None]:
    metrics, compiled = row.metrics or {}, row.provider_compiled or {}
    gates = compiled.get("gates")
    number = None if gates is None else sum(count for name, count in gates.items() if name != "barrier")
    return metrics.get("transpiled_depth", compiled.get("depth")), metrics.get("transpiled_gates", number)


def merged(entry: Entry, line: Entry) -> Entry:
    """A line of a file, brought up to date by what is known: what the submitter wrote stays, and nothing known becomes
    null."""
    news = {
        name: value
        for name, value in line.items()
        if value is not None and not (name in _KEPT and entry.get(name) is not None)
    }
    return _ordered({**dict.fromkeys(FIELDS), **entry, **news})


def _ordered(entry: Entry) -> Entry:
    first = [name for name in (*FIELDS, *_OWN) if name in entry]
    return {name: entry[name] for name in (*first, *(name for name in entry if name not in first))}


def entry_of(entry: Entry, job: Collected | None, result: JobResult | None) -> Entry:
    """A job in the results: its line, then error, completion time, counts, usage and provenance. What does not apply is
    null, as are the counts of a job of several circuits. Counts have Qiskit's keys, quantum time is in seconds, cost in
    US dollars as "$1.60"."""
    counts = None if result is None else result.summary()
    return {
        **entry,
        "error": entry.get("error"),
        "completion_time": entry.get("completion_time"),
        "counts": None if counts is None else dict(sorted(counts.items())),
        "quantum_seconds": None if job is None else job.quantum_seconds,
        "cost": None if job is None else job.cost,
        "provenance": None if result is None else result.provenance.to_dict(),
    }


def document(jobs: Sequence[Entry]) -> dict[str, Any]:
    """All of a collection: how many of each status, then the jobs. The same jobs give the same document."""
    number = {status: sum(job["status"] == status for job in jobs) for status in Status}
    pending = number.pop(Status.SUBMITTED)
    summary = {"total": len(jobs), **{status.value: count for status, count in number.items()}, "pending": pending}
    return {"summary": summary, "jobs": list(jobs)}
