"""A way to the queue, as `Client`, the REST API and the page speak through it: plain data in, plain data out.

Members: `direct.Direct` on database, broker and object store, where every method passes the guard; `rest.Rest` over
HTTP, where the server's `Direct` does. Both raise the same errors with the same reasons.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from qtasks.client.collected import Collected
from qtasks.client.submission import Submission
from qtasks.lifecycle import Phase
from qtasks.resources import Resource
from qtasks.results import JobResult

Document = dict[str, Any]
"""`{apiVersion, kind, metadata, spec, status}`, plain JSON data."""


class Kept(StrEnum):
    """What is kept beside jobs, by the word that the command line and REST have for it."""

    BUDGETS = "budgets"
    SESSIONS = "sessions"
    BACKENDS = "backends"


@dataclass(frozen=True, slots=True)
class Handle:
    """By what a job is found again."""

    id: str
    name: str
    namespace: str
    created: bool = False
    """Whether this call made the job; False when its name or idempotency key was there already."""


@dataclass(frozen=True, slots=True)
class Query:
    """Which jobs a list is of."""

    namespace: str | None = "default"
    """None: all that the caller may see."""
    phase: Phase | None = None
    labels: str | None = None
    """A selector such as `algorithm=grover,team!=ops`."""
    backend: str | None = None
    """What `status.backend` is: `local_simulator`, or a device's name."""
    priority: str | None = None
    since: datetime | None = None
    """Submitted then or later."""
    before: str | None = None
    """The id of the job after which a page goes on; the newest come first."""
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of asking pollers to look."""

    unanswered: tuple[str, ...]
    """The accounts that no poller has looked at in time."""
    trouble: Mapping[str, tuple[str, str]]
    """Reason and message of accounts whose provider did not answer as it should."""


class Gateway(Protocol):
    """All that can be asked of a qtasks.

    `namespace` None in a list: of all namespaces that the caller may see. Raises Forbidden, NotFound and Unavailable
    where it says nothing else; whatever a caller may not know of is NotFound.
    """

    def close(self) -> None:
        """Close what was opened; jobs go on."""
        ...

    def submit(
        self, submissions: Sequence[Submission], namespace: str, keys: Sequence[str | None], *, strict: bool = False
    ) -> list[Handle]:
        """Submit jobs, all or none; `namespace` is for those that name none, or, with `strict`, for all. `keys`: their
        idempotency keys. Raises InvalidInput, Conflict (`JobExists`), Forbidden."""
        ...

    def find(self, what: str, namespace: str) -> Handle:
        """The job of this id, of this name in `namespace`, or whose provider gave it this id (`JobNotFound`)."""
        ...

    def jobs(self, query: Query) -> list[Document]:
        """Jobs, the newest first, with their conditions and without their circuits."""
        ...

    def queues(self, ids: Sequence[str]) -> dict[str, Document]:
        """Of those of the jobs that wait: `status.queue`, their place and estimated start, by id."""
        ...

    def describe(self, job_id: str, *, queues: bool = False) -> Document:
        """One job, complete: circuit, conditions and attempts; with `queues` also `status.queue`."""
        ...

    def phases(self, ids: Sequence[str]) -> dict[str, Phase]:
        """The phase of each job (`JobNotFound` for one that is not there)."""
        ...

    def wait(
        self,
        ids: Collection[str],
        *,
        timeout: float | None,
        seen: Callable[[str, Phase], None] = lambda _id, _phase: None,
    ) -> set[str]:
        """Wait until all are final, at most `timeout` seconds; returns those that are not. `seen` is told of each phase
        that is heard of, some of them more than once."""
        ...

    def cancel(self, ids: Sequence[str]) -> list[str]:
        """Cancel those that are not final; returns them."""
        ...

    def delete_job(self, job_id: str) -> None:
        """Delete a job with its circuit, events and result, cancelling it first where it goes on; what it cost stays in
        the books. Raises Conflict (`JobNotSettled`) while its provider has not said what it costs."""
        ...

    def redeliver(self, job_id: str) -> None:
        """Have the result of a Completed job delivered to its `spec.output` again. Raises Conflict (`JobNotCompleted`),
        InvalidInput (`NoOutput`), NotFound (`ResultExpired`)."""
        ...

    def result(self, job_id: str) -> JobResult:
        """The result of a Completed job. Raises JobFailed (the job's own reason; `details`: job_id, phase) for one that
        ended otherwise, Conflict (`JobNotFinal`) for one that goes on, NotFound (`ResultExpired`) for one whose result
        is kept no longer, QTasksError (`ResultCorrupt`)."""
        ...

    def events(self, job_id: str, *, after: int = 0) -> list[Document]:
        """What happened to a job since event number `after`, the oldest first: `{id, time, type, reason, message,
        attempt, source}`."""
        ...

    def explain(self, job_id: str) -> Document:
        """Why a job runs where it does (`NothingChosen`)."""
        ...

    def estimate(self, submissions: Sequence[Submission], namespace: str, *, strict: bool = False) -> list[Document]:
        """What `submit` would choose for each, with cost and time; nothing is submitted. Raises InvalidInput
        (`SourceMustRun`)."""
        ...

    def accuracy(self, namespace: str) -> Document:
        """How wrong past estimates of starts were."""
        ...

    def collect(self, entries: Sequence[Mapping[str, Any]] | None, namespace: str) -> list[Collected | None]:
        """What became of the jobs that lines of a jobs file are about (`qtasks_job_id`, or `job_id`, of here or of the
        provider); None for one that there is not. Without `entries`: of every job of the namespace that is or was at a
        provider, the oldest first."""
        ...

    def look(self, ids: Sequence[str], *, seconds: float) -> Looked:
        """Have pollers look at the accounts of these jobs now, and wait at most so long until they have."""
        ...

    def apply(self, kind: Kept, resource: Resource, namespace: str | None) -> str:
        """Keep a resource: `created`, `unchanged` or `configured`. `namespace` None: the resource's own, or
        `default`. Raises InvalidInput, Conflict (`SessionExists`, `SessionClosing`)."""
        ...

    def listing(self, kind: Kept, namespace: str | None) -> list[Document]: ...

    def kept(self, kind: Kept, name: str, namespace: str) -> list[Document]:
        """What has this name: one, or, of backends, one for each account."""
        ...

    def delete(self, kind: Kept, name: str, namespace: str) -> Document:
        """Keep it no longer; returns what it was (of a backend an empty document)."""
        ...

    def accounts(self, namespace: str | None) -> list[Document]:
        """The accounts that the namespace's jobs may run under and how each stands, quantum time in seconds."""
        ...

    def costs(
        self, by: str, *, since: datetime | None, until: datetime | None, namespace: str | None
    ) -> list[Document]:
        """What jobs cost, as `Client.costs` has it: amounts are `Decimal` US dollars."""
        ...

    def discrepancies(self) -> list[str]:
        """Where the books of charges do not agree, a sentence each."""
        ...

    def whoami(self) -> Mapping[str, Any]:
        """Who asks: `{name, principal: bool, bindings: [{namespace, role, urgent}]}`."""
        ...
