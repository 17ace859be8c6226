"""The backend protocol for what runs in this process: an order is run at once, and its outcome kept until asked for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

from qtasks.backends.compatibility import Capabilities
from qtasks.backends.protocol import (
    BackendError,
    Compiled,
    Device,
    Order,
    Outcome,
    Program,
    ProviderJob,
    ProviderState,
    QueueStatus,
    Ran,
)
from qtasks.costs.cost import Cost

_KEPT = 256
_FREE = Cost(Decimal(0), price="a simulation in this process is billed by nobody")


class InProcess:
    """A backend without a provider. Members say what they can do, compile, and run what was compiled.

    The jobs are known to the process that ran them, the last 256 of them; a worker that wants the outcome with less
    ado calls `run`.
    """

    name: str

    def __init__(self) -> None:
        self._jobs: OrderedDict[str, tuple[ProviderJob, Outcome | BackendError]] = OrderedDict()

    def capabilities(self, device: str) -> Capabilities:
        raise NotImplementedError

    def compile(self, program: Program, device: str) -> Compiled:
        raise NotImplementedError

    def _run_order(self, order: Order) -> Ran | BackendError:
        """Run what `compile` gave, as it is."""
        raise NotImplementedError

    def authenticate(self) -> None:
        """Nobody asks for credentials."""

    def refresh_credentials(self) -> None:
        """There are none."""

    def devices(self) -> list[Device]:
        return [Device(self.name, self.capabilities(self.name).qubits, True, self.queue_status(self.name))]

    def queue_status(self, device: str) -> QueueStatus:
        return QueueStatus(True, pending_jobs=0, wait_seconds=0.0)

    def estimate_cost(self, compiled: Compiled, shots: int) -> Cost:
        return _FREE

    def actual_cost(self, job: ProviderJob, shots: int) -> Cost:
        return _FREE

    def submit(self, order: Order) -> str:
        """Run the order; returns the id by which its outcome can be asked for in this process."""
        started = datetime.now(UTC)
        ran = self._run_order(order)
        job = ProviderJob(
            f"local-{uuid4().hex}",
            ProviderState.DONE,
            tags=(order.tag, *order.labels),
            device=order.compiled.device,
            created_at=started,
            running_at=started,
            finished_at=datetime.now(UTC),
        )
        if isinstance(ran, BackendError):
            job = replace(job, state=ProviderState.FAILED, code=ran.reason, message=ran.message, heals=ran.heals)
        self._jobs[job.id] = job, _outcome(ran, order)
        if len(self._jobs) > _KEPT:
            self._jobs.popitem(last=False)
        return job.id

    def find(self, tag: str, *, since: datetime) -> list[ProviderJob]:
        return [job for job in self.listing(since=since) if tag in job.tags[:1]]

    def listing(self, *, since: datetime) -> Iterator[ProviderJob]:
        for job, _ in list(self._jobs.values()):
            if job.created_at is not None and job.created_at >= since:
                yield job

    def statuses(self, ids: Collection[str], *, since: datetime) -> dict[str, ProviderJob]:
        return {job: self._jobs[job][0] if job in self._jobs else ProviderJob(job, ProviderState.LOST) for job in ids}

    def result(self, provider_job_id: str) -> Outcome:
        if provider_job_id not in self._jobs:
            raise BackendError(
                f"{self.name} does not know the job {provider_job_id}.",
                reason="ProviderJobLost",
                hint="Only the process that ran it has its result, and only until 256 others have run.",
            )
        outcome = self._jobs[provider_job_id][1]
        if isinstance(outcome, BackendError):
            raise outcome
        return outcome

    def cancel(self, provider_job_id: str) -> None:
        """Every job is final when its id is known."""


def _outcome(ran: Ran | BackendError, order: Order) -> Outcome | BackendError:
    if isinstance(ran, BackendError):
        return ran
    return Outcome(
        ran.counts,
        ran.registers,
        ran.num_clbits,
        ran.clbits,
        order.shots,
        {"method": ran.method, "seed_simulator": ran.seed_simulator},
    )
