"""Which class of workers a simulation is for."""

from __future__ import annotations

import pytest

from qtasks.lifecycle import SIMULATION, Queue
from qtasks.scheduling.classes import Need, Room, by_size, choose

GIB = 2**30
SEEDS = {
    Queue.SMALL: Room(4 * GIB, 1),
    Queue.MEDIUM: Room(16 * GIB, 4),
    Queue.LARGE: Room(64 * GIB, 8),
    Queue.HUGE: Room(128 * GIB, 16),
}
"""The first seed's table."""


def state_vector(qubits: int, **asked: float) -> Need:
    return Need(qubits, max(16 * 2**qubits, 2**20), **asked)


@pytest.mark.parametrize(
    ("qubits", "queue"),
    [
        (1, Queue.SMALL),
        (9, Queue.SMALL),
        (10, Queue.MEDIUM),
        (19, Queue.MEDIUM),
        (20, Queue.LARGE),
        (29, Queue.LARGE),
        (30, Queue.HUGE),
        (33, Queue.HUGE),
    ],
)
def test_the_classes_are_those_of_the_seeds_table(qubits: int, queue: Queue) -> None:
    assert by_size(state_vector(qubits)) is queue
    assert choose(state_vector(qubits), SEEDS) is queue


def test_many_qubits_that_take_little_memory_are_not_for_the_largest_workers() -> None:
    assert by_size(Need(100, 2**20)) is Queue.MEDIUM


def test_what_a_job_asks_for_lifts_it_to_a_class_that_has_it() -> None:
    assert choose(Need(2, 30 * GIB), SEEDS) is Queue.LARGE
    assert choose(Need(2, 65 * GIB), SEEDS) is Queue.HUGE
    assert choose(Need(2, 2**20, cores=2), SEEDS) is Queue.MEDIUM
    assert choose(Need(2, 2**20, cores=16), SEEDS) is Queue.HUGE


def test_what_no_class_holds_has_none() -> None:
    assert choose(state_vector(34), SEEDS) is None
    assert choose(Need(2, 2**20, cores=17), SEEDS) is None


def test_a_larger_class_takes_what_has_no_workers_of_its_own_and_else_a_smaller_one() -> None:
    assert choose(state_vector(12), {Queue.HUGE: Room(GIB, 4), Queue.SMALL: Room(GIB, 4)}) is Queue.HUGE
    assert choose(state_vector(12), {Queue.SMALL: Room(GIB, 4)}) is Queue.SMALL


@pytest.mark.parametrize("queue", SIMULATION)
def test_where_nothing_is_known_of_workers_the_size_decides(queue: Queue) -> None:
    qubits = {Queue.SMALL: 5, Queue.MEDIUM: 15, Queue.LARGE: 25, Queue.HUGE: 31}[queue]
    assert choose(state_vector(qubits), {}) is queue
