"""The text of `qtasks describe`, in kubectl's layout. Pure: a document and its events in, text out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.text import Text

from qtasks.cli import ages
from qtasks.cli.account_table import quantum
from qtasks.cli.job_table import NOTHING, backend, phase, priority, shots
from qtasks.cli.table import lines_of, table
from qtasks.results.histogram import histogram

Document = Mapping[str, Any]

WIDEST_HISTOGRAM = 100
_CIRCUIT = (
    ("Qubits", "qubits"),
    ("Classical bits", "clbits"),
    ("Depth", "depth"),
    ("Gates", "size"),
    ("Two-qubit gates", "twoQubitGates"),
    ("Hash", "hash"),
)


def description(
    document: Document, events: Sequence[Mapping[str, Any]], *, now: datetime, width: int | None = None
) -> Text:
    """All that is known of a job, for a person; long sentences go on in further lines within `width`."""
    return Text("\n").join(_sections(document, events, now, width))


def _sections(
    document: Document, events: Sequence[Mapping[str, Any]], now: datetime, width: int | None
) -> Iterator[Text]:
    status = document["status"]
    yield lines_of(_head(document), width=width)
    yield from _section("Circuit", _circuit(document), width)
    yield from _section("Queue", _queue(status.get("queue", {}), now), width)
    yield from _section("Budget", _budget(document), width)
    yield from _section("Provider", _provider(status.get("provider", {}), now), width)
    yield from _section("Times", _times(document, now), width)
    yield from _section("Transpiled", _metrics(status.get("metrics", {})), width)
    if status.get("attempts"):
        rows = [_attempt(attempt) for attempt in status["attempts"]]
        titles = ["#", "OUTCOME", "BACKEND", "PROVIDER-ID", "DURATION", "WORKER", "MESSAGE"]
        if "provider" not in status:
            titles, rows = titles[:3] + titles[4:], [row[:3] + row[4:] for row in rows]
        yield Text("Attempts:", style="bold")
        yield table(titles, rows, width=width, least={"WORKER": 12, "BACKEND": 15}, wrap=True, indent=2)
    if status["conditions"]:
        rows = [_condition(known, now) for known in status["conditions"]]
        yield Text("Conditions:", style="bold")
        yield table(("TYPE", "STATUS", "REASON", "AGE", "MESSAGE"), rows, width=width, wrap=True, indent=2)
    if "counts" in status:
        yield Text("Counts:", style="bold")
        drawn = histogram(status["counts"], width=min(width or 80, WIDEST_HISTOGRAM) - 2, rows=8)
        yield Text("\n".join(f"  {line}".rstrip() for line in drawn.splitlines()))
    if not events:
        yield lines_of([("Events", NOTHING)])
    else:
        rows = [[past["type"], past["reason"], ages.age(past["time"], now), past["message"]] for past in events]
        yield Text("Events:", style="bold")
        yield table(("TYPE", "REASON", "AGE", "MESSAGE"), rows, width=width, wrap=True, indent=2)


def _head(document: Document) -> list[tuple[str, str]]:
    metadata, spec, status = document["metadata"], document["spec"], document["status"]
    retry = status.get("retry", {}).get("notBefore")
    return [
        ("Name", metadata["name"]),
        ("Namespace", metadata["namespace"]),
        ("ID", metadata["uid"]),
        ("Labels", _mapping(metadata.get("labels"))),
        ("Annotations", _mapping(metadata.get("annotations"))),
        ("Phase", phase(document)),
        *([("Reason", status["reason"])] if status.get("reason") not in (None, phase(document)) else []),
        *([("Message", status["message"])] if "message" in status else []),
        *([("Retry after", retry)] if retry else []),
        ("Backend", backend(document)),
        ("Priority", priority(document)),
        ("Shots", str(shots(document))),
        ("Cost", status["cost"]),
        *(
            [("Output", f"{output.get('type', 'configmap')} {output['location']}")]
            if (output := spec.get("output"))
            else []
        ),
    ]


def _circuit(document: Document) -> list[tuple[str, str]]:
    written = document["spec"]["circuit"]
    known = document["status"].get("circuit", {})
    return [
        ("Source", " ".join(filter(None, (written["source"], written.get("format"))))),
        *((label, str(known[key])) for label, key in _CIRCUIT if key in known),
    ]


def _queue(queue: Mapping[str, Any], now: datetime) -> list[tuple[str, str]]:
    """The job's place among those that wait, and when it is thought to start."""
    place = [("Position", f"{queue['position']} in the queue of {queue['of']}")] if "position" in queue else []
    if "estimatedStart" not in queue:
        return place
    by = "as its provider says" if queue["estimatedBy"] == "provider" else "as was thought when its device was chosen"
    return [*place, ("Expected to start", f"{ages.moment(queue['estimatedStart'], now)}, {by}")]


