"""A lone 22-qubit QFT: the queue's time, submit to Completed, against transpile and Aer alone in a fresh process."""

from __future__ import annotations

import json
import subprocess
import sys
import time

from bench import circuits
from bench.figures import Figure, compared
from bench.system import ROOT, System
from qtasks.backends.threads import available
from qtasks.lifecycle import Phase

_QUBITS = 22


def run(system: System) -> list[Figure]:
    """1024 shots with a seed; both sides must give the same counts."""
    _qtasks(system, seed=1, qubits=10)
    rounds = []
    for seed in range(5, 5 + max(5, system.options.rounds)):
        alone, expected = _alone(seed)
        queued, counts = _qtasks(system, seed=seed, qubits=_QUBITS)
        assert counts == expected, "the queue's counts are not Aer's"
        rounds.append((alone, queued))
    what = f"QFT on {_QUBITS} qubits, {available()} threads"
    return [compared("large", what, "s", rounds, peer_is="transpile and Aer alone", most=1.05)]


def _qtasks(system: System, *, seed: int, qubits: int) -> tuple[float, dict[str, int]]:
    circuit = circuits.fourier(qubits)
    started = time.perf_counter()
    job = system.client.submit(circuit, shots=circuits.SHOTS, seed_simulator=seed)
    assert job.wait_for_final_state(120) is Phase.COMPLETED
    ended = time.perf_counter()
    return ended - started, job.result().get_counts()


def _alone(seed: int) -> tuple[float, dict[str, int]]:
    command = [sys.executable, "-m", "bench.large", str(seed), str(available())]
    answer = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
    return answer["seconds"], answer["counts"]


def _fresh_process(seed: int, threads: int) -> None:
    """The peer: imports, pass manager and a first small run are not on the clock."""
    from qiskit.transpiler import generate_preset_pass_manager
    from qiskit_aer import AerSimulator

    simulator = AerSimulator()
    manager = generate_preset_pass_manager(1, simulator)
    options = {"shots": circuits.SHOTS, "seed_simulator": seed, "max_parallel_threads": threads}
    simulator.run(manager.run(circuits.fourier(10)), **options).result()
    circuit = circuits.fourier(_QUBITS)
    started = time.perf_counter()
    counts = simulator.run(manager.run(circuit), **options).result().get_counts()
    print(json.dumps({"seconds": time.perf_counter() - started, "counts": counts}))


if __name__ == "__main__":
    _fresh_process(int(sys.argv[1]), int(sys.argv[2]))
