"""A worker's process: what it works with, and how it claims what to do next."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from qtasks.backends.threads import Cores, available
from qtasks.errors import Unavailable
from qtasks.lifecycle import Phase, Stage
from qtasks.notify import Notifier
from qtasks.objects import ObjectStore, open_store
from qtasks.queue import Hint, Publisher
from qtasks.resources import Quantity
from qtasks.scheduling.fairness import Turn, turns
from qtasks.settings import Settings
from qtasks.stages.leases import LeaseHolder
from qtasks.store import Store, claims
from qtasks.store.claims import Claim

if TYPE_CHECKING:
    from qtasks.backends.aer import AerBackend
    from qtasks.circuits.sandbox import Sandbox

Shown = Callable[[Stage, Claim], AbstractContextManager[None]]
"""Shows whoever watches the queue that a claim went on to a stage without a message of its own."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Which worker this is, what it consumes and what it can hold; the same for all its pool processes."""

    name: str
    stages: tuple[Stage, ...]
    memory: int
    """Bytes that the simulations of this worker may take between them."""
    threads: int
    runtime: Path
    """Folder of this worker's sockets and locks."""

    @classmethod
    def of(cls, settings: Settings, name: str, stages: Sequence[Stage], runtime: Path) -> Identity:
        memory = Quantity(settings.worker_memory).bytes if settings.worker_memory else machine_memory() * 4 // 5
        return cls(name, tuple(stages), memory, settings.worker_threads or available(), runtime)

    @property
    def keeper_socket(self) -> Path:
        return self.runtime / "keeper.sock"

    @property
    def sandbox_socket(self) -> Path:
        return self.runtime / "sandbox.sock"


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
        self.store.close()

    @property
    def owner(self) -> str:
        """Who holds a claim: this very process."""
        return f"{self.identity.name}/{os.getpid()}"

    @cached_property
    def aer(self) -> AerBackend:
        from qtasks.backends.aer import AerBackend

        return AerBackend(Cores(self.identity.runtime / "cores", self.identity.threads))

    def claim(self, stage: Stage) -> Claim | None:
        """Claim the best work that waits: at `stage`, or at another stage of this worker where it is more urgent."""
        waiting = self._turns(stage)
        limit = self.settings.batch_size
        for place, (at, turn) in enumerate(waiting):
            with self.store.begin() as tx:
                claim = claims.take(
                    tx,
                    at,
                    turn.head,
                    limit=limit,
                    memory=self.identity.memory,
                    owner=self.owner,
                    lease_seconds=self.settings.lease_seconds,
                )
                if claim is None:
                    continue
                claims.charge(tx, at, turn.head.namespace, start_tag=turn.start_tag, jobs_taken=len(claim.jobs))
            self.notifier.tell(dict.fromkeys(claim.ids, _ENTERED[at]))
            self._pass_on(claim, [turn for _, turn in waiting[place + 1 :]], full=len(claim.jobs) == limit)
            return claim
        return None

    def _turns(self, stage: Stage) -> list[tuple[Stage, Turn]]:
        with self.store.read() as tx:
            found = [(stage, turn) for turn in self._turns_at(tx, stage)]
            if not found or found[0][1].level > 0:
                for other in self.identity.stages:
                    if other not in (stage, Stage.POLLING):
                        found += [(other, turn) for turn in self._turns_at(tx, other)]
                # Stable: at one level, the stage that the hint named comes first.
                found.sort(key=lambda entry: entry[1].level)
        return found

    def _turns_at(self, tx: object, stage: Stage) -> list[Turn]:
        memory = self.identity.memory
        heads = claims.heads(tx, stage, memory=memory)  # type: ignore[arg-type]
        if not heads:
            return []
        return turns(heads, claims.shares_of(tx, stage), ageing_seconds=self.settings.ageing_seconds)  # type: ignore[arg-type]

    def _pass_on(self, claim: Claim, others: list[Turn], *, full: bool) -> None:
        """Wake another process when work is left and no hint of it waits: one hint may stand for many jobs."""
        if not full and not others:
            return
        head = others[0].head if others else None
        hint = (
            Hint(claim.stage, head.job_id, head.name, head.priority)
            if head
            else Hint(claim.stage, claim.jobs[0].id, claim.jobs[0].name, claim.jobs[0].priority)
        )
        with suppress(Unavailable):
            if self.publisher.waiting(hint.stage, hint.priority) == 0:
                self.publisher.publish(hint)

    def may_carry_on(self, claim: Claim, stage: Stage) -> bool:
        """Whether this process should do `stage` for `claim` itself, at once: it consumes that stage, and nothing more
        urgent waits for it anywhere."""
        if stage not in self.identity.stages:
            return False
        level = min(job.priority for job in claim.jobs)
        if level == 0:
            return True
        with self.store.read() as tx:
            return not any(
                turn.level < level
                for at in self.identity.stages
                if at is not Stage.POLLING
                for turn in self._turns_at(tx, at)
            )

    def hand_over(self, claim: Claim, stage: Stage) -> None:
        """Tell whoever consumes `stage` that the jobs of `claim` wait there. Lost hints are the reconciler's."""
        first = claim.jobs[0]
        with suppress(Unavailable):
            self.publisher.suggest(Hint(stage, first.id, first.name, first.priority))

    @contextmanager
    def holding(self, claim: Claim, *, limit_seconds: float | None = None) -> Iterator[None]:
        """Have the leases of `claim` renewed for the time of the block."""
        self.leases.hold(claim, limit_seconds=limit_seconds)
        try:
            yield
        finally:
            self.leases.drop(claim)


_ENTERED = {Stage.VALIDATION: Phase.VALIDATING, Stage.SCHEDULING: Phase.SCHEDULING, Stage.EXECUTION: Phase.RUNNING}
