"""The list of jobs and its filters. Pure: documents and query parameters in, what the template shows out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from qtasks.api.page.views import words
from qtasks.client.gateway import Query
from qtasks.errors import InvalidInput
from qtasks.lifecycle import Phase
from qtasks.resources import BackendType, Execution, JobBackend, Priority

Document = Mapping[str, Any]

PHASES = tuple(phase.value for phase in Phase)
PRIORITIES = tuple(priority.value for priority in reversed(Priority))
BACKENDS = tuple(kind.value for kind in BackendType)
PER_PAGE = 50
LOOKED_AT = 1000
"""Jobs that one page looks at for a text."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What the form above the list says; empty: anything."""

    phase: str = ""
    labels: str = ""
    namespace: str = ""
    backend: str = ""
    priority: str = ""
    text: str = ""
    before: str = ""

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> Filters:
        return cls(**{field.name: parameters.get(field.name, "").strip() for field in fields(cls)})

    @property
    def chosen(self) -> bool:
        return any(getattr(self, field.name) for field in fields(self) if field.name != "before")

    def query(self, before: str | None, limit: int) -> Query:
        """What is asked of the gateway. Raises InvalidInput (`UnknownPhase`)."""
        if self.phase and self.phase not in PHASES:
            raise InvalidInput(
                f"There is no phase {self.phase}.", reason="UnknownPhase", hint=f"One of: {', '.join(PHASES)}."
            )
        return Query(
            namespace=self.namespace or None,
            phase=Phase(self.phase) if self.phase else None,
            labels=self.labels or None,
            backend=self.backend or None,
            priority=self.priority or None,
            before=before,
            limit=limit,
        )

    def link(self, before: str = "") -> str:
        """The address of the page with these filters that begins after the job `before`."""
        given = {field.name: getattr(self, field.name) for field in fields(self)} | {"before": before}
        said = urlencode({name: value for name, value in given.items() if value})
        return f"/?{said}" if said else "/"


@dataclass(frozen=True, slots=True)
class Row:
    """One job of the list."""

    id: str
    name: str
    namespace: str
    phase: str
    reason: str
    backend: str
    priority: str
    shots: str
    cost: str
    labels: tuple[str, ...]
    submitted: words.Moment
    length: str
    """How long the latest attempt took, or takes by now."""


def row(document: Document, now: datetime) -> Row:
    metadata, status = document["metadata"], document["status"]
    submitted = words.moment(metadata["creationTimestamp"], now)
    assert submitted is not None, "every job was submitted"
    phase = str(status["phase"])
    return Row(
        id=metadata["uid"],
        name=metadata["name"],
        namespace=metadata["namespace"],
        phase=phase,
        reason=str(status.get("reason") or "") if status.get("reason") != phase else "",
        backend=backend(document),
        priority=priority(document),
        shots=f"{shots(document):,}",
        cost=str(status["cost"]),
        labels=tuple(f"{key}={value}" for key, value in metadata.get("labels", {}).items()),
        submitted=submitted,
        length=_length(status, now),
    )


def backend(document: Document) -> str:
    """Where the job runs or, before that is known, where it was meant to."""
    asked = document["spec"].get("backend", {}).get("type", JobBackend().type.value)
    return str(document["status"].get("backend", asked))


def priority(document: Document) -> str:
    return str(_execution(document).get("priority", Priority.NORMAL.value))


def shots(document: Document) -> int:
    return int(_execution(document).get("shots", _DEFAULT_SHOTS))


_DEFAULT_SHOTS = Execution().shots


def _execution(document: Document) -> Mapping[str, Any]:
    found: Mapping[str, Any] = document["spec"].get("execution", {})
    return found


def _length(status: Mapping[str, Any], now: datetime) -> str:
    if "startTime" not in status:
        return words.NOTHING
    end = status.get("completionTime")
    if end is None:
        return words.human((now - datetime.fromisoformat(status["startTime"])).total_seconds())
    return words.precise(max(0.0, words.between(status["startTime"], end)))


def has(text: str, document: Document) -> bool:
    """Whether the text, whatever its case, occurs in the job's name, namespace, id, labels, reason or provider's id."""
    metadata, status = document["metadata"], document["status"]
    said = [metadata["name"], metadata["namespace"], metadata["uid"], status.get("reason") or ""]
    said += [f"{key}={value}" for key, value in metadata.get("labels", {}).items()]
    said.append(str(status.get("provider", {}).get("jobId", "")))
    return any(text.casefold() in one.casefold() for one in said)
