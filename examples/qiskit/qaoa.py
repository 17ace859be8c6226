"""Max-Cut by QAOA, as in the tutorial of Qiskit Algorithms; each evaluation is a job in the queue.

python examples/qiskit/qaoa.py
"""

from qiskit.quantum_info import SparsePauliOp
from qiskit_algorithms import QAOA
from qiskit_algorithms.optimizers import COBYLA
from qiskit_algorithms.utils import algorithm_globals

# One line differs from the program for Qiskit alone:
# from qiskit.primitives import StatevectorSampler as SamplerV2
from qtasks.primitives import SamplerV2

NODES = 4
EDGES = [(0, 1), (0, 2), (0, 3), (1, 2), (2, 3)]


def cut_hamiltonian() -> SparsePauliOp:
    """Its least value is minus the size of the largest cut: an edge that is cut adds -1, any other 0."""
    couplings = [("ZZ", [one, other], 0.5) for one, other in EDGES]
    return SparsePauliOp.from_sparse_list([*couplings, ("", [], -0.5 * len(EDGES))], num_qubits=NODES)


def cut_size(side: str) -> int:
    """Edges between the two sides; the side of node 0 is the last character."""
    return sum(side[-1 - one] != side[-1 - other] for one, other in EDGES)


def main() -> None:
    algorithm_globals.random_seed = 42
    qaoa = QAOA(SamplerV2(default_shots=1024), COBYLA(maxiter=40), reps=2, initial_point=[0.8, 0.4, 0.4, 0.8])
    result = qaoa.compute_minimum_eigenvalue(cut_hamiltonian())
    best = result.best_measurement["bitstring"]
    print(f"{result.cost_function_evals} evaluations in {result.optimizer_time:.1f} s")
    print(f"sides {best}, cut {cut_size(best)}, mean cut {-result.eigenvalue.real:.2f}")


if __name__ == "__main__":
    main()
