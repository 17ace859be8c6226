"""A worker's process: what it works with, and how it claims what to do next."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from qtasks.backends.accounts import secret_of
from qtasks.backends.registry import open_backend
from qtasks.backends.threads import Cores, available
from qtasks.config import Account, Config, load_config
from qtasks.costs.prices import PriceList, current_prices
from qtasks.errors import Unavailable
from qtasks.lifecycle import ENTRY, SIMULATION, Phase, Queue, Stage
from qtasks.notify import Notifier
from qtasks.objects import ObjectStore, open_store
from qtasks.queue import Hint, Publisher
from qtasks.resources import BackendType, Quantity
from qtasks.scheduling.fairness import Turn, aged, turns
from qtasks.secrets import read_secret
from qtasks.settings import Settings
from qtasks.stages.cache import ValidationCache
from qtasks.stages.leases import LeaseHolder
from qtasks.stages.measuring import note_claim
from qtasks.store import Store, claims, keys, moves, tenants
from qtasks.store.claims import Claim, Head

if TYPE_CHECKING:
    from qtasks.backends.aer import AerBackend
    from qtasks.backends.ibm_simulator import IBMSimulatorBackend
    from qtasks.backends.protocol import LocalBackend, RemoteBackend
    from qtasks.circuits.sandbox import Sandbox
    from qtasks.scheduling.choosing import Chooser

_TOO_MUCH_SECONDS = 1.0
_LIMITS_SECONDS = 10.0
"""How long the namespaces that have a limit are taken for what they were."""

Shown = Callable[[Stage, Claim], AbstractContextManager[None]]
"""Shows whoever watches the queue that a claim went on to a stage without a message of its own."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Which worker this is, what it consumes and what it can hold; the same for all its pool processes."""

    name: str
    queues: tuple[Queue, ...]
    memory: int
    """Bytes that the simulations of this worker may take between them."""
    threads: int
    runtime: Path
    """Folder of this worker's sockets and locks."""

    @classmethod
    def of(cls, settings: Settings, name: str, queues: Sequence[Queue], runtime: Path) -> Identity:
        memory = Quantity(settings.worker_memory).bytes if settings.worker_memory else machine_memory() * 4 // 5
        return cls(name, tuple(queues), memory, settings.worker_threads or available(), runtime)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages of its queues, in the order of a job's way."""
        return tuple(stage for stage in Stage if any(queue.stage is stage for queue in self.queues))

    @property
    def simulates(self) -> bool:
        return any(queue in SIMULATION for queue in self.queues)

    @property
    def keeper_socket(self) -> Path:
        return self.runtime / "keeper.sock"


