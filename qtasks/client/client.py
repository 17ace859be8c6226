"""The Python API: submit circuits, find jobs again, wait for them."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import cached_property
from typing import Any

from qtasks.access import Verb
from qtasks.client import budgets as money
from qtasks.client import scoped, standing
from qtasks.client.accounts import documents as account_documents
from qtasks.client.admission import Admission
from qtasks.client.document import document, event
from qtasks.client.guard import Guard
from qtasks.client.job import Job
from qtasks.client.principals import Principals
from qtasks.client.selector import parse_selector
from qtasks.client.sessions import apply_session, delete_session, session, sessions
from qtasks.client.submission import (
    Submission,
    Template,
    from_circuit,
    from_resource,
    is_id,
    is_resource,
    jobs_of,
    new_job,
)
from qtasks.config import Config, load_config
from qtasks.costs.prices import PriceList, current_prices
from qtasks.errors import Conflict, Forbidden, InvalidInput, NotFound, Unavailable, WaitTimeout
from qtasks.lifecycle import Phase, Stage
from qtasks.notify import Notifier, Waiter
from qtasks.objects import open_store
from qtasks.queue import DEEP_ENOUGH, Hint, Publisher
from qtasks.resources import Metadata, QiskitBackend, QiskitBudget, QiskitJob, QiskitSession
from qtasks.results import git_commit
from qtasks.settings import Settings, settings
from qtasks.store import Store, accounts, decisions, jobs, provider_jobs, records, schema
from qtasks.store import costs as spending
from qtasks.store.jobs import Existing, NewJob

_CHUNK = 1000


class Client:
    """A way into the queue.

    Without settings it starts, or joins, an embedded stack in `QTASKS_HOME` that goes on when this process ends and
    stops when idle. With `QTASKS_BROKER_URL` it speaks to that Redis, the database and the object store directly.
    """

    def __init__(self, config: Settings | None = None, *, namespace: str = "default") -> None:
        self._settings = config or settings()
        self.namespace = namespace
        if self._settings.api_url:
            raise InvalidInput(
                "QTASKS_API_URL is set, but this version of qtasks has no REST client.", reason="RestUnsupported"
            )
        self._presence = None
        if self._settings.embedded:
            from qtasks.embedded import join

            self._presence = join(self._settings)
        self._store = Store(self._settings.database)
        self._objects = open_store(self._settings.object_store)
        if not self._settings.embedded:
            schema.require_current(self._store)
        self._guard = Guard(self._store, self._settings)
        self._admission = Admission(self._guard)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections of this client. Jobs go on."""
        self._store.close()
        for name in ("_publisher", "_waiter", "_notifier"):
            if name in self.__dict__:
                self.__dict__[name].close()
        if self._presence is not None:
            self._presence.close()

    @property
    def _config(self) -> Config:
        """The accounts and devices that QTASKS_CONFIG names."""
        return load_config(self._settings.config_file)

    @cached_property
    def principals(self) -> Principals:
        """Who may use this installation, and what was decided."""
        return Principals(self._guard)

    @cached_property
    def _publisher(self) -> Publisher:
        return Publisher(self._settings.broker)

    @cached_property
    def _waiter(self) -> Waiter:
        return Waiter(self._settings.broker)

    @cached_property
    def _notifier(self) -> Notifier:
        return Notifier(self._settings.broker)

    def submit(
        self,
        circuit: Any,
        *,
        name: str | None = None,
        namespace: str | None = None,
        shots: int | None = None,
        backend: str | Mapping[str, Any] | None = None,
        priority: str | None = None,
        labels: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        **execution: Any,
    ) -> Job:
        """Submit one job and return its handle; when this returns, the job is in the database and cannot be lost.

        `circuit` is a QuantumCircuit, OpenQASM 2 or 3 text, QPY bytes, Python source, a path to a file of one, or a
        whole job: a QiskitJob, its document, or a path to a YAML file. `backend` is a type, or as `spec.backend` is:
        `{"type": "ibm_quantum", "name": "ibm_fez", "account": "lab-open"}`. `execution` takes the other fields of
        `spec.execution` in snake_case: `seed_simulator`, `optimization_level`, `initial_layout`, `memory_limit`,
        `method`, … Submitting twice with one `idempotency_key` gives one job. Raises InvalidInput, Conflict (another
        job has the name), Forbidden (`UrgentNotAllowed`, `QuotaExceeded`, …), Unavailable (the database is away).
        """
        options = {"shots": shots, "priority": priority, **execution}
        if is_resource(circuit):
            given = [key for key, value in {**options, "backend": backend, "name": name}.items() if value is not None]
            if given or labels:
                raise InvalidInput(
                    f"A whole job carries its own options; leave out {', '.join(given or ['labels'])}.",
                    reason="InvalidInput",
                )
            found = jobs_of(circuit)
            if len(found) != 1:
                raise InvalidInput(
                    f"There are {len(found)} jobs in {circuit}.", reason="InvalidInput", hint="Use submit_many()."
                )
            submission = from_resource(found[0], self._settings)
        else:
            template = self._template(name, labels, backend, options)
            submission = from_circuit(circuit, template, self._settings)
        return self._submit([submission], namespace, [idempotency_key])[0]

    def submit_many(
        self,
        circuits: Iterable[Any],
        *,
        namespace: str | None = None,
        shots: int | None = None,
        backend: str | Mapping[str, Any] | None = None,
        priority: str | None = None,
        labels: Mapping[str, str] | None = None,
        idempotency_keys: Sequence[str | None] | None = None,
        **execution: Any,
    ) -> list[Job]:
        """Submit many jobs in one transaction, all or none, with the same options; returns their handles in order.

        Takes what `submit` takes. Small jobs share simulator calls, each with its own row, attempt and result, and the
        counts it would have had alone.
        """
        template = self._template(None, labels, backend, {"shots": shots, "priority": priority, **execution})
        submissions = [
            submission
            for circuit in circuits
            for submission in (
                [from_resource(job, self._settings) for job in jobs_of(circuit)]
                if is_resource(circuit)
                else [from_circuit(circuit, template, self._settings)]
            )
        ]
        return self._submit(submissions, namespace, list(idempotency_keys or [None] * len(submissions)))

    @staticmethod
    def _template(
        name: str | None,
        labels: Mapping[str, str] | None,
        backend: str | Mapping[str, Any] | None,
        execution: Mapping[str, Any],
    ) -> Template:
        """The options of a submission: a job whose circuit stands for nothing."""
        spec: dict[str, Any] = {
            "circuit": {"source": "inline", "code": "…"},
            "execution": {key: value for key, value in execution.items() if value is not None},
        }
        if backend is not None:
            spec["backend"] = {"type": backend} if isinstance(backend, str) else dict(backend)
        metadata: dict[str, Any] = {}
        if name is not None:
            metadata["name"] = name
        if labels:
            metadata["labels"] = dict(labels)
        return Template.of(QiskitJob(metadata=metadata, spec=spec))

    def _submit(
        self, submissions: Sequence[Submission], namespace: str | None, keys: Sequence[str | None]
    ) -> list[Job]:
        if namespace is not None:
            Metadata(namespace=namespace)  # refuses what is no name: it becomes part of object keys
        commit = git_commit()
        new = [
            new_job(
                submission,
                namespace=namespace or submission.template.namespace or self.namespace,
                idempotency_key=key,
                git_commit=commit,
                settings=self._settings,
            )
            for submission, key in zip(submissions, keys, strict=True)
        ]
        caller = self._admission.require(new)
        source = self._guard.source(_who())
        for submission, job in zip(submissions, new, strict=True):
            if job.object_key is not None and submission.data is not None:
                self._objects.put(job.object_key, submission.data)
        existing: dict[str, Existing] = {}
        try:
            with self._admission.transaction(caller) as tx:
                for start in range(0, len(new), _CHUNK):
                    existing |= jobs.submit(tx, new[start : start + _CHUNK], source=source)
                _refuse_conflicts(new, existing)
                self._admission.admit(tx, [job for job in new if job.id not in existing], caller)
        except (Conflict, Forbidden):
            self._forget_inputs(new)
            raise
        self._forget_inputs([job for job in new if job.id in existing])
        self._hint([job for job in new if job.id not in existing])
        return [self._handle(job, existing.get(job.id)) for job in new]

    def _forget_inputs(self, unwanted: Iterable[NewJob]) -> None:
        """Delete the circuits of jobs that were not inserted."""
        for job in unwanted:
            if job.object_key is not None:
                self._objects.delete(job.object_key)

    def _hint_pollers(self) -> None:
        """Tell pollers that an account is due. Beat does so every few seconds anyway."""
        with suppress(Unavailable):
            self._publisher.suggest(Hint(Stage.POLLING, "", "accounts", 6))

    def _hint(self, fresh: Sequence[NewJob]) -> None:
        # When the broker is away the jobs are safe all the same: the reconciler publishes for them.
        with suppress(Unavailable):
            for job in fresh[: DEEP_ENOUGH * self._settings.batch_size : self._settings.batch_size]:
                self._publisher.suggest(Hint(Stage.VALIDATION, job.id, job.name, job.priority))

    def _handle(self, job: NewJob, existing: Existing | None) -> Job:
        if existing is not None:
            return Job(self, existing.id, existing.name, job.namespace)
        return Job(self, job.id, job.name, job.namespace, created=True)

    def job(self, job_id: str, *, namespace: str | None = None) -> Job:
        """The job with this id, with this name in `namespace`, or whose provider gave it this id; raises NotFound
        (reason `JobNotFound`)."""
        where = namespace or self.namespace
        if is_id(job_id):
            return self._job(str(uuid.UUID(job_id)))
        with self._store.read() as tx:
            try:
                found, there = jobs.id_of(tx, where, job_id), None
            except NotFound:
                there = provider_jobs.by_provider_id(tx, job_id)
                if there is None:
                    raise
        if there is not None:
            return self._job(there.job_id, asked=job_id, within=where)
        self._guard.job(Verb.GET, found, where, asked=job_id, within=where)
        return Job(self, found, job_id, where)

    def _job(self, job_id: str, *, asked: str | None = None, within: str | None = None) -> Job:
        with self._store.read() as tx:
            row = jobs.get(tx, job_id)
        self._guard.job(Verb.GET, row.id, row.namespace, asked=asked, within=within)
        return Job(self, row.id, row.name, row.namespace)

    def jobs(
        self,
        *,
        phase: str | Phase | None = None,
        labels: Mapping[str, str] | str | None = None,
        namespace: str | None = None,
        all_namespaces: bool = False,
        limit: int = 100,
    ) -> list[Job]:
        """Jobs, newest first; `labels` is a mapping or a selector such as `algorithm=grover,team!=ops`."""
        rows = self.rows(phase=phase, labels=labels, namespace=namespace, all_namespaces=all_namespaces, limit=limit)
        return [Job(self, row.id, row.name, row.namespace) for row in rows]

    def rows(
        self,
        *,
        phase: str | Phase | None = None,
        labels: Mapping[str, str] | str | None = None,
        namespace: str | None = None,
        all_namespaces: bool = False,
        limit: int = 100,
        before: str | None = None,
    ) -> list[Any]:
        """The rows behind `jobs`, for whoever shows lists."""
        terms, only = parse_selector(labels), None if phase is None else Phase(phase)
        scope = self._guard.scope(Verb.LIST, namespace or self.namespace, everywhere=all_namespaces)
        found: list[Any] = []
        with self._store.read() as tx:
            for each in (None,) if scope is None else scope:
                found += jobs.walk(tx, namespace=each, phase=only, selector=terms, limit=limit, before=before)
        # Each namespace has its index, which none of them together has.
        return sorted(found, key=lambda row: row.id, reverse=True)[:limit] if len(scope or ()) > 1 else found

    def documents(self, rows: Sequence[Any], *, queues: bool = False) -> Iterator[dict[str, Any]]:
        """Rows as documents, with their conditions; with `queues`, also with `status.queue` of those that wait."""
        visible = self._guard.visible(Verb.GET, [row.id for row in rows])
        rows = [row for row in rows if row.id in visible]
        with self._store.read() as tx:
            conditions = records.conditions_of(tx, [row.id for row in rows])
            places = standing.queues(tx, rows, ageing_seconds=self._settings.ageing_seconds) if queues else {}
        for row in rows:
            found = document(row, conditions[row.id])
            found["status"] |= {"queue": places[row.id]} if row.id in places else {}
            yield found

    def describe(self, job_id: str, *, queues: bool = False) -> dict[str, Any]:
        """One job as a complete document: circuit, conditions and attempts, and what is reserved for it; with `queues`,
        also its place among those that wait, for which all of them are looked at."""
        with self._store.read() as tx:
            row = jobs.get(tx, job_id)
        self._guard.job(Verb.GET, row.id, row.namespace)
        with self._store.read() as tx:
            payload = next(jobs.payload(tx, [job_id]))
            conditions = records.conditions_of(tx, [job_id])[job_id]
            attempts = jobs.attempts_of(tx, job_id)
            places = standing.queues(tx, [row], ageing_seconds=self._settings.ageing_seconds) if queues else {}
            stands = {"queue": places.get(job_id), "budget": standing.money(tx, row)}
        code = payload.data
        if code is None and payload.input_key is not None:
            with suppress(NotFound):
                code = self._objects.get(payload.input_key)
        found = document(row, conditions, code=code, attempts=attempts)
        found["status"] |= {name: value for name, value in stands.items() if value}
        return found

    def explain(self, job_id: str) -> dict[str, Any]:
        """Why a job runs where it does: every device with its scores, price and wait, the chosen one first. Raises
        NotFound (`NothingChosen`)."""
        from qtasks.client.explaining import explain

        return explain(self, self._row(job_id).id)

    def accuracy(self, *, namespace: str | None = None) -> dict[str, Any]:
        """How wrong past estimates of starts were in a namespace: `jobs`, and medians in seconds, null without any."""
        from qtasks.client.backends import accuracy_document

        where = namespace or self.namespace
        self._guard.may(Verb.LIST, where)
        with self._store.read() as tx:
            return accuracy_document(decisions.accuracy(tx, namespace=where))

    def estimate(self, what: Any, *, namespace: str | None = None, **options: Any) -> list[dict[str, Any]]:
        """What `submit` would choose for each job, with cost and time, as `explain` gives it; nothing is submitted.

        Takes what `submit` takes. Raises InvalidInput (`SourceMustRun`) for circuits that have to be run or fetched.
        """
        from qtasks.client.explaining import estimate

        for where in scoped.namespaces_of(self, what, namespace):
            self._guard.may(Verb.ESTIMATE, where)
        rate = self._settings.simulator_rate
        return estimate(self, what, namespace=namespace, prices=self.prices, simulator_rate=rate, **options)

    @property
    def prices(self) -> PriceList:
        """The prices that count: this release's, those that were refreshed, and those of QTASKS_CONFIG."""
        return current_prices(self._config.prices, refreshed=self._settings.prices_file)

    def apply_budget(self, resource: QiskitBudget, *, namespace: str | None = None) -> str:
        """Keep a budget: `created`, `unchanged`, or `configured` when it was there with another spec.

        Raises InvalidInput (`NameMissing`) and Forbidden."""
        where = money.namespace_of(self, resource, namespace)
        scoped.require_to_change(self, Verb.APPLY_BUDGET, resource.metadata.name or "", where, resource)
        return money.apply_budget(self, resource, namespace)

    def budgets(self, *, namespace: str | None = None, all_namespaces: bool = False) -> list[dict[str, Any]]:
        """The budgets that are kept in a namespace as documents, with what is spent of them and reserved."""
        scope = self._guard.scope(Verb.LIST, namespace or self.namespace, everywhere=all_namespaces)
        return scoped.all_of(scope, lambda where: money.budgets(self, where, where is None))

    def budget(self, name: str, *, namespace: str | None = None) -> dict[str, Any]:
        """One budget as a document, with the jobs that wait for it. Raises NotFound (`BudgetNotFound`)."""
        where = namespace or self.namespace
        self._guard.known(Verb.GET, where, name, scoped.missing_budget(name, where))
        return money.budget(self, name, where)

    def delete_budget(self, name: str, *, namespace: str | None = None) -> dict[str, Any]:
        """Keep a budget no longer; returns what it was. Raises NotFound (`BudgetNotFound`) and Forbidden."""
        where = namespace or self.namespace
        scoped.require_to_change(self, Verb.DELETE_BUDGET, name, where)
        return money.delete_budget(self, name, where)

    def costs(
        self,
        by: str = "namespace",
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        namespace: str | None = None,
        all_namespaces: bool = False,
    ) -> list[dict[str, Any]]:
        """What jobs cost by namespace, cost-center, backend, account, month (of UTC), job or label:KEY, from `since`
        until just before `until`; the dearest first. Amounts are `Decimal` US dollars, exact. Raises InvalidInput
        (`UnknownGroup`)."""
        scope = self._guard.scope(Verb.COSTS, namespace or self.namespace, everywhere=all_namespaces)
        groups = scoped.all_of(
            scope,
            lambda where: money.costs(
                self, by, since=since, until=until, namespace=where, all_namespaces=where is None
            ),
        )
        return groups if scope is None or len(scope) == 1 else scoped.added_up(by, groups)

    def discrepancies(self) -> list[str]:
        """Where the books of what was charged do not agree to the micro-dollar, a sentence for each. Whoever may not
        see the costs of all namespaces is told nothing."""
        if not self._guard.sees(Verb.COSTS, None):
            return []
        with self._store.read() as tx:
            return spending.discrepancies(tx)

    def apply_backend(self, resource: QiskitBackend, *, namespace: str | None = None) -> str:
        """Register a device by hand: `created`, `unchanged` or `configured`. Raises InvalidInput (`NameMissing`,
        `NoUsableAccount`) and Forbidden."""
        from qtasks.client.backends import apply_backend

        where = scoped.namespace_of(self, resource, namespace)
        self._guard.may(Verb.APPLY_BACKEND, where, resource.metadata.name or "", again=True)
        return apply_backend(self, resource, namespace)

    def backends(self, *, namespace: str | None = None, all_namespaces: bool = False) -> list[dict[str, Any]]:
        """The devices that the jobs of a namespace may run on as documents: ours, then by account and name."""
        from qtasks.client.backends import backends

        scope = self._guard.scope(Verb.LIST, namespace or self.namespace, everywhere=all_namespaces)
        return scoped.one_device_each(
            scoped.all_of(scope, lambda where: backends(self, where, all_namespaces=where is None))
        )

    def backend(self, name: str, *, namespace: str | None = None) -> list[dict[str, Any]]:
        """The devices of this name, one for each account. Raises NotFound (`BackendNotFound`)."""
        from qtasks.client.backends import backend

        where = namespace or self.namespace
        self._guard.known(Verb.GET, where, name, scoped.missing_backend(name, where))
        return backend(self, name, where)

    def delete_backend(self, name: str, *, namespace: str | None = None) -> None:
        """Take out a device that was registered by hand. Raises NotFound (`BackendNotFound`) and Forbidden."""
        from qtasks.client.backends import delete_backend

        where = namespace or self.namespace
        self._guard.known(Verb.DELETE_BACKEND, where, name, scoped.missing_backend(name, where), again=True)
        delete_backend(self, name, where)

    def accounts(self, *, namespace: str | None = None, all_namespaces: bool = False) -> list[dict[str, Any]]:
        """The accounts that the namespace's jobs may run under and how each stands, quantum time in seconds: those of
        QTASKS_CONFIG in its order, then those that jobs brought."""
        scope = self._guard.scope(Verb.ACCOUNTS, namespace or self.namespace, everywhere=all_namespaces)
        return account_documents(self, scope)

    def apply_session(self, resource: QiskitSession, *, namespace: str | None = None) -> str:
        """Declare a session, which its first job opens: `created`, or `unchanged` when it is there with the same spec.

        Raises InvalidInput (`NameMissing`, `SessionsNotOnOpenPlan`, …) and Conflict (`SessionExists`,
        `SessionClosing`)."""
        return apply_session(self, resource, namespace)

    def sessions(self, *, namespace: str | None = None, all_namespaces: bool = False) -> list[dict[str, Any]]:
        """The sessions of the namespace as documents: declared by a QiskitSession, or by the first job in them."""
        return sessions(self, namespace, all_namespaces)

    def session(self, name: str, *, namespace: str | None = None) -> dict[str, Any]:
        """One session as a document. Raises NotFound (`SessionNotFound`)."""
        return session(self, name, namespace)

    def delete_session(self, name: str, *, namespace: str | None = None) -> dict[str, Any]:
        """Let no more jobs into a session, and have it closed; returns its document. Raises NotFound
        (`SessionNotFound`)."""
        return delete_session(self, name, namespace)

    def events(self, job_id: str, *, after: int = 0) -> list[dict[str, Any]]:
        """What happened to a job since event number `after`, oldest first."""
        self._guard.jobs(Verb.LOGS, [job_id])
        with self._store.read() as tx:
            return [{"id": number, **event(past)} for number, past in records.events_of(tx, job_id, after=after)]

    def wait(
        self,
        waited: Sequence[Job],
        *,
        timeout: float | None = None,
        seen: Callable[[str, Phase], None] = lambda _id, _phase: None,
    ) -> None:
        """Wait until all jobs are final; raises WaitTimeout after `timeout` seconds. `seen` is told (id, phase)."""
        self._guard.jobs(Verb.GET, [job.job_id() for job in waited])
        left = self._waiter.wait([job.job_id() for job in waited], self._phases, timeout=timeout, seen=seen)
        if left:
            names = sorted(job.name for job in waited if job.job_id() in left)
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise WaitTimeout(
                f"Not final after {timeout:g} s: {', '.join(names[:3])}{more}.",
                hint="The jobs go on; wait again, or look at `qtasks describe`.",
            )

    def cancel(self, cancelled: Sequence[Job]) -> list[Job]:
        """Cancel those of the jobs that are not final; returns them. Raises Forbidden for jobs of others, unless the
        caller is an operator."""
        by_id = {job.job_id(): job for job in cancelled}
        self._guard.jobs(Verb.CANCEL, list(by_id))
        source = self._guard.source(_who())
        # Two writers of many rows may meet head-on; the database then asks one of them to come again.
        ended, woken = self._store.insist(lambda tx: _cancelled(tx, list(by_id), source), seconds=10)
        if woken:
            self._hint_pollers()
        self._notifier.tell(dict.fromkeys(ended, Phase.CANCELLED))
        return [by_id[job_id] for job_id in ended]

    def _phases(self, job_ids: Sequence[str]) -> dict[str, Phase]:
        found: dict[str, Phase] = {}
        with self._store.read() as tx:
            for start in range(0, len(job_ids), _CHUNK):
                found |= jobs.phases(tx, job_ids[start : start + _CHUNK])
        missing = [job_id for job_id in job_ids if job_id not in found]
        if missing:
            raise NotFound(f"There is no job {missing[0]} any more.", reason="JobNotFound")
        return found

    def _row(self, job_id: str, verb: Verb = Verb.GET) -> Any:
        with self._store.read() as tx:
            row = jobs.get(tx, job_id)
        self._guard.job(verb, row.id, row.namespace)
        return row


def _refuse_conflicts(new: Sequence[NewJob], existing: Mapping[str, Existing]) -> None:
    for job in new:
        there = existing.get(job.id)
        if there is not None and not there.by_key and there.spec_hash != job.spec_hash:
            raise Conflict(
                f"Job {job.name} exists in namespace {job.namespace} with another spec.",
                reason="JobExists",
                hint="Submit it under another name: a job's spec never changes.",
                details={"job_id": there.id},
            )


def _cancelled(tx: Any, ids: Sequence[str], source: str) -> tuple[list[str], list[str]]:
    """The jobs that this cancels, and the accounts at whose providers some of them are."""
    ended = jobs.cancel(tx, ids, source=source)
    return ended, accounts.wake_of_jobs(tx, ended) if ended else []


def _who() -> str:
    return f"client/{os.getpid()}"
