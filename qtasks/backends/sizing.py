"""How large a simulation is: what it takes of memory, whether it is small enough to share an Aer call, and whether
threads would help. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from qtasks.circuits.analysis import Analysis, automatic_method

_MIB = 2**20
_PARALLEL_FROM = 14
"""Qubits from which Aer itself spreads a state over threads (`statevector_parallel_threshold`)."""
_CLIFFORD_ANYWAY = 22
"""Qubits up to which a stabilizer circuit is compiled like any other. The transpiler may then make gates of it that Aer
does not take for Clifford (`h·s` becomes `u2`), so it counts as the state vector that it may become."""
_DENSITY_QUBITS = 12
"""Qubits up to which a noisy circuit may be run as a density matrix: 256 MiB."""
_NOISY_METHODS = ("statevector", "density_matrix", "matrix_product_state")
"""Aer's methods that can run thermal relaxation."""
_NATIVE = 5
"""Gates of a device, about, for one gate of a circuit."""
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


def noisy_method(active_qubits: int, shots: int) -> str:
    """What `automatic` means for a circuit with noise on so many qubits: `automatic` or `statevector`.

    Aer's own choice is a density matrix (16·4ⁿ bytes) where the shots are more than 2ⁿ and can be drawn from one state,
    else a state vector (16·2ⁿ bytes) for each shot. 20,000 shots of 14 qubits would take 4 GiB, so it is left the
    choice up to twelve qubits only, on every machine alike: the method decides which counts a seed gives.
    """
    return "automatic" if active_qubits <= _DENSITY_QUBITS or shots <= 2**active_qubits else "statevector"


def noisy_size(analysis: Analysis, *, method: str, shots: int) -> Size:
    """The size of `shots` runs of the analysed circuit on the model of a noisy device.

    Routing may involve a few qubits more than the circuit has: what that takes is known when it is compiled, and Aer
    keeps to the memory that it is told.
    """
    qubits = analysis.active_qubits
    sampled = not (analysis.mid_circuit_measurement or analysis.has_control_flow)
    drawn = sampled and shots > 2**qubits and noisy_method(qubits, shots) == "automatic"
    runs_as = ("density_matrix" if drawn else "statevector") if method == "automatic" else method
    noisy = replace(
        analysis,
        clifford=False,
        expanded_size=_NATIVE * analysis.expanded_size,
        mid_circuit_measurement=runs_as != "density_matrix" or not sampled,
        memory={name: analysis.memory[name] for name in _NOISY_METHODS},
    )
    return size(noisy, method=runs_as, shots=shots)
