"""Which jobs are let in: whether the caller may submit them, and whether their namespace may have so many."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection

from qtasks.access import Caller, Verb, decide, refused, within
from qtasks.client.guard import Guard, names_of
from qtasks.errors import Forbidden
from qtasks.store import access, tenants
from qtasks.store.access import Entry
from qtasks.store.jobs import NewJob

_TENANTS_SECONDS = 10.0
"""How much later than in the database a namespace's first limit holds."""
_URGENT = 0


class Admission:
    """Lets the jobs of one client in; safe to share between its threads."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._tenants: tuple[float, frozenset[str]] | None = None

    def require(self, new: Sequence[NewJob]) -> Caller:
        """The caller, who may submit these jobs. Raises Forbidden (`Forbidden`, `UrgentNotAllowed`)."""
        caller = self._guard.caller
        for namespace, urgent in sorted({(job.namespace, job.priority == _URGENT) for job in new}):
            decision = decide(caller, Verb.SUBMIT, namespace, urgent=urgent)
            if not decision.allowed:
                names = names_of([job.name for job in new if job.namespace == namespace])
                self._guard.refuse(Verb.SUBMIT, namespace, names, decision)
        return caller

    @contextmanager
    def transaction(self, caller: Caller) -> Iterator[Connection]:
        """A transaction that inserts jobs and then `admit`s them; a refusal undoes it, and is written down."""
        try:
            with self._guard.store.begin() as tx:
                yield tx
        except Forbidden as error:
            if error.reason == "QuotaExceeded" and caller.principal:
                entry = Entry(caller.name, Verb.SUBMIT, error.details["namespace"], "", False, error.reason)
                self._guard.write([entry])
            raise

    def admit(self, tx: Connection, fresh: Sequence[NewJob], caller: Caller) -> None:
        """Note who submitted jobs that this transaction has inserted, as the last that it writes. Raises Forbidden
        (`QuotaExceeded`) when they are more than a namespace may have."""
        by_namespace: dict[str, list[NewJob]] = defaultdict(list)
        for job in fresh:
            by_namespace[job.namespace].append(job)
        if caller.principal and fresh:
            access.note_submitter(tx, [job.id for job in fresh], caller.name)
            named = {namespace: names_of([job.name for job in jobs]) for namespace, jobs in by_namespace.items()}
            access.record(
                tx,
                [
                    Entry(caller.name, Verb.SUBMIT, namespace, names, True, "Allowed")
                    for namespace, names in named.items()
                ],
            )
        limited = by_namespace.keys() & self._limited(tx)
        shots = {namespace: sum(job.shots for job in by_namespace[namespace]) for namespace in limited}
        for used in tenants.count(tx, shots):
            namespace = used.limits.namespace
            decision = within(used, jobs=len(by_namespace[namespace]), shots=shots[namespace])
            if not decision.allowed:
                error = refused(decision)
                error.details["namespace"] = namespace
                raise error

    def _limited(self, tx: Connection) -> frozenset[str]:
        if self._tenants is None or time.monotonic() - self._tenants[0] > _TENANTS_SECONDS:
            self._tenants = (time.monotonic(), frozenset(limits.namespace for limits in tenants.walk(tx)))
        return self._tenants[1]
