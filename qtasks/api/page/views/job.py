"""One job. Pure: its document, events and result in, what the template shows out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from qtasks.api.page.views import words
from qtasks.api.page.views.counts import MOST_SHOWN, Shown, shown, total
from qtasks.api.page.views.jobs import Row, row
from qtasks.api.page.views.timeline import Span, spans
from qtasks.lifecycle import FINAL, Phase
from qtasks.results import JobResult

Document = Mapping[str, Any]
Pair = tuple[str, str]

_CIRCUIT = (
    ("Qubits", "qubits"),
    ("Classical bits", "clbits"),
    ("Depth", "depth"),
    ("Gates", "size"),
    ("Two-qubit gates", "twoQubitGates"),
    ("Measurements", "measurements"),
    ("Fingerprint", "hash"),
)
_METRICS = (
    ("Transpiled depth", "transpiled_depth"),
    ("Transpiled gates", "transpiled_gates"),
    ("Two-qubit gates", "two_qubit_gates"),
    ("Method", "method"),
    ("Simulator seed", "seed_simulator"),
    ("Threads", "threads"),
)
_MEASURED = (
    ("Queued", "queue_seconds"),
    ("Transpiled in", "transpile_seconds"),
    ("Ran for", "run_seconds"),
    ("In all", "total_seconds"),
)
_LONGEST_CODE = 20_000


@dataclass(frozen=True, slots=True)
class Condition:
    type: str
    status: str
    reason: str
    message: str
    changed: words.Moment | None


@dataclass(frozen=True, slots=True)
class Attempt:
    number: int
    outcome: str
    backend: str
    provider_id: str
    worker: str
    length: str
    message: str


@dataclass(frozen=True, slots=True)
class Event:
    number: int
    warning: bool
    reason: str
    message: str
    time: words.Moment | None
    source: str


@dataclass(frozen=True, slots=True)
class JobView:
    """All that the page of one job says."""

    head: Row
    final: bool
    message: str
    facts: tuple[Pair, ...]
    spans: tuple[Span, ...]
    finished: words.Moment | None
    conditions: tuple[Condition, ...]
    attempts: tuple[Attempt, ...]
    events: tuple[Event, ...]
    circuit: tuple[Pair, ...]
    code: str
    code_is: str
    cost: tuple[Pair, ...]
    provider: tuple[Pair, ...]
    results: tuple[Shown, ...] = ()
    unshown: int = 0
    """PUBs and points of PUBs that are not shown."""
    provenance: tuple[Pair, ...] = field(default=())


def view(document: Document, events: Sequence[Document], result: JobResult | None, now: datetime) -> JobView:
    """`result` None: there is none, or it cannot be read."""
    status = document["status"]
    results = tuple(islice(shown(result), MOST_SHOWN)) if result is not None else ()
    code, code_is = _code(document["spec"]["circuit"])
    return JobView(
        head=row(document, now),
        final=status["phase"] in FINAL,
        message=str(status.get("message") or ""),
        facts=tuple(_facts(document, now)),
        spans=tuple(spans(document, events, now)),
        finished=words.moment(status.get("completionTime"), now) if status["phase"] in FINAL else None,
        conditions=tuple(_condition(one, now) for one in status["conditions"]),
        attempts=tuple(_attempt(one) for one in status.get("attempts", ())),
        events=tuple(_event(one, now) for one in events),
        circuit=tuple(_circuit(document)),
        code=code,
        code_is=code_is,
        cost=tuple(_cost(document)),
        provider=tuple(_provider(status.get("provider", {}), now)),
        results=results,
        unshown=0 if result is None else total(result) - len(results),
        provenance=tuple(_provenance(result)) if result is not None else (),
    )


def _facts(document: Document, now: datetime) -> list[Pair]:
    status, metrics = document["status"], document["status"].get("metrics", {})
    queue, retry = status.get("queue", {}), status.get("retry", {}).get("notBefore")
    found: list[Pair] = []
    if "position" in queue:
        found.append(("Place in the queue", f"{queue['position']} ({queue['of']})"))
    if "estimatedStart" in queue:
        found.append(("Expected to start", _when(queue["estimatedStart"], now)))
    if retry:
        found.append(("Tried again", _when(retry, now)))
    found += [(label, words.precise(metrics[key])) for label, key in _MEASURED if metrics.get(key) is not None]
    return found + [(label, str(metrics[key])) for label, key in _METRICS if metrics.get(key) is not None]


def _when(timestamp: str, now: datetime) -> str:
    found = words.moment(timestamp, now)
    return "" if found is None else f"{found.text} ({found.distance})"


def _condition(known: Mapping[str, Any], now: datetime) -> Condition:
    changed = words.moment(known["lastTransitionTime"], now)
    return Condition(known["type"], known["status"], known["reason"], known["message"], changed)


def _attempt(known: Mapping[str, Any]) -> Attempt:
    length = words.NOTHING
    if "completionTime" in known:
        length = words.precise(max(0.0, words.between(known["startTime"], known["completionTime"])))
    return Attempt(
        known["attempt"],
        known.get("outcome", Phase.RUNNING.value),
        known.get("backend", words.NOTHING),
        known.get("providerJobId") or "",
        known.get("worker") or words.NOTHING,
        length,
        known.get("message") or "",
    )


def _event(past: Mapping[str, Any], now: datetime) -> Event:
    when = words.moment(past["time"], now)
    return Event(past["id"], past["type"] == "Warning", past["reason"], past["message"], when, past["source"] or "")


def _circuit(document: Document) -> list[Pair]:
    written, known = document["spec"]["circuit"], document["status"].get("circuit", {})
    source = document["status"].get("source", {})
    said = " ".join(filter(None, (written["source"], known.get("format") or written.get("format"))))
    return [
        ("Source", said),
        *((label, str(source[key])) for label, key in (("Origin", "origin"), ("Commit", "commit")) if key in source),
        *((label, str(known[key])) for label, key in _CIRCUIT if key in known),
    ]


def _code(written: Mapping[str, Any]) -> tuple[str, str]:
    """The circuit's text as it was submitted, and what it is."""
    code = written.get("code")
    if code is None:
        return "", ""
    if written.get("format") == "qpy":
        return "", f"QPY, {words.bytes_text(len(code) * 3 // 4)}"
    if len(code) > _LONGEST_CODE:
        return code[:_LONGEST_CODE], f"the first {_LONGEST_CODE:,} of {len(code):,} characters"
    return code, ""


