"""The texts of `qtasks describe` for all but jobs. Pure: a document in, text out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from qtasks.cli import ages, backend_table, budget_table
from qtasks.cli.account_table import bar, limit, namespaces, quantum
from qtasks.cli.job_table import NOTHING
from qtasks.cli.table import lines_of

if TYPE_CHECKING:
    from rich.text import Text

Document = Mapping[str, Any]


def session_description(document: Document, *, now: datetime, width: int | None = None) -> Text:
    """All that is known of a session."""
    metadata, spec, status = document["metadata"], document["spec"], document["status"]
    texts = (
        ("Account", "account"),
        ("Device", "device"),
        ("Mode", "mode"),
        ("Provider session", "providerSessionId"),
        ("Message", "message"),
    )
    moments = (
        ("Opened", "openedAt"),
        ("First job started", "startedAt"),
        ("Last used", "usedAt"),
        ("Expires", "expiresAt"),
        ("Closed", "closedAt"),
        ("Deleted", "deletedAt"),
    )
    pairs = [
        ("Name", metadata["name"]),
        ("Namespace", metadata["namespace"]),
        ("Phase", status["phase"]),
        ("Backend", spec["backend"].get("type", NOTHING)),
        *((label, str(status[key])) for label, key in texts if key in status),
        ("Longest time", _longest(spec.get("maxTime"))),
        ("Jobs", f"{status['jobs']}, of them {status['openJobs']} not final"),
        ("Created", ages.moment(metadata["creationTimestamp"], now)),
        *((label, ages.moment(status[key], now)) for label, key in moments if key in status),
    ]
    return lines_of(pairs, width=width)


def _longest(written: Any) -> str:
    if written is None:
        return NOTHING
    return ages.human(written) if isinstance(written, (int, float)) else str(written)


def account_description(document: Document, *, now: datetime, width: int | None = None) -> Text:
    """All that is known of an account."""
    status = document["status"]
    pairs = [
        ("Name", document["name"]),
        ("Provider", document["provider"]),
        ("Plan", document["plan"]),
        ("Namespaces", namespaces(document)),
        ("Allowance", "no limit" if status["limit"] is None else limit(status)),
        ("Used", quantum(status["used"])),
        ("Reserved", f"{quantum(status['reserved'])} for jobs at the provider"),
        *_remaining(status),
        *([("Frees", ages.moment(status["freesAt"], now))] if status["freesAt"] else []),
        ("Jobs", f"{status['jobs']['open']} at the provider, {status['jobs']['waiting']} waiting for their turn"),
        *([("Paused until", ages.moment(status["pausedUntil"], now))] if status["pausedUntil"] else []),
        ("Last poll", ages.moment(status["polledAt"], now) if status["polledAt"] else NOTHING),
        *([("Trouble", f"{status['message']} [{status['reason']}]")] if status["reason"] else []),
    ]
    return lines_of(pairs, width=width)


def _remaining(status: Mapping[str, Any]) -> list[tuple[str, str]]:
    if status["remaining"] is None:
        return []
    share = f" {bar(min(1.0, status['remaining'] / status['limit']), 20)}" if status["limit"] else ""
    return [("Remaining", f"{quantum(status['remaining'])}{share}")]


def budget_description(document: Document, *, now: datetime, width: int | None = None) -> Text:
    """All that is known of a budget."""
    metadata, spec, status = document["metadata"], document["spec"], document["status"]
    stretch = status["period"]
    moments = (("Since", stretch["start"]), ("Until", stretch["end"]))
    texts = (("Notifies", "notificationEmail"), ("Webhook", "webhook"))
    pairs = [
        ("Name", metadata["name"]),
        ("Namespace", metadata["namespace"]),
        ("For jobs of", budget_table.selector(document)),
        ("Limit", budget_table.limit(document)),
        ("Spent", budget_table.spent(document)),
        ("Reserved", budget_table.reserved(document)),
        ("Remaining", budget_table.remaining(document)),
        ("Used", budget_table.spent_bar(document, 20)),
        ("Period", spec["period"]),
        ("Time zone", stretch["timeZone"]),
        *((label, ages.moment(moment, now)) for label, moment in moments if moment is not None),
        ("Thresholds", budget_table.thresholds(document)),
        ("Crossed", budget_table.crossed(document)),
        *((label, str(spec[key])) for label, key in texts if spec.get(key)),
        ("Waiting jobs", "\n".join(status.get("waiting", ())) or NOTHING),
        ("Created", ages.moment(metadata["creationTimestamp"], now)),
    ]
    return lines_of(pairs, width=width)


def backend_description(document: Document, *, now: datetime, width: int | None = None) -> Text:
    """All that is known of a device under one account."""
    status = document["status"]
    known = (("Qubits", "qubits"), ("Most shots", "maxShots"), ("Jobs in its queue", "pendingJobs"))
    old = " (stale: they are used, and said to be old)" if status["stale"] else ""
    pairs = [
        ("Name", document["name"]),
        ("Type", document["type"]),
        ("Account", document["account"] or NOTHING),
        ("Registered as", ", ".join(document["registeredAs"]) or NOTHING),
        ("Simulator", "yes" if status["simulator"] else "no"),
        ("State", backend_table.service(document)),
        *((label, str(status[key])) for label, key in known if status[key] is not None),
        *([] if status["dynamicCircuits"] is None else [("Dynamic", "yes" if status["dynamicCircuits"] else "no")]),
        (
            "Wait",
            status["waitIs"]
            if status["waitSeconds"] is None
            else f"{backend_table.wait(document)}, {status['waitIs']}",
        ),
        ("Mean error", backend_table.error(document)),
        ("Calibration", status["calibration"] or NOTHING),
        *([("Queue as of", f"{ages.moment(status['queueAt'], now)}{old}")] if status["queueAt"] else []),
        *([("Device as of", ages.moment(status["refreshedAt"], now))] if status["refreshedAt"] else []),
        *([("Past estimates", past_estimates(status["estimates"]))] if "estimates" in status else []),
        *([("Message", status["message"])] if status["message"] else []),
    ]
    return lines_of(pairs, width=width)


def past_estimates(accuracy: Mapping[str, Any]) -> str:
    """How wrong estimates of starts were, in a sentence."""
    if not accuracy["jobs"]:
        return "none to compare with: no job whose start was estimated has started yet"
    bias = accuracy["medianBiasSeconds"]
    sense = "as estimated" if abs(bias) < 1 else f"{ages.human(abs(bias))} {'later' if bias > 0 else 'earlier'}"
    count = f"{accuracy['jobs']} job{'s' if accuracy['jobs'] > 1 else ''}"
    return f"of {count}, half started within {ages.human(accuracy['medianErrorSeconds'])} of it; typically {sense}"
