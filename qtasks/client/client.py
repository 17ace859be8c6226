"""The Python API: submit circuits, find jobs again, wait for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from qtasks.client import asking
from qtasks.client.gateway import Document, Query
from qtasks.client.job import Job
from qtasks.client.keeping import Keeping
from qtasks.client.opening import open_gateway
from qtasks.client.submission import (
    Submission,
    Template,
    from_circuit,
    from_resource,
    is_resource,
    jobs_of,
    options_template,
)
from qtasks.errors import InvalidInput
from qtasks.lifecycle import Phase
from qtasks.resources import Metadata
from qtasks.results import git_commit
from qtasks.settings import Settings, settings

if TYPE_CHECKING:
    from qtasks.client.direct import Direct
    from qtasks.client.principals import Principals
    from qtasks.costs.prices import PriceList


class Client(Keeping):
    """A way into the queue.

    Without settings it starts, or joins, an embedded stack in `QTASKS_HOME` that goes on when this process ends and
    stops when idle. With `QTASKS_API_URL` it speaks to that API; with `QTASKS_BROKER_URL` to that Redis, the database
    and the object store directly.
    """

    def __init__(self, config: Settings | None = None, *, namespace: str = "default") -> None:
        self._settings = config or settings()
        self.namespace = Metadata(namespace=namespace).namespace
        self._gateway, self._close = open_gateway(self._settings)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections of this client. Jobs go on."""
        self._gateway.close()
        self._close()

    def submit(
        self,
        /,
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
            submission = from_resource(found[0], self._settings, git_commit())
        else:
            template = options_template(name, labels, backend, options)
            submission = from_circuit(circuit, template, self._settings, git_commit())
        return self._submit([submission], namespace, [idempotency_key])[0]

    def submit_many(
        self,
        /,
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
        template = options_template(None, labels, backend, {"shots": shots, "priority": priority, **execution})
        submissions = self._submissions(circuits, template)
        return self._submit(submissions, namespace, list(idempotency_keys or [None] * len(submissions)))

    def _submissions(self, circuits: Iterable[Any], template: Template) -> list[Submission]:
        commit = git_commit()
        return [
            submission
            for circuit in circuits
            for submission in (
                [from_resource(job, self._settings, commit) for job in jobs_of(circuit)]
                if is_resource(circuit)
                else [from_circuit(circuit, template, self._settings, commit)]
            )
        ]

    def _submit(
        self, submissions: Sequence[Submission], namespace: str | None, keys: Sequence[str | None]
    ) -> list[Job]:
        where = self._where(namespace)
        handles = self._gateway.submit(submissions, where, keys, strict=namespace is not None)
        return [Job(self, made.id, made.name, made.namespace, created=made.created) for made in handles]

    def job(self, job_id: str, *, namespace: str | None = None) -> Job:
        """The job with this id, with this name in `namespace`, or whose provider gave it this id; raises NotFound
        (reason `JobNotFound`)."""
        found = self._gateway.find(job_id, self._where(namespace))
        return Job(self, found.id, found.name, found.namespace)

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
        page = self.page(phase=phase, labels=labels, namespace=namespace, all_namespaces=all_namespaces, limit=limit)
        return [
            Job(self, one["uid"], one["name"], one["namespace"]) for one in (document["metadata"] for document in page)
        ]

    def page(
        self,
        *,
        phase: str | Phase | None = None,
        labels: Mapping[str, str] | str | None = None,
        backend: str | None = None,
        priority: str | None = None,
        since: datetime | None = None,
        namespace: str | None = None,
        all_namespaces: bool = False,
        limit: int = 100,
        before: str | None = None,
        queues: bool = False,
    ) -> list[Document]:
        """The documents of jobs, newest first, with their conditions and without their circuits.

        `backend` is what `status.backend` says, `since` when they were submitted at the earliest, `before` the id of
        the job after which a page goes on. With `queues`, those that wait have `status.queue`.
        """
        found = self._gateway.jobs(
            Query(
                namespace=self._scope(namespace, all_namespaces),
                phase=None if phase is None else asking.phase(phase),
                labels=asking.selector(labels),
                backend=backend,
                priority=None if priority is None else asking.priority(priority),
                since=asking.moment(since),
                before=before,
                limit=limit,
            )
        )
        if queues:
            places = self._gateway.queues([document["metadata"]["uid"] for document in found])
            for document in found:
                if document["metadata"]["uid"] in places:
                    document["status"]["queue"] = places[document["metadata"]["uid"]]
        return found

    def describe(self, job_id: str, *, queues: bool = False) -> Document:
        """One job as a complete document: circuit, conditions and attempts, and what is reserved for it; with `queues`,
        also its place among those that wait, for which all of them are looked at."""
        return self._gateway.describe(job_id, queues=queues)

    def explain(self, job_id: str) -> Document:
        """Why a job runs where it does: every device with its scores, price and wait, the chosen one first. Raises
        NotFound (`NothingChosen`)."""
        return self._gateway.explain(job_id)

    def accuracy(self, *, namespace: str | None = None) -> Document:
        """How wrong past estimates of starts were in a namespace: `jobs`, and medians in seconds, null without any."""
        return self._gateway.accuracy(self._where(namespace))

    def estimate(self, /, what: Any, *, namespace: str | None = None, **options: Any) -> list[Document]:
        """What `submit` would choose for each job, with cost and time, as `explain` gives it; nothing is submitted.

        Takes what `submit` takes. Raises InvalidInput (`SourceMustRun`) for circuits that have to be run or fetched.
        """
        named = {name: options.pop(name, None) for name in ("name", "labels", "backend")}
        submissions = self._submissions([what], options_template(**named, execution=options))
        return self._gateway.estimate(submissions, self._where(namespace), strict=namespace is not None)

    def events(self, job_id: str, *, after: int = 0) -> list[Document]:
        """What happened to a job since event number `after`, oldest first."""
        return self._gateway.events(job_id, after=after)

    def wait(
        self,
        waited: Sequence[Job],
        *,
        timeout: float | None = None,
        seen: Callable[[str, Phase], None] = lambda _id, _phase: None,
    ) -> None:
        """Wait until all jobs are final; raises WaitTimeout after `timeout` seconds. `seen` is told (id, phase)."""
        left = self._gateway.wait([job.job_id() for job in waited], timeout=timeout, seen=seen)
        if left:
            raise asking.not_final([job.name for job in waited if job.job_id() in left], timeout)

    def cancel(self, cancelled: Sequence[Job]) -> list[Job]:
        """Cancel those of the jobs that are not final; returns them. Raises Forbidden for jobs of others, unless the
        caller is an operator."""
        by_id = {job.job_id(): job for job in cancelled}
        return [by_id[job_id] for job_id in self._gateway.cancel(list(by_id))]

    def whoami(self) -> Mapping[str, Any]:
        """Who asks: `{name, principal: bool, bindings: [{namespace, role, urgent}]}`."""
        return self._gateway.whoami()

    @property
    def principals(self) -> Principals:
        """Who may use this installation, and what was decided. Raises InvalidInput (`RestUnsupported`) over REST."""
        return self._direct("Principals").principals

    @property
    def prices(self) -> PriceList:
        """The prices that count: this release's, those that were refreshed, and those of QTASKS_CONFIG. Raises
        InvalidInput (`RestUnsupported`) over REST."""
        return self._direct("The price list").installation.prices

    def _direct(self, what: str) -> Direct:
        """The gateway as one to an installation that this process can reach itself, for `what` asks for that. Raises
        InvalidInput (`RestUnsupported`)."""
        from qtasks.client.direct import Direct

        if isinstance(self._gateway, Direct):
            return self._gateway
        raise InvalidInput(
            f"{what} cannot be had over REST.",
            reason="RestUnsupported",
            hint="Do this where the installation is: with its QTASKS_BROKER_URL and QTASKS_DATABASE_URL, and without "
            "QTASKS_API_URL.",
        )
