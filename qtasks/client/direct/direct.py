"""The gateway to an installation that this process can reach itself; every method passes the guard."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from pydantic import SecretStr

from qtasks.access import Verb
from qtasks.client import accounts, budgets, sessions
from qtasks.client.admission import Admission
from qtasks.client.collected import Collected
from qtasks.client.direct import collecting, looking
from qtasks.client.direct.installation import Installation
from qtasks.client.direct.submitting import Submitting
from qtasks.client.document import event
from qtasks.client.gateway import Document, Handle, Kept, Looked, Query
from qtasks.client.guard import Guard
from qtasks.client.principals import Principals
from qtasks.client.submission import Submission
from qtasks.errors import InvalidInput
from qtasks.lifecycle import Phase
from qtasks.notify import PATIENCE_SECONDS
from qtasks.objects import keys
from qtasks.resources import QiskitBackend, QiskitBudget, QiskitSession, Resource
from qtasks.results import JobResult, decode
from qtasks.store import accounts as account_rows
from qtasks.store import decisions, jobs, outputs, records, removal


class Direct:
    """A `Gateway` for one caller of an installation; safe to share between threads."""

    def __init__(self, installation: Installation, guard: Guard) -> None:
        self.installation = installation
        self.guard = guard
        self.store = installation.store
        self.settings = installation.settings
        self._submitting = Submitting(installation, Admission(guard))

    @classmethod
    def of(cls, installation: Installation, token: str | None) -> Direct:
        """For whoever has this token; without one for the local user, of an embedded or a fresh installation. A token
        that is not good is refused when something is asked (`TokenInvalid`, …)."""
        given = SecretStr(token) if token else None
        return cls(
            installation, Guard(installation.store, installation.settings.model_copy(update={"api_token": given}))
        )

    def close(self) -> None:
        """Nothing: the installation may have other callers."""

    @cached_property
    def principals(self) -> Principals:
        """Who may use this installation, and what was decided."""
        return Principals(self.guard)

    def whoami(self) -> Mapping[str, Any]:
        found = self.principals.whoami()
        return {name: found[name] for name in ("name", "principal", "bindings")}

    def submit(
        self, submissions: Sequence[Submission], namespace: str, keys: Sequence[str | None], *, strict: bool = False
    ) -> list[Handle]:
        source = self.guard.source(_who())
        return self._submitting.submit(submissions, namespace, keys, strict=strict, source=source)

    def find(self, what: str, namespace: str) -> Handle:
        return looking.find(self, what, namespace)

    def jobs(self, query: Query) -> list[Document]:
        return looking.listing(self, query)

    def queues(self, ids: Sequence[str]) -> dict[str, Document]:
        return looking.queues(self, ids)

    def describe(self, job_id: str, *, queues: bool = False) -> Document:
        return looking.describe(self, job_id, queues=queues)

    def phases(self, ids: Sequence[str]) -> dict[str, Phase]:
        self.guard.jobs(Verb.GET, ids)
        return looking.phases(self, ids)

    def wait(
        self,
        ids: Collection[str],
        *,
        timeout: float | None,
        seen: Callable[[str, Phase], None] = lambda _id, _phase: None,
    ) -> set[str]:
        # A database that restarts just now is no reason to stop waiting, as it is none later on.
        patience = PATIENCE_SECONDS if timeout is None else min(timeout, PATIENCE_SECONDS)
        self.store.bear(lambda: self.guard.jobs(Verb.GET, ids), seconds=patience)
        asked = lambda waiting: looking.phases(self, waiting)  # noqa: E731
        return self.installation.waiter.wait(ids, asked, timeout=timeout, seen=seen)

    def cancel(self, ids: Sequence[str]) -> list[str]:
        """Raises Forbidden for jobs of others, unless the caller is an operator."""
        self.guard.jobs(Verb.CANCEL, ids)
        source = self.guard.source(_who())
        # Two writers of many rows may meet head-on; the database then asks one of them to come again.
        ended, woken = self.store.insist(lambda tx: _cancelled(tx, ids, source), seconds=10)
        if woken:
            self.installation.hint_pollers()
        self.installation.notifier.tell(dict.fromkeys(ended, Phase.CANCELLED))
        return ended

    def delete_job(self, job_id: str) -> None:
        """Raises Forbidden for jobs of others, unless the caller is an operator."""
        looking.row_of(self, job_id)
        self.guard.jobs(Verb.DELETE, [job_id])
        self.cancel([job_id])
        with self.store.begin() as tx:
            removed = removal.remove(tx, job_id)
        # Rows first: a Completed row always points at bytes that exist.
        objects = self.installation.objects
        for start in (keys.pending, keys.completed):
            for key in list(objects.list(start(removed.namespace, removed.job_id))):
                objects.delete(key)
        if removed.shared is not None:
            objects.delete(removed.shared)

    def redeliver(self, job_id: str) -> None:
        """Raises Forbidden for jobs of others, unless the caller is an operator."""
        row = looking.row_of(self, job_id)
        self.guard.jobs(Verb.REDELIVER, [job_id])
        looking.require_kept(row)
        source = self.guard.source(_who())
        with self.store.begin() as tx:
            outputs.again(tx, job_id, source=source)

    def result(self, job_id: str) -> JobResult:
        return decode(looking.stored_result(self, job_id))

    def stored_result(self, job_id: str) -> bytes:
        """The result as it is stored (`results.decode` reads it); raises what `result` does."""
        return looking.stored_result(self, job_id)

    def events(self, job_id: str, *, after: int = 0) -> list[Document]:
        self.guard.jobs(Verb.LOGS, [job_id])
        with self.store.read() as tx:
            found = [{"id": number, **event(past)} for number, past in records.events_of(tx, job_id, after=after)]
        if not found:
            looking.row_of(self, job_id, Verb.LOGS)  # a job that is there may have no news; another has none ever
        return found

    def explain(self, job_id: str) -> Document:
        from qtasks.client.explaining import explain

        return explain(self, looking.row_of(self, job_id).id)

    def estimate(self, submissions: Sequence[Submission], namespace: str, *, strict: bool = False) -> list[Document]:
        from qtasks.client.explaining import estimate

        spaces = [namespace if strict else each.template.namespace or namespace for each in submissions]
        for where in sorted(set(spaces)):
            self.guard.may(Verb.ESTIMATE, where)
        return [estimate(self, each, where) for each, where in zip(submissions, spaces, strict=True)]

    def accuracy(self, namespace: str) -> Document:
        from qtasks.client.backends import accuracy_document

        self.guard.may(Verb.LIST, namespace)
        with self.store.read() as tx:
            return accuracy_document(decisions.accuracy(tx, namespace=namespace))

    def collect(self, entries: Sequence[Mapping[str, Any]] | None, namespace: str) -> list[Collected | None]:
        return collecting.collect(self, entries, namespace)

    def look(self, ids: Sequence[str], *, seconds: float) -> Looked:
        return collecting.look(self, ids, seconds=seconds)

    def apply(self, kind: Kept, resource: Resource, namespace: str | None) -> str:
        from qtasks.client.backends import apply_backend

        match kind, resource:
            case Kept.BUDGETS, QiskitBudget():
                return budgets.apply_budget(self, resource, namespace)
            case Kept.SESSIONS, QiskitSession():
                return sessions.apply_session(self, resource, namespace)
            case Kept.BACKENDS, QiskitBackend():
                return apply_backend(self, resource, namespace)
        raise InvalidInput(f"A {resource.kind} is not kept among {kind.value}.", reason="WrongKind")

    def listing(self, kind: Kept, namespace: str | None) -> list[Document]:
        from qtasks.client.backends import backends

        lists = {Kept.BUDGETS: budgets.budgets, Kept.SESSIONS: sessions.sessions, Kept.BACKENDS: backends}
        return lists[kind](self, namespace)

    def kept(self, kind: Kept, name: str, namespace: str) -> list[Document]:
        from qtasks.client.backends import backend

        if kind is Kept.BACKENDS:
            return backend(self, name, namespace)
        return [(budgets.budget if kind is Kept.BUDGETS else sessions.session)(self, name, namespace)]

    def delete(self, kind: Kept, name: str, namespace: str) -> Document:
        from qtasks.client.backends import delete_backend

        if kind is Kept.BACKENDS:
            delete_backend(self, name, namespace)
            return {}
        return (budgets.delete_budget if kind is Kept.BUDGETS else sessions.delete_session)(self, name, namespace)

    def accounts(self, namespace: str | None) -> list[Document]:
        return accounts.documents(self, namespace)

    def costs(
        self, by: str, *, since: datetime | None, until: datetime | None, namespace: str | None
    ) -> list[Document]:
        return budgets.costs(self, by, since=since, until=until, namespace=namespace)

    def discrepancies(self) -> list[str]:
        return budgets.discrepancies(self)


def _cancelled(tx: Any, ids: Sequence[str], source: str) -> tuple[list[str], list[str]]:
    """The jobs that this cancels, and the accounts at whose providers some of them are."""
    ended = jobs.cancel(tx, ids, source=source)
    return ended, account_rows.wake_of_jobs(tx, ended) if ended else []


def _who() -> str:
    return f"client/{os.getpid()}"