def _cost(document: Document) -> list[Pair]:
    asked, known = document["spec"].get("budget", {}), document["status"].get("budget", {})
    limits = (("Most it may cost", "maxCost"), ("Cost centre", "costCenter"))
    texts = (("Estimated", "estimatedCost"), ("Reserved", "reserved"), ("Price", "price"))
    return [
        ("Cost", str(document["status"]["cost"])),
        *((label, str(asked[key])) for label, key in limits if asked.get(key) is not None),
        *((label, str(known[key])) for label, key in texts if key in known),
    ]


def _provider(known: Mapping[str, Any], now: datetime) -> list[Pair]:
    texts = (
        ("Provider", "type"),
        ("Account", "account"),
        ("Device", "device"),
        ("Provider’s job", "jobId"),
        ("State there", "state"),
        ("Place in its queue", "queuePosition"),
        ("Session", "session"),
    )
    moments = (
        ("Submitted there", "submittedAt"),
        ("Expected to start", "estimatedStart"),
        ("Running since", "runningAt"),
        ("Finished", "finishedAt"),
    )
    times = (("Quantum time", "quantumSeconds"), ("Quantum time expected", "estimatedQuantumSeconds"))
    rest = (("Cost there", "cost"), ("Price", "price"), ("Calibration", "calibration"))
    return [
        *((label, str(known[key])) for label, key in texts if key in known),
        *((label, _when(known[key], now)) for label, key in moments if key in known),
        *((label, words.quantum(known[key])) for label, key in times if key in known),
        *((label, str(known[key])) for label, key in rest if key in known),
    ]


def _provenance(result: JobResult) -> list[Pair]:
    """Every field that is known, by its name in the result."""
    return [(name, _plain(value)) for name, value in result.provenance.to_dict().items() if value is not None]


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {one}" for key, one in value.items())
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
