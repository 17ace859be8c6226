"""The ground state of H2 by VQE, as in the tutorial of Qiskit Algorithms; each evaluation is a job in the queue.

python examples/qiskit/vqe.py
"""

from qiskit.circuit.library import n_local
from qiskit.quantum_info import SparsePauliOp
from qiskit_algorithms import VQE, NumPyMinimumEigensolver
from qiskit_algorithms.optimizers import SPSA
from qiskit_algorithms.utils import algorithm_globals

# One line differs from the program for Qiskit alone:
# from qiskit.primitives import StatevectorEstimator as EstimatorV2
from qtasks.primitives import EstimatorV2

# H2 at 0.735 angstrom, parity mapping with two qubits taken off; in hartree, without the repulsion of the nuclei.
H2 = SparsePauliOp.from_list(
    [
        ("II", -1.052373245772859),
        ("IZ", 0.39793742484318045),
        ("ZI", -0.39793742484318045),
        ("ZZ", -0.01128010425623538),
        ("XX", 0.18093119978423156),
    ]
)


def main() -> None:
    algorithm_globals.random_seed = 170
    ansatz = n_local(2, rotation_blocks="ry", entanglement_blocks="cz", reps=1)
    estimator = EstimatorV2(default_precision=0.01)
    optimizer = SPSA(maxiter=50, learning_rate=0.7, perturbation=0.2, last_avg=10)
    result = VQE(estimator, ansatz, optimizer, initial_point=[0.1] * 4).compute_minimum_eigenvalue(H2)
    energy = estimator.run([(ansatz, H2, result.optimal_point)], precision=0.004).result()[0].data.evs
    exact = NumPyMinimumEigensolver().compute_minimum_eigenvalue(H2).eigenvalue.real
    print(f"{result.cost_function_evals} evaluations in {result.optimizer_time:.1f} s")
    print(f"energy {energy:.4f}, exact {exact:.4f}")


if __name__ == "__main__":
    main()
