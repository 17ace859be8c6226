"""What workers have room for: those that live, those whose class may be started, and this one."""

from __future__ import annotations

from dataclasses import dataclass, field

from qtasks.lifecycle import SIMULATION, Queue
from qtasks.scheduling.classes import Need, Room, by_size, choose
from qtasks.stages.batch import Item
from qtasks.stages.worker import Worker
from qtasks.store import upkeep

_WORKER_SEEN_SECONDS = 60.0
_UNKNOWN = 2**62


def need(item: Item) -> Need:
    """What a job's simulation takes, and what `spec.resources.requests` asks for beyond."""
    asked = item.spec.resources
    memory = max(item.job.memory, asked.memory if asked is not None else 0)
    return Need(item.facts.active_qubits, memory, asked.cores if asked is not None else 0.0)


@dataclass
class Rooms:
    """The room there is for simulations, asked for once and only where this worker's own is too small."""

    worker: Worker
    _elsewhere: dict[Queue, Room] | None = field(default=None, init=False)

    def queue_for(self, what: Need) -> Queue | None:
        """The queue whose workers take a simulation; None when no worker can hold it."""
        own = by_size(what)
        if own in self.worker.identity.queues and self._here.holds(what):
            return own
        return choose(what, self._all())

    def largest(self) -> int:
        """Bytes of the largest simulation that some worker can hold. Where none is known, one that is large enough may
        be on its way."""
        return max((room.memory for room in self._all().values()), default=_UNKNOWN)

    @property
    def here(self) -> int:
        """Bytes that this worker can give to one simulation."""
        return self._here.memory if self.worker.identity.simulates else 0

    @property
    def _here(self) -> Room:
        identity = self.worker.identity
        return Room(identity.memory, identity.threads)

    def _all(self) -> dict[Queue, Room]:
        if self._elsewhere is None:
            self._elsewhere = self._read()
        return self._elsewhere

    def _read(self) -> dict[Queue, Room]:
        with self.worker.store.read() as tx:
            alive = upkeep.live_workers(tx, within_seconds=_WORKER_SEEN_SECONDS)
        found = {queue: Room(size.memory.bytes, size.cpu.cores) for queue, size in self.worker.config.workers.sizes()}
        offers = [(Queue(name), Room(row.memory, row.threads)) for row in alive for name in row.queues]
        if self.worker.identity.simulates:
            offers += [(queue, self._here) for queue in self.worker.identity.queues]
        for queue, room in offers:
            if queue in SIMULATION and (queue not in found or found[queue].memory < room.memory):
                found[queue] = room
        return found
