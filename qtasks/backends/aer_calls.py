"""Programs in Aer calls: which share one, what Aer is told, and what is read from its answer."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from qtasks.backends.in_process import InProcess
from qtasks.backends.protocol import BackendError, Compiled, Order, Program, Ran
from qtasks.backends.threads import Cores
from qtasks.circuits.analysis import analyse
from qtasks.circuits.formats import dump, load_canonical
from qtasks.results import classical_memory

_log = logging.getLogger(__name__)

_ON_GPU = frozenset({"automatic", "statevector", "density_matrix"})
SEED_STEP = 2113
"""What Aer adds to the seed from one circuit of a call to the next."""
_CANNOT_JUMP = "Invalid jump destination"
"""Aer leaves out qubits that no measurement seems to need, and then trips over jumps where a block of control flow
alone measures them. Such a circuit is run whole."""

Member = tuple[int, Program, Any, float]
"""One program of an Aer call: its place, itself, its compiled circuit, and the seconds that compiling took."""


class AerCalls(InProcess):
    """What backends have in common that run on Aer. Make one before forking, use it after.

    A pass manager takes sixty times as long to build as to run a small circuit through, so members keep theirs.
    `gpu`: what Aer can run on a GPU is run there; what it cannot, or what does not fit into its memory, runs here.
    """

    def __init__(self, cores: Cores, *, gpu: bool = False) -> None:
        import qiskit_aer
        from qiskit_aer import AerSimulator

        super().__init__()
        self.version: str = qiskit_aer.__version__
        self._cores = cores
        self._gpu = gpu
        self._simulator = AerSimulator
        self._run_on = AerSimulator()

    def run(self, programs: Sequence[Program]) -> list[Ran | BackendError]:
        """Run `programs`; those without a seed of their own share Aer calls, the others have one each.

        The i-th circuit of a call gets the call's seed plus 2113·i, so a seed that was asked for can only stand first,
        or be that of the program before it plus 2113: so the runs of one job share a call.
        """
        outcomes: dict[int, Ran | BackendError] = {}
        groups: dict[tuple[Any, ...], list[Member]] = {}
        last: tuple[Any, ...] = ()
        follows: int | None = None
        for place, program in enumerate(programs):
            started = time.perf_counter()
            try:
                told, circuit = self._compile(program)
            except BaseException as error:
                outcomes[place] = _compile_error(error, self.name)
                continue
            shared = (told.shots, told.method, told.memory_limit, told.parallel, told.most_threads, told.device)
            key = shared
            if (seed := told.seed_simulator) is not None:
                key = last if seed == follows and last[:-1] == shared else (*shared, place)
                last, follows = key, seed + SEED_STEP
            groups.setdefault(key, []).append((place, told, circuit, time.perf_counter() - started))
        for group in groups.values():
            outcomes.update(self._call(group))
        return [outcomes[place] for place in range(len(programs))]

    def compile(self, program: Program, device: str) -> Compiled:
        started = time.perf_counter()
        try:
            told, circuit = self._compile(program)
        except BaseException as error:
            raise _compile_error(error, self.name) from None
        registers, num_clbits, clbits = classical_memory(circuit)
        facts = analyse(circuit)
        return Compiled(
            device=told.device or self.name,
            format="qpy",
            data=dump(circuit),
            calibration="",
            registers=registers,
            num_clbits=num_clbits,
            clbits=clbits,
            depth=facts.depth,
            gates=facts.gates,
            two_qubit_gates=facts.two_qubit_gates,
            seconds=time.perf_counter() - started,
        )

    def _run_order(self, order: Order) -> Ran | BackendError:
        data = order.compiled.data
        device = order.compiled.device if order.compiled.device != self.name else ""
        told, circuit = self._ready(
            Program(order.tag, data, order.shots, device=device, seed_simulator=order.seed_simulator),
            load_canonical(data),
        )
        return self._call([(0, told, circuit, order.compiled.seconds)])[0]

    def _compile(self, program: Program) -> tuple[Program, Any]:
        """The ISA circuit of a program, and the program as it will be run."""
        raise NotImplementedError

    def _ready(self, program: Program, circuit: Any) -> tuple[Program, Any]:
        """The program of a compiled circuit as it will be run."""
        return program, circuit

    def _options(self, group: list[Member]) -> dict[str, Any]:
        """What Aer is told besides."""
        return {}

    def _call(self, group: list[Member]) -> dict[int, Ran | BackendError]:
        first = group[0][1]
        seed = first.seed_simulator
        if seed is None:
            seed = secrets.randbelow(2**31 - SEED_STEP * len(group))
        with self._cores.all_free(first.most_threads) if first.parallel else nullcontext(1) as threads:
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

    def _simulate(self, group: list[Member], seed: int, threads: int, **more: Any) -> Any:
        first = group[0][1]
        if self._gpu and "device" not in more and first.method in _ON_GPU:
            result = self._simulate(group, seed, threads, device="GPU", **more)
            if not isinstance(result, BackendError):
                return result
            _log.warning("A simulation runs on processors, for the GPU did not do it. %s", result.message)
        options: dict[str, Any] = {"method": first.method, "max_parallel_threads": threads, **more}
        if first.memory_limit:
            options["max_memory_mb"] = max(1, first.memory_limit // 2**20)
        try:
            options |= self._options(group)
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
        device=program.device,
    )


def _run_error(status: str) -> BackendError:
    message = f"Aer could not run the circuit: {status.strip().removeprefix('ERROR:').strip().rstrip('.')}."
    if any(sign in status for sign in ("bad_alloc", "Cannot allocate memory", "Insufficient memory")):
        return BackendError(message, reason="OutOfMemory", hint="Set execution.memoryLimit.", heals=True)
    return BackendError(message)


def _compile_error(error: BaseException, backend: str) -> BackendError:
    if isinstance(error, BackendError):
        return error
    if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
        raise error  # a panic in Qiskit's Rust is no Exception, and harms its circuit alone
    message = str(error).strip().strip("'\"")
    return BackendError(
        f"The circuit could not be compiled for {backend}: {message}.",
        reason="TranspilerError",
        hint="Check initialLayout and the gates of the circuit.",
    )
