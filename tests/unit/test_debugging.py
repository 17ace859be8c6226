"""What `spec.debug` has written down."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from qtasks.backends.protocol import Compiled, Order, Ran
from qtasks.resources import JobSpec
from qtasks.stages.debugging import ordered, simulated

ITEM: Any = SimpleNamespace(spec=JobSpec(circuit={"source": "inline", "code": "…"}), account="lab-open")


def test_a_simulation_says_how_it_was_compiled_and_run() -> None:
    gates = {f"g{number}": 20 - number for number in range(10)}
    ran = Ran({}, [("c", 2)], 2, None, 42, "statevector", 7, gates, 3, 0.0105, 1.5, 2)
    assert list(simulated(ITEM, ran, 3)) == [
        "Compiled for the simulator at level 1 in 10.5 ms: depth 7, g0 20, g1 19, g2 18, g3 17, g4 16, g5 15, g6 14, "
        "g7 13, 23 others.",
        "Simulated 1024 shots by method statevector, simulator seed 42, on 2 threads in 1.5 s, in a batch of 3 jobs.",
    ]


def test_a_providers_order_says_what_is_asked() -> None:
    compiled = Compiled("ibm_fez", "qpy", b"12345", "ab" * 32, [("c", 2)], 2, None, 9, {"cz": 1}, 1, 0.25)
    order = Order(compiled, 4096, "qtasks-1-1", session="s-1", max_execution_seconds=30)
    assert list(ordered(ITEM, order)) == [
        "Compiled for ibm_fez in 250 ms: depth 9, cz 1, calibration abababababab.",
        "Asking account lab-open to run 4096 shots on ibm_fez (qpy, 5 bytes), tag qtasks-1-1, session s-1, "
        "at most 30 s of quantum time.",
    ]
