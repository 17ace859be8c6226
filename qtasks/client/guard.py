"""The guard that every method of the client passes: may the caller do this, in this namespace, to this job?

Refusals are written into the audit trail before they are raised, what is allowed with what it changes, or by itself
where it changes nothing. For the user of an embedded or a fresh installation nothing is asked and nothing written.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any, NoReturn

from qtasks.access import (
    Caller,
    Decision,
    Verb,
    decide,
    job_not_found,
    refused,
)
from qtasks.client.caller import Asking
from qtasks.errors import NotFound
from qtasks.settings import Settings
from qtasks.store import Store, access
from qtasks.store.access import Entry

_SAME_SECONDS = 60.0
"""A question that is asked again within this time, with the same answer, is one line of the audit trail."""
_REMEMBERED = 10_000
_NAMED = 20
"""Objects that one line names."""


class Guard:
    """Decides for one client; safe to share between its threads."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store = store
        self.embedded = settings.embedded
        self._asking = Asking(store, settings)
        self._written: dict[tuple[Any, ...], float] = {}

    @property
    def caller(self) -> Caller:
        """Who asks. Raises Forbidden (`TokenRequired`, `TokenInvalid`, `TokenExpired`)."""
        return self._asking.caller()

    def again(self) -> None:
        """Look the caller's roles up anew at the next question."""
        self._asking.again()

    def source(self, otherwise: str) -> str:
        """Who is named by the events of what the caller does."""
        caller = self.caller
        return caller.name if caller.principal else otherwise

    def require(self, verb: Verb, namespace: str | None, what: str = "") -> Caller:
        """Raise Forbidden unless the caller may, in a namespace or, for None, in all at once; returns the caller, for
        whoever writes down what is done. Not to be called in a transaction that writes: a refusal has one of its own.
        """
        caller = self.caller
        return self.decided(verb, namespace, what, decide(caller, verb, namespace))

    def decided(self, verb: Verb, namespace: str | None, what: str, decision: Decision) -> Caller:
        """The caller, when the decision is for it; the refusal is written down and raised otherwise."""
        if not decision.allowed:
            self.refuse(verb, namespace, what, decision)
        return self.caller

    def may(self, verb: Verb, namespace: str | None, what: str = "", *, again: bool = False) -> None:
        """`require`, and a line in the audit trail; `again`: also when the same was asked a moment ago, as of all that
        changes something."""
        caller = self.require(verb, namespace, what)
        if caller.principal:
            self.write([Entry(caller.name, verb, namespace, what, True, "Allowed")], again=again)

    def sees(self, verb: Verb, namespace: str | None) -> bool:
        """Whether the caller may; nothing is raised or written."""
        return decide(self.caller, verb, namespace).allowed

    def scope(self, verb: Verb, namespace: str, *, everywhere: bool) -> tuple[str, ...] | None:
        """The namespaces that a list is of: the one asked for, which the caller must be allowed to see, or of all those
        that it may; None for all without exception."""
        if not everywhere:
            self.may(verb, namespace)
            return (namespace,)
        caller = self.caller
        if caller.principal:
            self.write([Entry(caller.name, verb, None, "", True, "Allowed")], again=False)
        return caller.namespaces(verb)

    def job(
        self, verb: Verb, job_id: str, namespace: str, *, asked: str | None = None, within: str | None = None
    ) -> None:
        """Raise NotFound (`JobNotFound`), worded for what was `asked` for, unless the caller may know of a job that is
        in this namespace; Forbidden where it may only not do this."""
        self.known(verb, namespace, job_id, job_not_found(asked or job_id, within))

    def known(self, verb: Verb, namespace: str, what: str, missing: NotFound, *, again: bool = False) -> None:
        """Raise `missing`, which is what is said of something that is not there, unless the caller may know of what is
        in this namespace; Forbidden where it may only not do this. `again`: see `may`."""
        caller = self.caller
        if caller.principal:
            self._check(caller, verb, namespace, what, missing)
            self.write([Entry(caller.name, verb, namespace, what, True, "Allowed")], again=again)

    def jobs(self, verb: Verb, job_ids: Collection[str]) -> None:
        """The same for many jobs, by id."""
        caller = self.caller
        if not caller.principal or not job_ids:
            return
        with self.store.read() as tx:
            there = access.whose(tx, job_ids)
        for job_id in job_ids:
            job = there.get(job_id)
            if job is None:
                raise job_not_found(job_id)
            self._check(caller, verb, job.namespace, job_id, job_not_found(job_id), own=job.submitter == caller.name)
        by_namespace: dict[str, list[str]] = defaultdict(list)
        for job_id in job_ids:
            by_namespace[there[job_id].namespace].append(job_id)
        self.write(
            [
                Entry(caller.name, verb, namespace, names_of(ids), True, "Allowed")
                for namespace, ids in by_namespace.items()
            ],
            again=verb in (Verb.CANCEL, Verb.DELETE),
        )

    def visible(self, verb: Verb, job_ids: Collection[str]) -> set[str]:
        """Those of the jobs that the caller may know of; the others are as good as not there."""
        caller = self.caller
        if not caller.principal:
            return set(job_ids)
        with self.store.read() as tx:
            there = access.whose(tx, job_ids)
        return {job_id for job_id, job in there.items() if decide(caller, verb, job.namespace).allowed}

    def _check(
        self, caller: Caller, verb: Verb, namespace: str, what: str, missing: NotFound, *, own: bool = False
    ) -> None:
        decision = decide(caller, verb, namespace, own=own)
        if decision.allowed:
            return
        if caller.role_in(namespace) is None:
            self.write([Entry(caller.name, verb, namespace, what, False, missing.reason)])
            raise missing
        self.refuse(verb, namespace, what, decision)

    def refuse(self, verb: Verb, namespace: str | None, what: str, decision: Decision) -> NoReturn:
        """Write a refusal down and raise it."""
        self.write([Entry(self.caller.name, verb, namespace, what, False, decision.reason)])
        raise refused(decision)

    def write(self, entries: Sequence[Entry], *, again: bool = True) -> None:
        """Write lines into the audit trail; without `again`, only those that were not written a moment ago."""
        now = time.monotonic()
        fresh = [
            entry for entry in entries if again or now - self._written.get(_key(entry), -_SAME_SECONDS) >= _SAME_SECONDS
        ]
        if not fresh:
            return
        with self.store.begin() as tx:
            access.record(tx, fresh)
        if not again:
            if len(self._written) > _REMEMBERED:
                self._written.clear()
            self._written.update((_key(entry), now) for entry in fresh)


def _key(entry: Entry) -> tuple[Any, ...]:
    return entry.principal, entry.verb, entry.namespace, entry.object


def names_of(names: Sequence[str]) -> str:
    """What many objects are called in one line."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"
