"""How long a qubit stays excited (T1), by Qiskit Experiments, on the model of an IBM device with its noise.

python examples/qiskit/experiments_t1.py
"""

from qiskit_experiments.library import T1

from qtasks.primitives import QTasksBackend

# One line differs from the program for Qiskit alone, and the import of what it names:
# backend = FakePerth()
backend = QTasksBackend({"type": "ibm_simulator", "name": "ibm_perth"})

QUBIT = 3


def main() -> None:
    said = backend.qubit_properties(QUBIT).t1
    delays = [said * step / 5 for step in range(1, 16)]
    data = T1([QUBIT], delays, backend=backend).run(shots=2000, seed_simulator=42).block_for_results()
    found = data.analysis_results(dataframe=True).value.iloc[0]
    print(f"{len(data.data())} circuits, {data.status().name}")
    print(f"T1 {found.nominal_value * 1e6:.0f} µs, the calibration says {said * 1e6:.0f} µs")


if __name__ == "__main__":
    main()
