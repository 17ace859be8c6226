"""Modules and names of Qiskit that older sources import and that are gone, and what takes their place today."""

from __future__ import annotations

_RUN = "Leave it out: qtasks runs the circuit itself, and takes only the circuit."
_CIRCUIT_ONLY = "Leave it out: only the circuit is taken from the source."

GONE: dict[str, str] = {
    "qiskit.Aer": f"{_RUN} Elsewhere: from qiskit_aer import AerSimulator.",
    "qiskit.BasicAer": f"{_RUN} Elsewhere: from qiskit.providers.basic_provider import BasicSimulator.",
    "qiskit.IBMQ": "Leave it out: a job names its backend in spec.backend, and qtasks knows the account.",
    "qiskit.execute": _RUN,
    "qiskit.assemble": _RUN,
    "qiskit.compiler.assemble": _RUN,
    "qiskit.qobj": _RUN,
    "qiskit.QISKitError": "Use qiskit.QiskitError.",
    "qiskit.QuantumProgram": "Use qiskit.QuantumCircuit.",
    "qiskit.algorithms": "It is a package of its own, qiskit_algorithms, and does not belong to the sandbox. "
    "Build the circuit with qiskit.circuit.library.",
    "qiskit.aqua": "Build the circuit with qiskit.circuit.library; operators are in qiskit.quantum_info.",
    "qiskit.opflow": "Use qiskit.quantum_info: SparsePauliOp, Statevector.",
    "qiskit.ignis": "Build the circuit with Qiskit itself; its successor, qiskit_experiments, is not here.",
    "qiskit.chemistry": "It is a package of its own, qiskit_nature, and is not here.",
    "qiskit.finance": "It is a package of its own, qiskit_finance, and is not here.",
    "qiskit.ml": "It is a package of its own, qiskit_machine_learning, and is not here.",
    "qiskit.optimization": "It is a package of its own, qiskit_optimization, and is not here.",
    "qiskit.extensions": "Use qiskit.circuit.library: Initialize, UnitaryGate, HamiltonianGate.",
    "qiskit.pulse": "Qiskit 2 has no pulses; write the circuit with gates.",
    "qiskit.scheduler": _CIRCUIT_ONLY,
    "qiskit.tools.monitor": f"{_CIRCUIT_ONLY} `qtasks wait` and `qtasks get jobs` show how a job stands.",
    "qiskit.tools.visualization": f"{_CIRCUIT_ONLY} Elsewhere: from qiskit.visualization import plot_histogram.",
    "qiskit.tools": _CIRCUIT_ONLY,
    "qiskit.test": _CIRCUIT_ONLY,
    "qiskit.validation": _CIRCUIT_ONLY,
    "qiskit.providers.aer": f"{_RUN} Elsewhere it is qiskit_aer.",
    "qiskit.providers.ibmq": "Leave it out: a job names its backend in spec.backend, and qtasks knows the account.",
    "qiskit.utils.QuantumInstance": _RUN,
    "qiskit.primitives.Sampler": _RUN,
    "qiskit.primitives.Estimator": _RUN,
    "qiskit.primitives.BackendSampler": _RUN,
    "qiskit.primitives.BackendEstimator": _RUN,
    "qiskit.circuit.classicalfunction": "Use qiskit.circuit.library.PhaseOracleGate or BitFlipOracleGate.",
    "matplotlib": _CIRCUIT_ONLY,
    "qiskit_textbook": "Build the circuit with Qiskit itself.",
    "qiskit_algorithms": "Build the circuit with qiskit.circuit.library.",
}
"""Dotted names, the longest that fits counts."""


def hint(dotted: str) -> str:
    """What takes the place of a module or name that is gone; empty for one that never was."""
    while dotted:
        if dotted in GONE:
            return GONE[dotted]
        dotted = dotted.rpartition(".")[0]
    return ""
