"""`local_simulator`: Qiskit Aer in this process."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from qtasks.backends.protocol import LOCAL_SIMULATOR, BackendError, Program, Ran
from qtasks.backends.threads import Cores
from qtasks.circuits.analysis import analyse
from qtasks.circuits.formats import load_canonical
from qtasks.results import classical_memory

SEED_STEP = 2113
"""What Aer adds to the seed from one circuit of a call to the next."""
_PASS_MANAGERS = 64
_CANNOT_JUMP = "Invalid jump destination"
"""Aer leaves out qubits that no measurement seems to need, and then trips over jumps where a block of control flow
alone measures them. Such a circuit is run whole."""


class AerBackend:
    """Runs programs on Aer. Qiskit is imported when the first one is made; make it before forking, use it after.

    A pass manager takes sixty times as long to build as to run a small circuit through, so each is built once per
    target, level, layout and seed.
    """

    name = LOCAL_SIMULATOR

    def __init__(self, cores: Cores) -> None:
        import qiskit_aer
        from qiskit_aer import AerSimulator

        self.version: str = qiskit_aer.__version__
        self._cores = cores
        self._simulator = AerSimulator
        self._run_on = AerSimulator()
        self._usual_qubits: int = self._run_on.num_qubits  # asking makes a target of a hundred instructions: 1 ms
        self._managers: OrderedDict[tuple[Any, ...], Any] = OrderedDict()

    def warm(self) -> None:
        """Build the pass manager that most jobs use."""
        self._manager("automatic", 1, None, None)

    def run(self, programs: Sequence[Program]) -> list[Ran | BackendError]:
        """Run `programs`; those without a seed of their own share Aer calls, the others have one each.

        The i-th circuit of a call gets the call's seed plus 2113·i, so a seed that was asked for can only stand first.
        """
        outcomes: dict[int, Ran | BackendError] = {}
        groups: dict[tuple[Any, ...], list[tuple[int, Program, Any, float]]] = {}
        for place, program in enumerate(programs):
            started = time.perf_counter()
            try:
                circuit = self._compile(program)
            except BaseException as error:
                if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                    raise  # a panic in Qiskit's Rust is no Exception, and harms its circuit alone
                outcomes[place] = _compile_error(error)
                continue
            shared = (program.shots, program.method, program.memory_limit, program.parallel)
            key = shared if program.seed_simulator is None else (*shared, place)
            groups.setdefault(key, []).append((place, program, circuit, time.perf_counter() - started))
        for group in groups.values():
            outcomes.update(self._call(group))
        return [outcomes[place] for place in range(len(programs))]

    def _compile(self, program: Program) -> Any:
        circuit = load_canonical(program.qpy)
        return self._manager(
            program.compiled_for,
            program.optimization_level,
            program.initial_layout,
            program.seed_transpiler,
            qubits=circuit.num_qubits if circuit.num_qubits > self._usual_qubits else 0,
        ).run(circuit)

    def _manager(
        self, target: str, level: int, layout: tuple[int, ...] | None, seed: int | None, *, qubits: int = 0
    ) -> Any:
        """A pass manager for the target of a method, of so many `qubits` where those are more than Aer would say."""
        key = (target, level, layout, seed, qubits)
        manager = self._managers.get(key)
        if manager is None:
            from qiskit.transpiler import generate_preset_pass_manager

            backend = self._run_on
            if target != "automatic" or qubits:
                backend = self._simulator(method=target)
            if qubits:
                backend.set_option("n_qubits", qubits)
            manager = generate_preset_pass_manager(
                level, backend, initial_layout=list(layout) if layout else None, seed_transpiler=seed
            )
            self._managers[key] = manager
            if len(self._managers) > _PASS_MANAGERS:
                self._managers.popitem(last=False)
        else:
            self._managers.move_to_end(key)
        return manager

    def _call(self, group: list[tuple[int, Program, Any, float]]) -> dict[int, Ran | BackendError]:
        first = group[0][1]
        seed = first.seed_simulator
        if seed is None:
            seed = secrets.randbelow(2**31 - SEED_STEP * len(group))
        with self._cores.all_free() if first.parallel else nullcontext(1) as threads:
            result = self._simulate(group, seed, threads)
            if isinstance(result, BackendError) and _CANNOT_JUMP in result.message and len(group) == 1:
                result = self._simulate(group, seed, threads, enable_truncation=False)
        if isinstance(result, BackendError) and len(group) > 1:  # one that Aer cannot load fails all of a call
            return {place: outcome for member in group for place, outcome in self._call([member]).items()}
        if isinstance(result, BackendError):
            return {group[0][0]: result}
        return {
            place: _read(result.results[number], program, circuit, seconds, threads)
            for number, (place, program, circuit, seconds) in enumerate(group)
        }

    def _simulate(self, group: list[tuple[int, Program, Any, float]], seed: int, threads: int, **more: Any) -> Any:
        first = group[0][1]
        options: dict[str, Any] = {"method": first.method, "max_parallel_threads": threads, **more}
        if first.memory_limit:
            options["max_memory_mb"] = max(1, first.memory_limit // 2**20)
        try:
            job = self._run_on.run(
                [circuit for _, _, circuit, _ in group], shots=first.shots, seed_simulator=seed, **options
            )
            result = job.result()
        except Exception as error:
            return _run_error(str(error))
        if len(result.results) != len(group):
            return _run_error(result.status)
        return result


def _read(experiment: Any, program: Program, circuit: Any, compile_seconds: float, threads: int) -> Ran | BackendError:
    if not experiment.success:
        return _run_error(experiment.status)
    counts = getattr(experiment.data, "counts", None)
    if not counts:
        return BackendError("Aer returned no counts.", reason="NothingMeasured", hint="Add qc.measure_all().")
    registers, num_clbits, clbits = classical_memory(circuit)
    facts = analyse(circuit)
    return Ran(
        counts=counts,
        registers=registers,
        num_clbits=num_clbits,
        clbits=clbits,
        seed_simulator=experiment.seed_simulator,
        method=experiment.metadata.get("method", program.method),
        depth=facts.depth,
        gates=facts.gates,
        two_qubit_gates=facts.two_qubit_gates,
        transpile_seconds=compile_seconds,
        run_seconds=experiment.time_taken,
        threads=threads,
    )


def _run_error(status: str) -> BackendError:
    message = f"Aer could not run the circuit: {status.strip().removeprefix('ERROR:').strip().rstrip('.')}."
    if any(sign in status for sign in ("bad_alloc", "Cannot allocate memory", "Insufficient memory")):
        return BackendError(message, reason="OutOfMemory", hint="Set execution.memoryLimit.", heals=True)
    return BackendError(message)


def _compile_error(error: BaseException) -> BackendError:
    message = str(error).strip().strip("'\"")
    return BackendError(
        f"The circuit could not be compiled for {LOCAL_SIMULATOR}: {message}.",
        reason="TranspilerError",
        hint="Check initialLayout and the gates of the circuit.",
    )