def machine_memory() -> int:
    """Bytes of memory that this machine has, or that its cgroup may use."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with suppress(OSError, ValueError):
        return min(total, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return total


def worker_name() -> str:
    return f"{socket.gethostname()}-{os.getpid()}"


@dataclass
class Worker:
    """One process of a worker; made after the fork, with connections of its own."""

    settings: Settings
    identity: Identity
    store: Store
    objects: ObjectStore
    publisher: Publisher
    notifier: Notifier
    leases: LeaseHolder
    sandbox: Sandbox | None = None
    shown: Shown = field(default=lambda _stage, _claim: nullcontext())
    _providers: dict[Account, RemoteBackend] = field(default_factory=dict)
    accounts_known: bool = False
    """Whether this process has given the configured accounts their rows."""
    _limits: tuple[float, set[str]] | None = None
    _chooser: tuple[object, Chooser] | None = None

    @classmethod
    def open(cls, settings: Settings, identity: Identity, **parts: object) -> Worker:
        """Connect to everything that `settings` name."""
        return cls(
            settings=settings,
            identity=identity,
            store=Store(settings.database, pool_size=2),
            objects=open_store(settings.object_store),
            publisher=Publisher(settings.broker),
            notifier=Notifier(settings.broker),
            leases=LeaseHolder(identity.keeper_socket),
            **parts,  # type: ignore[arg-type]
        )

    def close(self) -> None:
        self.leases.close()
        self.publisher.close()
        self.notifier.close()
        if "validation_cache" in self.__dict__:
            self.validation_cache.close()
        self.store.close()

    @property
    def owner(self) -> str:
        """Who holds a claim: this very process."""
        return f"{self.identity.name}/{os.getpid()}"

    @cached_property
    def aer(self) -> AerBackend:
        from qtasks.backends.aer import AerBackend

        cores = Cores(self.identity.runtime / "cores", self.identity.threads)
        return AerBackend(cores, gpu=self.settings.simulator_gpu)

    @cached_property
    def ibm_simulator(self) -> IBMSimulatorBackend:
        from qtasks.backends.ibm_simulator import IBMSimulatorBackend

        cores = Cores(self.identity.runtime / "cores", self.identity.threads)
        return IBMSimulatorBackend(cores, self.config.backends, gpu=self.settings.simulator_gpu)

    def local(self, backend: BackendType) -> LocalBackend:
        """The backend of this process that simulates."""
        return self.aer if backend is BackendType.LOCAL_SIMULATOR else self.ibm_simulator

    @property
    def config(self) -> Config:
        return load_config(self.settings.config_file)

    def provider(self, account: Account) -> RemoteBackend:
        """The provider of an account, with a client of this very process: one made before a fork mixes up answers."""
        if account not in self._providers:
            self._providers[account] = open_backend(account, lambda: self._credentials(account), self.prices)
        return self._providers[account]

    def prices(self) -> PriceList:
        """The prices that count now."""
        return current_prices(self.config.prices, refreshed=self.settings.prices_file)

    @property
    def chooser(self) -> Chooser:
        """What chooses devices; another one when QTASKS_CONFIG or the prices have changed."""
        from qtasks.scheduling.choosing import Chooser

        given = (self.config.backends, self.prices())
        if self._chooser is None or self._chooser[0] != given:
            rate = self.settings.simulator_rate
            self._chooser = given, Chooser(self.store, devices=given[0], prices=given[1], simulator_rate=rate)
        return self._chooser[1]

    def _credentials(self, account: Account) -> Mapping[str, str]:
        secret = secret_of(account)
        if secret is None:
            return {}
        return read_secret(self.settings, namespace=secret[0], name=secret[1]).values

    @cached_property
    def validation_cache(self) -> ValidationCache:
        return ValidationCache(self.settings, self._cache_key)

    def _cache_key(self) -> bytes:
        with self.store.begin() as tx:
            return keys.signing_key(tx, "validation-cache")

    def claim(self, stage: Stage) -> Claim | None:
        """Claim the best work that waits: at `stage`, or at another stage of this worker where it is more urgent."""
        waiting = self._turns(stage)
        limit = self.settings.batch_size
        for place, turn in enumerate(waiting):
            head = turn.head
            with self.store.begin() as tx:
                claim = claims.take(
                    tx,
                    head,
                    limit=limit,
                    memory=self.identity.memory,
                    owner=self.owner,
                    lease_seconds=self.settings.lease_seconds,
                )
                if claim is None:
                    continue
                if head.stage is Stage.EXECUTION:
                    moves.begin_attempts(tx, claim.ids, worker=self.owner)
                claims.charge(tx, head.stage, head.namespace, start_tag=turn.start_tag, jobs_taken=len(claim.jobs))
            if head.queue in SIMULATION and self._too_much(claim):
                continue
            note_claim(claim)
            self.tell_progress(claim.ids, ENTRY[head.stage])
            if len(claim.jobs) == (limit if head.batchable else 1):
                self._pass_on(head)
            elif place + 1 < len(waiting):
                self._pass_on(waiting[place + 1].head)
            return claim
        return None

    def _turns(self, hinted: Stage) -> list[Turn]:
        """Who is next, over all stages of this worker; at one level the stage that the hint named comes first."""
        limits = bool(self.limited())
        with self.store.read() as tx:
            heads = claims.heads(
                tx, *self._claimed, memory=self.identity.memory, worker=self.identity.name, limits=limits
            )
            if not heads:
                return []
            shares = claims.shares_of(tx, *self._claimed_stages)
        found = [
            turn
            for stage in sorted(self._claimed_stages, key=lambda stage: stage is not hinted)
            for turn in turns(
                (head for head in heads if head.stage is stage),
                shares[stage],
                ageing_seconds=self.settings.ageing_seconds,
            )
        ]
        return sorted(found, key=lambda turn: turn.level)

    def _too_much(self, claim: Claim) -> bool:
        """Whether this claim and what other processes of this worker claimed at the same moment are too much for its
        memory. The later of them is given back, and counts nothing."""
        memory = max(job.memory for job in claim.jobs)
        if memory <= claims.NEGLIGIBLE:
            return False
        with self.store.begin() as tx:
            held = claims.memory_in_use(tx, self.identity.name, before=claim.fence)
            if memory + held <= self.identity.memory:
                return False
            message = "Another process of this worker needs the memory."
            claims.give_back(tx, claim, claim.ids, message=message, delay_seconds=_TOO_MUCH_SECONDS)
        return True

    @cached_property
    def _claimed(self) -> tuple[Queue, ...]:
        return tuple(queue for queue in self.identity.queues if queue is not Queue.POLLING)

    @cached_property
    def _claimed_stages(self) -> tuple[Stage, ...]:
        return tuple(stage for stage in self.identity.stages if stage is not Stage.POLLING)

    def _pass_on(self, head: Head) -> None:
        """Wake another process when work is left and no hint of it waits: one hint may stand for many jobs."""
        with suppress(Unavailable):
            if self.publisher.waiting(head.queue, head.priority) == 0:
                self.publisher.publish(Hint(head.queue, head.job_id, head.name, head.priority))

    def wake_another(self, stage: Stage) -> None:
        """Say that work is left, if it is, before this process goes back to the broker."""
        waiting = self._turns(stage)
        if waiting:
            self._pass_on(waiting[0].head)

    def may_carry_on(self, claim: Claim, *queues: Queue) -> bool:
        """Whether this process should go on with `claim` itself, at once: it consumes all of `queues`, and nothing more
        urgent waits for it anywhere."""
        if not set(queues) <= set(self.identity.queues):
            return False
        if any(queue.stage is Stage.EXECUTION for queue in queues) and claim.jobs[0].namespace in self.limited():
            # How many of its jobs run is counted where they are claimed.
            return False
        ageing = self.settings.ageing_seconds
        now = claim.clock.now()
        level = min(aged(job.priority, (now - job.created_at).total_seconds(), ageing) for job in claim.jobs)
        if level == 0:
            return True
        limits = bool(self.limited())
        with self.store.read() as tx:
            waiting = claims.heads(tx, *self._claimed, memory=self.identity.memory, limits=limits)
        return not any(aged(head.priority, head.age, ageing) < level for head in waiting)

    def limited(self) -> set[str]:
        """The namespaces of whose jobs only so many may run, as they were a few seconds ago."""
        if self._limits is None or time.monotonic() - self._limits[0] > _LIMITS_SECONDS:
            with self.store.read() as tx:
                self._limits = (time.monotonic(), tenants.limited(tx))
        return self._limits[1]

    def free_memory(self) -> int:
        """Bytes that the simulations of this worker do not take now."""
        with self.store.read() as tx:
            return self.identity.memory - claims.memory_in_use(tx, self.identity.name)

    def tell_progress(self, job_ids: Sequence[str], phase: Phase) -> None:
        """Tell who waits for a job that it is a step further. Of a batch only the ends are told: they come soon."""
        if len(job_ids) == 1:
            self.notifier.tell({job_ids[0]: phase})

    def hint_pollers(self) -> None:
        """Tell pollers that an account is due. Beat does so every few seconds anyway."""
        with suppress(Unavailable):
            self.publisher.suggest(Hint(Queue.POLLING, "", "accounts", 6))

    def hand_over(self, claim: Claim, queue: Queue) -> None:
        """Tell whoever consumes `queue` that the jobs of `claim` wait there. Lost hints are the reconciler's."""
        first = claim.jobs[0]
        with suppress(Unavailable):
            self.publisher.suggest(Hint(queue, first.id, first.name, first.priority))

    def hint_of(self, ids: Sequence[str]) -> None:
        """Tell whoever consumes their queues of those of `ids` that wait for a worker."""
        with suppress(Unavailable):
            with self.store.read() as tx:
                waiting = claims.waiting_in(tx, ids)
            for row in {(row.queue, row.priority): row for row in waiting}.values():
                self.publisher.suggest(Hint(Queue(row.queue), row.id, row.name, row.priority))

    @contextmanager
    def holding(self, claim: Claim, *, limit_seconds: float | None = None) -> Iterator[None]:
        """Have the leases of `claim` renewed for the time of the block."""
        self.leases.hold(claim, limit_seconds=limit_seconds)
        try:
            yield
        finally:
            self.leases.drop(claim)
