"""Circuits as a device takes them, by pass managers that are kept."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Any

from qtasks.backends.ibm.devices import Known
from qtasks.backends.protocol import BackendError, Compiled, Program
from qtasks.circuits.analysis import analyse
from qtasks.circuits.formats import QPY, dump, load_canonical
from qtasks.results import classical_memory

_PASS_MANAGERS = 64
LOOSE = "loose_bits"
"""Register that is added for clbits of no register: a result has nothing but registers."""


class Compiler:
    """Compiles for the live target. Building a pass manager takes 50 ms for 7 qubits and 170 for 156, running it 4."""

    def __init__(self) -> None:
        self._managers: OrderedDict[tuple[Any, ...], Any] = OrderedDict()

    def compile(self, program: Program, device: Known) -> Compiled:
        """The ISA circuit. Raises BackendError (`TranspilerError`)."""
        started = time.perf_counter()
        circuit = load_canonical(program.qpy)
        registers, num_clbits, clbits = classical_memory(circuit)
        try:
            isa = self._manager(program, device).run(circuit)
            _cover(isa)
            data = dump(isa)
        except BaseException as error:
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise  # a panic in Qiskit's Rust is no Exception, and harms its circuit alone
            message = " ".join(str(error).split()).strip("'\"")[:500].rstrip(".")
            raise BackendError(
                f"The circuit could not be compiled for {device.backend.name}: {message}.",
                reason="TranspilerError",
                hint="Check initialLayout and the gates of the circuit.",
            ) from None
        facts = analyse(isa)
        return Compiled(
            device=device.backend.name,
            format=QPY,
            data=data,
            calibration=device.calibration.id if device.calibration else "",
            registers=registers,
            num_clbits=num_clbits,
            clbits=clbits,
            depth=facts.depth,
            gates=facts.gates,
            two_qubit_gates=facts.two_qubit_gates,
            seconds=time.perf_counter() - started,
        )

    def _manager(self, program: Program, device: Known) -> Any:
        calibration = device.calibration.id if device.calibration else ""
        layout, seed, level = program.initial_layout, program.seed_transpiler, program.optimization_level
        key = (device.backend.name, level, layout, seed, calibration)
        manager = self._managers.get(key)
        if manager is None:
            from qiskit.transpiler import generate_preset_pass_manager

            manager = generate_preset_pass_manager(
                level, device.backend, initial_layout=list(layout) if layout else None, seed_transpiler=seed
            )
            self._managers[key] = manager
            if len(self._managers) > _PASS_MANAGERS:
                self._managers.popitem(last=False)
        else:
            self._managers.move_to_end(key)
        return manager


def _cover(circuit: Any) -> None:
    """Give the clbits of no register a register."""
    from qiskit.circuit import ClassicalRegister

    loose = [bit for bit in circuit.clbits if not circuit.find_bit(bit).registers]
    if loose:
        circuit.add_register(ClassicalRegister(bits=loose, name=LOOSE))
