"""Circuits as a device takes them, by pass managers that are kept."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from qtasks.backends.ibm.devices import Known
from qtasks.backends.ibm.submission import NOTE, memory
from qtasks.backends.protocol import BackendError, Compiled, Program
from qtasks.circuits.analysis import analyse
from qtasks.circuits.formats import QPY, dump, dump_all, load_canonical
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
        return self._compiled(program, device)[1]

    def compile_all(self, programs: Sequence[Program], device: Known) -> Compiled:
        """The ISA circuits of a job, in one file of QPY, each with its classical memory in its metadata; a single one
        is as `compile` gives it."""
        if len(programs) == 1:
            return self.compile(programs[0], device)
        circuits, found = [], []
        for program in programs:
            isa, about = self._compiled(program, device)
            isa.metadata = {NOTE: memory(about, isa, program.shots)}
            circuits.append(isa)
            found.append(about)
        return replace(
            found[0],
            data=dump_all(circuits),
            depth=max(each.depth for each in found),
            gates=dict(sum((Counter(each.gates) for each in found), Counter[str]())),
            two_qubit_gates=sum(each.two_qubit_gates for each in found),
            seconds=sum(each.seconds for each in found),
        )

    def _compiled(self, program: Program, device: Known) -> tuple[Any, Compiled]:
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
        return isa, Compiled(
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