def _budget(document: Document) -> list[tuple[str, str]]:
    """What the job may cost, what it was thought to, what is reserved for it, and what its budgets say."""
    asked, known = document["spec"].get("budget", {}), document["status"].get("budget", {})
    texts = (("Estimated cost", "estimatedCost"), ("Reserved", "reserved"), ("Price", "price"))
    limits = (("Most it may cost", "maxCost"), ("Cost centre", "costCenter"))
    pairs = [
        *((label, str(asked[key])) for label, key in limits if asked.get(key) is not None),
        *((label, known[key]) for label, key in texts if key in known),
    ]
    checked = next((one for one in document["status"]["conditions"] if one["type"] == "BudgetChecked"), None)
    if checked is not None and (pairs or checked["status"] != "True"):
        pairs.append(("Checked", f"{checked['status']}: {checked['message']}"))
    return pairs


def _provider(provider: Mapping[str, Any], now: datetime) -> list[tuple[str, str]]:
    """Where the job is at its provider, how it stands there, what it used and where its circuit is kept."""
    texts = (
        ("Provider", "type"),
        ("Account", "account"),
        ("Device", "device"),
        ("Job", "jobId"),
        ("State", "state"),
        ("Queue position", "queuePosition"),
        ("Tag", "tag"),
        ("Session", "session"),
    )
    moments = (
        ("Submitted", "submittedAt"),
        ("Expected to start", "estimatedStart"),
        ("Running since", "runningAt"),
        ("Finished", "finishedAt"),
    )
    seconds = (("Quantum time", "quantumSeconds"), ("Quantum time expected", "estimatedQuantumSeconds"))
    rest = (("Cost", "cost"), ("Price", "price"), ("ISA circuit", "isaCircuit"), ("Calibration", "calibration"))
    return [
        *((label, str(provider[key])) for label, key in texts if key in provider),
        *((label, ages.moment(provider[key], now)) for label, key in moments if key in provider),
        *((label, quantum(provider[key])) for label, key in seconds if key in provider),
        *((label, provider[key]) for label, key in rest if key in provider),
    ]


def _times(document: Document, now: datetime) -> list[tuple[str, str]]:
    status = document["status"]
    metrics = status.get("metrics", {})
    moments = (
        ("Submitted", document["metadata"]["creationTimestamp"]),
        ("Started", status.get("startTime")),
        ("Finished", status.get("completionTime")),
    )
    measured = (
        ("Queued", "queue_seconds"),
        ("Transpiled", "transpile_seconds"),
        ("Ran", "run_seconds"),
        ("Total", "total_seconds"),
    )
    return [
        *((label, f"{moment} ({ages.age(moment, now)} ago)") for label, moment in moments if moment),
        *((label, ages.precise(metrics[key])) for label, key in measured if key in metrics),
    ]


def _metrics(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    shown = (
        ("Depth", "transpiled_depth"),
        ("Gates", "transpiled_gates"),
        ("Two-qubit gates", "two_qubit_gates"),
        ("Method", "method"),
        ("Simulator seed", "seed_simulator"),
    )
    return [(label, str(metrics[key])) for label, key in shown if metrics.get(key) is not None]


def _attempt(attempt: Mapping[str, Any]) -> list[str]:
    length = NOTHING
    if "completionTime" in attempt:
        length = ages.precise((ages.when(attempt["completionTime"]) - ages.when(attempt["startTime"])).total_seconds())
    return [
        str(attempt["attempt"]),
        attempt.get("outcome", "Running"),
        attempt.get("backend", NOTHING),
        attempt.get("providerJobId", NOTHING),
        length,
        attempt.get("worker", NOTHING),
        attempt.get("message", NOTHING),
    ]


def _condition(known: Mapping[str, Any], now: datetime) -> list[str]:
    age = ages.age(known["lastTransitionTime"], now)
    return [known["type"], known["status"], known["reason"], age, known["message"]]


def _section(title: str, pairs: Sequence[tuple[str, str]], width: int | None) -> Iterator[Text]:
    if pairs:
        yield Text(f"{title}:", style="bold")
        yield lines_of(pairs, indent=2, width=width)


def _mapping(values: Mapping[str, str] | None) -> str:
    return "\n".join(f"{key}={value}" for key, value in (values or {}).items()) or NOTHING
