"""How much quantum time a run is thought to take."""

from __future__ import annotations

from typing import Any

from qtasks.backends.ibm.devices import Known
from qtasks.backends.protocol import Compiled
from qtasks.circuits.formats import load_all

OVERHEAD_SECONDS = 2.0
"""What IBM's guide to the usage of a job gives as the part that does not depend on the shots."""
_REP_DELAY = 250e-6
_LAYER, _READOUT = 100e-9, 3e-6
"""Seconds of a layer of gates and of a measurement on present devices, where the target does not say."""


def quantum_seconds(compiled: Compiled, shots: int, device: Known) -> float:
    """`2 + shots × (rep_delay + circuit duration)`, IBM's own approximation for one circuit without error mitigation.
    Of several circuits each adds its shots.

    `rep_delay` is the device's default, usually 250 µs; the duration is the longest way through the circuit by the
    target's gate times, or, for circuits with control flow, depth × 100 ns + 3 µs.
    """
    configuration = device.backend.configuration()
    delay = getattr(configuration, "default_rep_delay", None)
    if delay is None:
        delay = _REP_DELAY
    circuits = load_all(compiled.data)
    durations = (_duration(circuit, compiled.depth, device.backend.target) for circuit in circuits)
    return OVERHEAD_SECONDS + shots * sum(float(delay) + duration for duration in durations)


def _duration(circuit: Any, depth: int, target: Any) -> float:
    from qiskit.exceptions import QiskitError

    try:
        return float(circuit.estimate_duration(target))
    except QiskitError:
        return depth * _LAYER + _READOUT
