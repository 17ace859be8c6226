"""`local_simulator`: Qiskit Aer in this process."""

from __future__ import annotations

from typing import Any

from qtasks.backends.aer_calls import AerCalls
from qtasks.backends.compatibility import Capabilities, local_simulator
from qtasks.backends.pass_managers import preset_pass_manager
from qtasks.backends.protocol import LOCAL_SIMULATOR, Program
from qtasks.backends.recent import Recent
from qtasks.backends.threads import Cores
from qtasks.circuits.formats import load_canonical

_PASS_MANAGERS = 64


class AerBackend(AerCalls):
    """Runs programs on Aer, without noise. Circuits are compiled for the target of a simulation method."""

    name = LOCAL_SIMULATOR

    def __init__(self, cores: Cores, *, gpu: bool = False) -> None:
        super().__init__(cores, gpu=gpu)
        self._usual_qubits: int = self._run_on.num_qubits  # asking makes a target of a hundred instructions: 1 ms
        self._managers: Recent[Any] = Recent(_PASS_MANAGERS)

    def warm(self) -> None:
        """Build the pass manager that most jobs use."""
        self._manager("automatic", 1, None, None)

    def capabilities(self, device: str) -> Capabilities:
        """Aer with any method, and the memory of this machine as Aer sees it."""
        return local_simulator(memory=16 << self._usual_qubits)

    def _compile(self, program: Program) -> tuple[Program, Any]:
        circuit = load_canonical(program.qpy)
        manager = self._manager(
            program.compiled_for,
            program.optimization_level,
            program.initial_layout,
            program.seed_transpiler,
            qubits=circuit.num_qubits if circuit.num_qubits > self._usual_qubits else 0,
        )
        return program, manager.run(circuit)

    def _manager(
        self, target: str, level: int, layout: tuple[int, ...] | None, seed: int | None, *, qubits: int = 0
    ) -> Any:
        """A pass manager for the target of a method, of so many `qubits` where those are more than Aer would say."""

        def make() -> Any:
            backend = self._run_on
            if target != "automatic" or qubits:
                backend = self._simulator(method=target)
            if qubits:
                backend.set_option("n_qubits", qubits)
            return preset_pass_manager(level, backend=backend, layout=layout, seed=seed)

        return self._managers.get((target, level, layout, seed, qubits), make)
