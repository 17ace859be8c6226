"""How large a simulation is: what it takes of memory, whether it is small enough to share an Aer call, and whether
threads would help. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from qtasks.circuits.analysis import Analysis, automatic_method

_MIB = 2**20
_PARALLEL_FROM = 14
"""Qubits from which Aer itself spreads a state over threads (`statevector_parallel_threshold`)."""
_CLIFFORD_ANYWAY = 22
"""Qubits up to which a stabilizer circuit is compiled like any other. The transpiler may then make gates of it that Aer
does not take for Clifford (`h·s` becomes `u2`), so it counts as the state vector that it may become."""
_SMALL_OPERATIONS = 5_000_000
"""Amplitude updates and shots of a job that goes into a batch: some ten milliseconds."""


@dataclass(frozen=True, slots=True)
class Size:
    """What running a circuit takes."""

    method: str
    """The method Aer will use."""
    compiled_for: str
    """The method whose target the circuit is compiled for."""
    memory: int | None
    """Bytes, rounded up to whole MiB; None when the method cannot run the circuit."""
    small: bool
    parallel: bool


def size(analysis: Analysis, *, method: str, shots: int) -> Size:
    """The size of `shots` runs of the analysed circuit with `method` (Aer's name, `automatic` included)."""
    runs_as = automatic_method(analysis) if method == "automatic" else method
    estimate = analysis.memory.get(runs_as)
    wide = analysis.qubits > _CLIFFORD_ANYWAY
    if method == "automatic" and runs_as == "stabilizer" and not wide:
        estimate = analysis.memory.get("statevector", estimate)
    memory = None if estimate is None else -(-estimate // _MIB) * _MIB
    repeats = shots if analysis.mid_circuit_measurement or analysis.has_control_flow else 1
    states = estimate // 16 if estimate is not None else 2**62
    work = repeats * max(1, analysis.expanded_size) * max(1, states) + shots
    small = work <= _SMALL_OPERATIONS and not (analysis.has_control_flow and "while_loop" in analysis.gates)
    threaded = runs_as != "statevector" or repeats > 1 or analysis.active_qubits >= _PARALLEL_FROM
    compiled_for = "stabilizer" if method == "automatic" and runs_as == "stabilizer" and wide else method
    return Size(runs_as, compiled_for, memory, small, parallel=not small and threaded)
