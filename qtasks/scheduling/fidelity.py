"""Expected fidelity of a circuit on a device: the product of `1 − error` over the gates and readouts of the compiled
circuit, by the device's calibration. Pure.

It is what mapomatic and MQT Predictor call their cost and their figure of merit. Neither is used: the first is not kept
any more and speaks to backends of a kind that Qiskit has dropped, the second brings PyTorch and models that it was
trained with. Qiskit itself knows the errors, and has no function that multiplies them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import prod
from typing import TYPE_CHECKING, Any

from qtasks.backends.pass_managers import preset_pass_manager
from qtasks.backends.recent import Recent
from qtasks.backends.target_data import target_of
from qtasks.circuits.analysis import Analysis

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

_DEVICES = 80
_MANAGERS = 80
SEED = 0
"""The transpiler's, for jobs that name none: the same circuit is to have the same figure."""
Errors = Mapping[tuple[str, tuple[int, ...]], tuple[float | None, float | None]]
"""Error and duration of each gate on its qubits."""


class Basis(StrEnum):
    """What a fidelity stands on."""

    COMPILED = "compiled"
    """The circuit was compiled for the device as it is calibrated."""
    ESTIMATED = "estimated"
    """The circuit's gates as written, times the device's median errors: too high where it has to be routed."""
    IDEAL = "ideal"
    """A simulation without noise."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Fidelity:
    """How well a circuit runs on a device, and how long."""

    value: float | None
    """0 to 1; None where nobody knows."""
    basis: Basis
    duration: float | None = None
    """Seconds of one shot, without the wait before the next."""
    depth: int = 0
    two_qubit_gates: int = 0
    problem: str | None = None
    """Why it cannot be compiled for the device."""


IDEAL = Fidelity(1.0, Basis.IDEAL)
UNKNOWN = Fidelity(None, Basis.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Compilation:
    """How circuits are compiled: two with equal `key` give one fidelity."""

    level: int = 1
    layout: tuple[int, ...] | None = None
    seed: int | None = None

    @property
    def key(self) -> str:
        layout = "" if self.layout is None else hashlib.sha256(repr(self.layout).encode()).hexdigest()[:32]
        return f"{self.level};{layout};{'' if self.seed is None else self.seed}"


def estimated(analysis: Analysis, errors: Mapping[str, float] | None, routing: float = 1.0) -> Fidelity:
    """A guess that compiles nothing, by a device's typical errors (`two`, and, where known, `one` and `readout`), each
    counted `routing` times as often as the circuit as written has it."""
    if not errors:
        return UNKNOWN
    two, measured = analysis.two_qubit_gates, analysis.measurements
    counts = {"two": two, "readout": measured, "one": max(0, analysis.expanded_size - two - measured)}
    value = prod((1 - error) ** counts.get(kind, 0) for kind, error in errors.items())
    return Fidelity(value**routing, Basis.ESTIMATED, None, analysis.depth, two)


def errors_of(data: Mapping[str, Any]) -> Errors:
    """The errors and durations of `backends.target_data`."""
    return {
        (name, tuple(qubits)): (error, duration)
        for name, places in data["gates"].items()
        for qubits, error, duration in places
    }


def expected(isa: QuantumCircuit, errors: Errors) -> Fidelity:
    """The expected fidelity of a compiled circuit. What has no error is taken for perfect; of control flow each block
    counts once, and of several that exclude each other all of them: it is a lower bound then."""
    total = _walk(isa, {qubit: index for index, qubit in enumerate(isa.qubits)}, errors)
    return Fidelity(total.fidelity, Basis.COMPILED, total.seconds, isa.depth(), total.two_qubit_gates)


@dataclass(slots=True)
class _Total:
    fidelity: float = 1.0
    seconds: float = 0.0
    two_qubit_gates: int = 0


def _walk(circuit: QuantumCircuit, places: Mapping[Any, int], errors: Errors) -> _Total:
    """Over all instructions: fidelities multiplied, gates counted, and the longest way through the circuit."""
    total = _Total()
    busy: dict[Any, float] = {}
    for step in circuit.data:
        qubits = step.qubits
        duration: float | None = None
        if step.is_control_flow():
            blocks = step.operation.blocks
            inner = [_walk(block, _inside(block, qubits, places), errors) for block in blocks]
            total.fidelity *= prod(each.fidelity for each in inner)
            total.two_qubit_gates += sum(each.two_qubit_gates for each in inner)
            duration = max((each.seconds for each in inner), default=0.0)
        elif step.name != "barrier":
            error, duration = errors.get((step.name, tuple(places[qubit] for qubit in qubits)), (None, None))
            if error is not None:
                total.fidelity *= max(0.0, 1 - error)
            total.two_qubit_gates += len(qubits) == 2
        end = max((busy.get(bit, 0.0) for bit in (*qubits, *step.clbits)), default=0.0) + (duration or 0.0)
        for bit in (*qubits, *step.clbits):
            busy[bit] = end
    total.seconds = max(busy.values(), default=0.0)
    return total


def _inside(block: QuantumCircuit, qubits: Iterable[Any], places: Mapping[Any, int]) -> dict[Any, int]:
    return dict(zip(block.qubits, (places[qubit] for qubit in qubits), strict=True))


class Compiler:
    """Compiles circuits to see how well they run. Targets and pass managers are kept: making them takes 40 to 170 ms,
    using them some milliseconds."""

    def __init__(self) -> None:
        self._devices: Recent[tuple[Any, Errors]] = Recent(_DEVICES)
        self._managers: Recent[Any] = Recent(_MANAGERS)

    def fidelity(
        self, circuit: QuantumCircuit, device: str, calibration: str, data: Mapping[str, Any], how: Compilation
    ) -> Fidelity:
        """The expected fidelity of `circuit` on a device whose target is `data`; 0, with the reason, where it cannot be
        compiled for the device."""
        target, errors = self._devices.get((device, calibration), lambda: (target_of(data), errors_of(data)))
        seed = SEED if how.seed is None else how.seed
        manager = self._managers.get(
            (device, calibration, how),
            lambda: preset_pass_manager(how.level, target=target, layout=how.layout, seed=seed),
        )
        try:
            return expected(manager.run(circuit), errors)
        except BaseException as error:
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise  # a panic in Qiskit's Rust is no Exception, and harms its circuit alone
            message = " ".join(str(error).split()).strip("'\"")[:300].rstrip(".")
            return Fidelity(0.0, Basis.COMPILED, problem=f"The circuit cannot be compiled for {device}: {message}.")
