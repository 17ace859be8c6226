"""Which class of workers a simulation is for: by its size, by what its job asks for, by what the classes hold. Pure.

The classes are the rows of the first seed's table: fewer than 10 qubits, 10 to 19, 20 to 29, and 30 or more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from qtasks.lifecycle import SIMULATION, Queue

_FEWER_THAN = {Queue.SMALL: 10, Queue.MEDIUM: 20, Queue.LARGE: 30}
_AMPLITUDE_BYTES = 16


@dataclass(frozen=True, slots=True)
class Need:
    """What one simulation takes, or its job asks for."""

    qubits: int
    """That the circuit acts on."""
    memory: int
    """Bytes."""
    cores: float = 0.0


@dataclass(frozen=True, slots=True)
class Room:
    """What one worker of a class can give to one job."""

    memory: int
    """Bytes."""
    cores: float

    def holds(self, need: Need) -> bool:
        return need.memory <= self.memory and need.cores <= self.cores


def by_size(need: Need) -> Queue:
    """The class of a simulation by its estimate alone: of as many qubits as a state vector of its memory has, where the
    circuit has more. So 100 qubits of a stabilizer circuit do not ask for the largest workers."""
    amplitudes = max(need.memory // _AMPLITUDE_BYTES, 1)
    qubits = min(need.qubits, amplitudes.bit_length() - 1)
    return next((queue for queue, limit in _FEWER_THAN.items() if qubits < limit), Queue.HUGE)


def choose(need: Need, rooms: Mapping[Queue, Room]) -> Queue | None:
    """The class whose workers take the job: its own by size, else the next larger that holds it, else the next smaller.

    `rooms`: the largest worker of each class that there is, or may be started; none at all says that nothing is known,
    and then its size decides. None: no worker can hold the job.
    """
    own = by_size(need)
    if not rooms:
        return own
    place = SIMULATION.index(own)
    order = (*SIMULATION[place:], *reversed(SIMULATION[:place]))
    return next((queue for queue in order if queue in rooms and rooms[queue].holds(need)), None)
